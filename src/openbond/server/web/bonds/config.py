"""What the bonder of a bond is provisioned with, and what it must know. Loaded on a click."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from openbond.server.control.authority import fingerprint_in
from openbond.server.control.looked_at import look_at_config
from openbond.server.control.state_files import StateDirectory
from openbond.server.fleet.models import Bonder
from openbond.server.fleet.selectors import bonders_visible_to, config_updates_visible_to
from openbond.server.web.page import Page

MOST_UPDATES = 20


class BonderPart(Page):
    """A part about the bonder of a bond in reach."""

    code = "view_bonder"

    def bonder(self) -> Bonder:
        """Raises Http404."""
        found = bonders_visible_to(self.viewer).filter(bond=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found


class KeyPart(BonderPart):
    """The node key, as the API shows it, and what to type at the machine."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        context = {
            "bonder": self.bonder(),
            "server": request.get_host(),
            "fingerprint": fingerprint_in(StateDirectory(settings.STATE_DIR).authority),
        }
        return self.render("web/bonds/key.html", context)


class ConfigPart(BonderPart):
    """Config updates that wait, and the config line by line against what was applied."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        bonder = self.bonder()
        updates = config_updates_visible_to(self.viewer).filter(node=bonder.pk)
        waiting = updates.exclude(status="applied").order_by("-id")
        context = {
            "bonder": bonder,
            "look": look_at_config(bonder.pk),
            "updates": waiting[:MOST_UPDATES],
        }
        return self.render("web/bonds/config.html", context)

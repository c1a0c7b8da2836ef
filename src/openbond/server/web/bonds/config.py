"""What the bonder of a bond is provisioned with, and what it must know. Loaded on a click."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from openbond.server.control.looked_at import look_at_config
from openbond.server.fleet.models import Bonder
from openbond.server.fleet.selectors import bonders_visible_to, config_updates_visible_to
from openbond.server.web.nodes.provisioning import BonderKey
from openbond.server.web.page import Page

MOST_UPDATES = 20


class KeyPart(BonderKey):
    """The node key, as the API shows it, and what to type at the machine."""

    def nodes(self) -> QuerySet[Any]:
        return bonders_visible_to(self.viewer).filter(bond=self.kwargs["pk"])


class ConfigPart(Page):
    """Config updates that wait, and the config line by line against what was applied."""

    code = "view_bonder"

    def bonder(self) -> Bonder:
        """Raises Http404."""
        found = bonders_visible_to(self.viewer).filter(bond=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

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

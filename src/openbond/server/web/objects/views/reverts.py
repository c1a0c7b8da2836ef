"""One entry of the audit, and the page that takes its change back."""

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.safestring import SafeString

from openbond.server.system.models import AuditEntry
from openbond.server.web.objects.cells import label
from openbond.server.web.objects.forms import ETAG, change
from openbond.server.web.objects.names import site_path
from openbond.server.web.objects.reverting import Revert, is_revertible, revert_of
from openbond.server.web.objects.trail import changes_of, seen_of_audit

from .base import SheetPage
from .details import DetailPage
from .lists import want_names

WHICH = "take"
NOTHING = "Tick what is to be taken back."
CHANGED = "The object was changed since this page was made. Look again."


class EntryPage(DetailPage):
    """Who changed what: before and after."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        entry = seen_of_audit(self.viewer).filter(pk=self.kwargs["pk"]).first()
        if entry is None:
            raise Http404
        shown = self.resource().shown(entry)
        context = {
            "page": self,
            "sheet": self.sheet,
            "entry": entry,
            "title": f"{entry.kind} {entry.object_name}: {entry.action}",
            "blocks": self._blocks({**shown, "changes": []}),
            "changes": self._told(entry),
            "is_revertible": is_revertible(entry),
            "here": self.object_url(),
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
        }
        return self.render("web/objects/entry.html", context)

    def _told(self, entry: AuditEntry) -> list[tuple[str, SafeString, SafeString]]:
        """Return what each value is called, what it was before, and what after."""
        found = changes_of(entry)
        want_names(self.names, found)
        past = self.cells.past
        return [(label(one["name"]), past(one["before"]), past(one["after"])) for one in found]


class RevertPage(SheetPage):
    """Before, after and now of each value; what is ticked is written as it was before."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        return self.show(revert_of(self.viewer, self.kwargs["pk"]))

    def post(self, request: Any, **path: object) -> HttpResponse:
        revert = revert_of(self.viewer, self.kwargs["pk"])
        wanted = request.POST.getlist(WHICH)
        inputs = [
            value.input
            for value in revert.values
            if value.input is not None and value.name in wanted and value.is_possible
        ]
        if not inputs:
            return self.show(revert, NOTHING)
        form = revert.form.typed(request.POST)
        _, answer = change(form, revert.path, only=inputs)
        if answer.status == 412:
            return self.show(revert, CHANGED)
        self.raise_for(answer)
        if not answer.is_good:
            return self.show(revert, answer.words)
        self.say("The change was taken back.")
        return self.go(site_path(answer.data["url"]))

    def show(self, revert: Revert, fault: str = "") -> HttpResponse:
        entry = revert.entry
        context = {
            "page": self,
            "sheet": self.sheet,
            "revert": revert,
            "entry": entry,
            "etag_name": ETAG,
            "fault": fault,
            "title": f"Take back a change of {entry.object_name}",
            "back": self.object_url(),
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
        }
        return self.render("web/objects/revert.html", context, status=400 if fault else 200)

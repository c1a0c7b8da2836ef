"""The page of one object: its fields in groups, what belongs to it, what was changed."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse, QueryDict
from django.utils.safestring import SafeString

from openbond.server.api.in_process import actions_of, answer_of
from openbond.server.api.resource import ReadOnlyResource, Shown
from openbond.server.errors import Forbidden
from openbond.server.system.models import AuditEntry
from openbond.server.web.objects.cells import label
from openbond.server.web.objects.declaring import Action, Related
from openbond.server.web.objects.listing import Listed, fields_of, read_list
from openbond.server.web.objects.names import site_path
from openbond.server.web.objects.table import SHEETS
from openbond.server.web.objects.trail import changes_of, seen_of_audit

from .base import SheetPage, may_write, ways_to_make
from .lists import TablePart, table_of, want_names

MOST_RELATED = 10
MOST_CHANGES = 10
MOST_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Shelf:
    """A list that belongs to an object, its first rows."""

    title: str
    listed: Listed
    table: TablePart
    url: str
    new: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Block:
    """Fields that stand together: what each is called, and its value."""

    title: str
    fields: list[tuple[str, SafeString]]


class DetailPage(SheetPage):
    """One object."""

    template = "web/objects/detail.html"

    def get(self, request: Any, **path: object) -> HttpResponse:
        door = self.resource()
        door.check_permission("retrieve")
        row = door.find()
        shown = door.shown(row)
        there = site_path(shown["url"])
        if there != request.path:
            return self.go(there)
        context = {
            "page": self,
            "sheet": self.sheet,
            "shown": shown,
            "title": self.called(shown),
            "state": shown.get("status") or shown.get("state"),
            "blocks": self._blocks(shown),
            "shelves": self._shelves(shown),
            "changes": self._changes(shown["id"]),
            "may_change": may_write(door, "change", row),
            "may_delete": may_write(door, "remove", row),
            "actions": self._actions(shown),
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
            "here": self.object_url(),
        }
        return self.render(self.template, {**context, **self.more()})

    def more(self) -> dict[str, object]:
        """Return what the page of one kind of objects shows besides."""
        return {}

    def resource(self) -> ReadOnlyResource[Any]:
        if not isinstance(self.door, ReadOnlyResource):
            raise Http404
        return self.door

    def _blocks(self, shown: Shown) -> list[Block]:
        fields = fields_of(self.door)
        for value in shown.values():
            self.names.want(value)
        left = [name for name in shown if name not in self.sheet.left_out | {"url", "password"}]
        blocks = []
        for group in self.sheet.groups:
            names = [name for name in group.names if name in left]
            left = [name for name in left if name not in names]
            blocks.append(Block(group.title, [self._field(name, fields, shown) for name in names]))
        blocks.append(Block("More", [self._field(name, fields, shown) for name in left]))
        return [block for block in blocks if block.fields]

    def _field(self, name: str, fields: Any, shown: Shown) -> tuple[str, SafeString]:
        return label(name), self.cells.of(name, fields.get(name))(shown[name])

    def _shelves(self, shown: Shown) -> list[Shelf]:
        found = (self._shelf(related, shown) for related in self.sheet.related)
        return [shelf for shelf in found if shelf is not None]

    def _shelf(self, related: Related, shown: Shown) -> Shelf | None:
        sheet = SHEETS[related.sheet]
        # A space may be named by its key, so its place in an address is a word.
        below = {
            name: str(shown["id"]) if name == "space" else shown["id"] for name in related.path
        }
        path = {**self.parents, **below}
        query = QueryDict(mutable=True)
        query["page_size"] = str(MOST_RELATED)
        if related.query:
            query[related.query] = str(shown["id"])
            path = {}
        try:
            listed = read_list(sheet, self.viewer, path, query)
        except Forbidden:
            return None
        if related.query and not listed.rows:
            return None
        columns = [name for name in related.columns or sheet.columns if name != related.query]
        table = table_of(listed, list(columns[:MOST_COLUMNS]), self.cells, self.names)
        url = sheet.address(path)
        tail = f"?{related.query}={shown['id']}" if related.query else ""
        new = ways_to_make(sheet, path, self.viewer) if path else []
        return Shelf(related.title, listed, table, f"{url}{tail}", new)

    def _changes(self, key: int) -> list[tuple[AuditEntry, SafeString, SafeString]]:
        """Return the last entries of the audit, when each was, and what it changed."""
        if not self.sheet.kind:
            return []
        rows = seen_of_audit(self.viewer).filter(kind=self.sheet.kind, object_id=key)
        told = [(entry, changes_of(entry)) for entry in rows[:MOST_CHANGES]]
        for _, found in told:
            want_names(self.names, found)
        return [
            (entry, self.cells.time(entry.at.isoformat()), self.cells.changes(found))
            for entry, found in told
        ]

    def _actions(self, shown: Shown) -> list[Action]:
        offered = set(actions_of(self.sheet.route)) if not self.sheet.own_place else set()
        return [
            action
            for action in self.sheet.actions
            if action.name in offered
            and self.door.may_call(action.name)
            and action.is_offered(shown)
        ]


class ActionPage(DetailPage):
    """Asks before something is done to an object; POST does it."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        action, shown = self._action(path), self._shown()
        context = {
            "page": self,
            "sheet": self.sheet,
            "action": action,
            "title": self.called(shown),
            "crumbs": self.crumbs(
                (self.sheet.title, self.list_url()), (self.called(shown), self.object_url())
            ),
            "here": self.object_url(),
        }
        return self.render("web/objects/action.html", context)

    def post(self, request: Any, **path: object) -> HttpResponse:
        action = self._action(path)
        answer = answer_of(self.door, action.name)
        self.raise_for(answer)
        if not answer.is_good:
            self.complain(f"{action.title}: {answer.words}")
        else:
            said = answer.data.get("detail") if isinstance(answer.data, dict) else ""
            self.say(said or f"{action.title}: done.")
        return self.go(self.object_url())

    @property
    def path(self) -> dict[str, Any]:
        return {name: value for name, value in self.kwargs.items() if name != "action"}

    @property
    def parents(self) -> dict[str, Any]:
        return {name: value for name, value in self.path.items() if name != "pk"}

    def _action(self, path: dict[str, object]) -> Action:
        found = {action.name: action for action in self.sheet.actions}.get(str(path["action"]))
        if found is None or found.name not in actions_of(self.sheet.route):
            raise Http404
        self.door.check_permission(found.name)
        return found

    def _shown(self) -> Shown:
        door = self.resource()
        return door.shown(door.find())

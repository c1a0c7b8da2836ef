"""The tree of spaces with what is in each, and the statistics of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse

from openbond.server.api.in_process import answer_of, opened
from openbond.server.api.resource import Shown
from openbond.server.api.v3.spaces import Spaces
from openbond.server.api.v3.statistics import STATISTICS
from openbond.server.errors import Forbidden
from openbond.server.spaces.viewer import Viewer
from openbond.server.web.objects.cells import label
from openbond.server.web.objects.names import kind_and_id

from .base import SheetPage

MOST = 500
COUNTED = ("bonds", "aggregators", "users", "ip_allocations", "qos_profiles")
DEEPEST = 9


@dataclass(frozen=True, slots=True)
class Branch:
    """A space in the tree. `depth` from 0; `is_cut`: what lies below is on a page of its own."""

    shown: Shown
    depth: int
    counts: list[tuple[str, int]]
    is_cut: bool


class TreePage(SheetPage):
    """All spaces in reach as a tree; of large ones, one branch at a time."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        top, viewer = self._top(request.GET.get("at", ""))
        door = opened(Spaces, viewer, handlers={"get": "list_all"})
        door.check_permission("list_all")
        rows = door.rows().order_by("level", "name", "pk")
        is_cut = rows.count() > MOST
        if is_cut:
            rows = rows.filter(level__lte=top.level + 1)
        shown = door.present(rows[:MOST])
        context = {
            "page": self,
            "sheet": self.sheet,
            "title": "Tree of spaces",
            "top": top,
            "branches": list(_branches(shown, top.pk, 0, is_cut=is_cut)),
            "heads": [label(name) for name in COUNTED],
            "is_cut": is_cut,
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
        }
        return self.render("web/objects/tree.html", context)

    def _top(self, at: str) -> tuple[Any, Viewer]:
        if not at:
            return self.space, self.narrow
        if not (at.isascii() and at.isdigit() and len(at) <= 18):
            raise Http404
        space = opened(Spaces, self.viewer).rows().filter(pk=int(at)).first()
        if space is None:
            raise Http404
        return space, self.viewer.narrowed_to(space)


def _branches(shown: list[Shown], top: int, depth: int, *, is_cut: bool) -> Iterator[Branch]:
    """Yield the top and all below it, each under its parent."""
    below: dict[int, list[Shown]] = {}
    first = None
    for space in shown:
        parent = kind_and_id(str(space["parent"]))
        if space["id"] == top:
            first = space
        elif parent is not None:
            below.setdefault(parent[1], []).append(space)
    waiting = [(first, depth)] if first is not None else []
    while waiting:
        space, deep = waiting.pop()
        children = below.get(space["id"], [])
        counts = [(label(name), space["related_object_counts"][name]) for name in COUNTED]
        has_more = space["related_object_counts"]["spaces"] > 0 and not children
        yield Branch(space, min(deep, DEEPEST), counts, is_cut and has_more)
        waiting += [(child, deep + 1) for child in reversed(children)]


@dataclass(frozen=True, slots=True)
class Counts:
    title: str
    lines: list[tuple[str, Any, Any]]


class StatisticsPage(SheetPage):
    """What one space has, alone and with all below it."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        spaces = opened(Spaces, self.viewer, path={"pk": self.kwargs["space"]})
        space = spaces.find()
        context = {
            "page": self,
            "sheet": self.sheet,
            "space": space,
            "title": f"Statistics of {space.name}",
            "counts": [self._counts(name, view) for name, view in STATISTICS.items()],
            "crumbs": self.crumbs(
                (self.sheet.title, "/spaces/"), (space.name, f"/spaces/{space.pk}/")
            ),
        }
        return self.render("web/objects/statistics.html", context)

    def _counts(self, name: str, view: Any) -> Counts:
        answer = answer_of(opened(view, self.viewer, path=self.kwargs), "retrieve")
        if answer.status == 403:
            raise Forbidden
        local, below = answer.data["local"], answer.data["including_child_spaces"]
        lines = []
        for word, value in local.items():
            if isinstance(value, dict):
                lines += [(label(mode), value[mode], below[word][mode]) for mode in value]
            else:
                lines.append((label(word), value, below[word]))
        return Counts(label(name), lines)

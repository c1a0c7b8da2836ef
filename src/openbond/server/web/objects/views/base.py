"""What the pages of every resource have in common."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect

from openbond.server.api.in_process import Answer, opened
from openbond.server.api.resource import Collection, Resource, Shown
from openbond.server.errors import Forbidden
from openbond.server.spaces.viewer import Viewer
from openbond.server.web.objects.cells import Cells
from openbond.server.web.objects.declaring import Sheet, filled
from openbond.server.web.objects.names import Names, site_path
from openbond.server.web.objects.table import BY_ROUTE, SHEETS
from openbond.server.web.page import Page


class SheetPage(Page):
    """A page of the resource that `sheet` declares."""

    sheet: ClassVar[Sheet]

    @property
    def path(self) -> dict[str, Any]:
        """The ids in the address."""
        return dict(self.kwargs)

    @property
    def parents(self) -> dict[str, Any]:
        """The ids of the objects above."""
        return {name: value for name, value in self.kwargs.items() if name != "pk"}

    @cached_property
    def names(self) -> Names:
        return Names(self.viewer)

    @cached_property
    def cells(self) -> Cells:
        return Cells(self.names, zone_of(self.viewer.user.timezone), self.now)

    @cached_property
    def door(self) -> Collection[Any]:
        """The resource, for the object of the address."""
        place = self.sheet.place
        return opened(place.view, self.viewer, handlers=place.of_object, path=self.path)

    def list_url(self) -> str:
        return self.sheet.address(self.parents)

    def object_url(self) -> str:
        return f"{self.list_url()}{self.kwargs['pk']}/"

    def called(self, shown: Shown) -> str:
        return name_of(self.sheet, shown)

    def crumbs(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        """Return words and addresses of what lies above this page."""
        return [*crumbs_of(self.sheet, self.parents, self.names), *more]

    def say(self, words: str) -> None:
        messages.success(self.request, words)

    def complain(self, words: str) -> None:
        messages.error(self.request, words)

    def go(self, url: str) -> HttpResponse:
        return HttpResponseRedirect(url)

    def raise_for(self, answer: Answer) -> None:
        """Raise what makes no form worth showing again: not there, not allowed, busy."""
        if answer.status == 404:
            raise Http404
        if answer.status == 403:
            raise Forbidden(answer.words)


def may_write(door: Collection[Any], handler: str, row: Any = None) -> bool:
    """Report whether the viewer may use a handler; on this very row, if one is given."""
    place_has_it = handler in door.action_map.values()
    if not place_has_it or not isinstance(door, Resource) or not door.may_call(handler):
        return False
    try:
        if row is not None:
            door.check_writable(row)
    except Forbidden:
        return False
    return True


def ways_to_make(sheet: Sheet, path: Mapping[str, object], viewer: Viewer) -> list[tuple[str, str]]:
    """Return what the viewer may make in a list, in a word, and the address of the page for it."""
    address, code = sheet.made_at
    if address:
        return [(sheet.one, filled(address, path))] if viewer.can(code) else []
    made = [SHEETS[key] for key in sheet.makes or (sheet.key,)]
    return [(one.one, f"{one.address(path)}new/") for one in made if may_make(one, viewer)]


def may_make(sheet: Sheet, viewer: Viewer) -> bool:
    place = sheet.place
    door = opened(place.view, viewer, handlers=place.of_list)
    return may_write(door, "create")


def name_of(sheet: Sheet, shown: Shown) -> str:
    """Return what an object is called in headings."""
    name = shown.get(sheet.name)
    return str(name) if name and sheet.name != "id" else f"{sheet.one} {shown['id']}"


def crumbs_of(sheet: Sheet, parents: Mapping[str, object], names: Names) -> list[tuple[str, str]]:
    """Return the lists and objects above a list: Bonds > site-1."""
    found: list[tuple[str, str]] = []
    route = ""
    for word in sheet.route.rstrip("/").split("/"):
        above = BY_ROUTE.get(f"{route}")
        if word.startswith("<") and above is not None:
            key = parents.get(word.rstrip(">").partition(":")[2], "")
            filled = f"/api/v3{above.address(parents)}{key}/"
            found.append((above.title, above.address(parents)))
            found.append((names.of(filled) if str(key).isdigit() else str(key), site_path(filled)))
        route += f"{word}/"
    return found


def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name or "UTC")

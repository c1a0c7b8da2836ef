"""The list of a resource: search, filters, order, pages, columns, CSV, the picker."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from django.http import Http404, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from openbond.server.api.resource import Shown
from openbond.server.spaces.services import choose_columns
from openbond.server.spaces.viewer import Viewer
from openbond.server.web.objects.cells import Cell, Cells, label
from openbond.server.web.objects.declaring import Sheet
from openbond.server.web.objects.filters import FilterInput, called_in_filters, filter_inputs
from openbond.server.web.objects.listing import (
    SIZES,
    Listed,
    choosable,
    chosen,
    fields_of,
    open_list,
    read_list,
)
from openbond.server.web.objects.names import SOURCES, Names, offers, site_path
from openbond.server.web.objects.table import SHEETS
from openbond.server.web.page import Page

from .base import SheetPage, ways_to_make

BOX = (
    '<td class="objects-choose"><input class="form-check-input" type="checkbox" name="pk"'
    ' value="{}" aria-label="Choose {}"></td>'
)
PART = "list"  # the id of what htmx replaces


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column, and the address that orders by it."""

    name: str
    words: str
    url: str = ""
    # "ascending", "descending", or "" where the list is in another order.
    order: str = ""


@dataclass(frozen=True, slots=True)
class TablePart:
    """The heads of a list, and its rows; "" where there are none."""

    heads: list[Head]
    rows: SafeString


class ListPage(SheetPage):
    """A list, or only the part of its page that htmx asks for."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        listed = read_list(self.sheet, self.reader, path, request.GET)
        fields = fields_of(listed.door)
        columns = chosen(self.sheet, self._wanted(), fields)
        may_bulk = bool(self.sheet.bulk) and listed.door.may_call("change")
        context = {
            "page": self,
            "sheet": self.sheet,
            "listed": listed,
            "table": table_of(listed, columns, self.cells, self.names, is_chosen_from=may_bulk),
            "chips": self._chips(listed),
            "filters": filters_of(listed),
            "boxes": column_boxes(self.sheet.key, tuple(columns)),
            "sizes": SIZES,
            "quick": self.sheet.quick,
            "makes": self._makes(),
            "may_bulk": may_bulk,
            "crumbs": self.crumbs(),
            "list_url": self.list_url(),
        }
        is_part = request.headers.get("HX-Target") == PART and (
            "HX-History-Restore-Request" not in request.headers
        )
        template = "web/objects/list_part.html" if is_part else "web/objects/list.html"
        status = 400 if listed.faults else 404 if listed.is_past_the_end else 200
        # htmx shows no answer that is an error: the words are in the part itself.
        response = self.render(template, context, status=200 if is_part else status)
        response["Vary"] = "HX-Request, HX-Target, Cookie"
        if is_part:
            # The address without arguments that ask for nothing.
            response["HX-Push-Url"] = self.list_url() + listed.with_arguments()
        return response

    @property
    def reader(self) -> Viewer:
        """Who reads: below an object everything of it, else what lies in the chosen space."""
        return self.viewer if self.kwargs else self.narrow

    def _wanted(self) -> list[str]:
        return self.viewer.user.list_columns.get(self.sheet.key) or list(self.sheet.columns)

    def _chips(self, listed: Listed) -> list[tuple[str, str]]:
        """Return the filters that are on, and their values in words."""
        called = called_in_filters(listed.active, self.viewer)
        return [(one.label, called.get(one.name, one.shown)) for one in listed.active]

    def _makes(self) -> list[tuple[str, str]]:
        """Return the words and the address of each button that makes one."""
        ways = ways_to_make(self.sheet, self.kwargs, self.viewer)
        return [(f"New {one}", address) for one, address in ways]


class ColumnsPage(SheetPage):
    """Keeps which columns somebody wants to see, wherever he signs in."""

    def post(self, request: Any, **path: object) -> HttpResponse:
        door = open_list(self.sheet, self.viewer, path)
        door.rows()  # a parent out of reach is not there
        wanted = request.POST.getlist("column")
        names = [name for name in choosable(self.sheet, fields_of(door)) if name in wanted]
        kept = [] if "reset" in request.POST else names
        choose_columns(user=self.viewer.user, sheet=self.sheet.key, names=kept)
        query = request.POST.get("query", "")
        return self.go(self.list_url() + (query if query.startswith("?") else ""))


class PickPage(Page):
    """The objects whose names have the words that somebody types, for a field that names one."""

    def get(self, request: Any, kind: str) -> HttpResponseBase:
        if kind not in SOURCES:
            raise Http404
        words = next((value for name, value in request.GET.items() if name != "_"), "")
        found = offers(self.viewer, kind, words[:200])
        return self.render("web/objects/offers.html", {"offers": found})


def table_of(
    listed: Listed,
    columns: list[str],
    cells: Cells,
    names: Names,
    *,
    is_chosen_from: bool = False,
) -> TablePart:
    """Return a list as it is drawn: names of what rows point at are read together."""
    fields = fields_of(listed.door)
    for row in listed.rows:
        for name in columns:
            names.want(row.get(name))
        want_names(names, row.get("changes", []))
    makers = [
        (name, _opening(name), cells.of(name, fields.get(name), in_row=True)) for name in columns
    ]
    rows = format_html_join(
        "",
        "<tr>{}{}</tr>",
        (
            (_box(listed.sheet, row) if is_chosen_from else "", _cells(row, makers))
            for row in listed.rows
        ),
    )
    return TablePart([_head(listed, name) for name in columns], rows)


def filters_of(listed: Listed) -> SafeString:
    """Return the inputs of the filters; as long as none is on, they are always the same."""
    if listed.active or listed.faults:
        return _filters(listed.inputs)
    return _idle_filters(listed.sheet.key)


@cache
def _idle_filters(key: str) -> SafeString:
    listing = SHEETS[key].place.view.listing
    return _filters(filter_inputs(listing, QueryDict(), {}))


def _filters(inputs: list[FilterInput]) -> SafeString:
    return render_to_string("web/objects/filters.html", {"inputs": inputs})


@lru_cache(maxsize=256)
def column_boxes(key: str, columns: tuple[str, ...]) -> SafeString:
    """Return a box for each column that a list may show, those of `columns` ticked."""
    sheet = SHEETS[key]
    names = choosable(sheet, fields_of(sheet.place.view))
    boxes = [(name, label(name), name in columns) for name in names]
    return render_to_string("web/objects/columns.html", {"choosable": boxes})


def want_names(names: Names, changes: list[Shown]) -> None:
    """Note the objects that changes of the audit name."""
    for change in changes:
        names.want(change["before"])
        names.want(change["after"])


def _opening(name: str) -> SafeString:
    """Return the beginning of a cell; phones show its words beside the value."""
    return format_html('<td class="of-{}" data-label="{}"><div>', name, label(name))


def _cells(row: Shown, makers: list[tuple[str, SafeString, Cell]]) -> SafeString:
    """Return the cells of a row: by hand, for a template takes five times as long."""
    made = [(opening, make(row.get(name))) for name, opening, make in makers]
    if row.get("url") and "<a " not in made[0][1]:
        link = format_html('<a class="row" href="{}">{}</a>', site_path(row["url"]), made[0][1])
        made[0] = made[0][0], link
    return format_html_join("", "{}{}</div></td>", made)


def _box(sheet: Sheet, row: Shown) -> SafeString:
    return format_html(BOX, row["id"], _name(sheet, row))


def _name(sheet: Sheet, row: Shown) -> str:
    return str(row.get(sheet.name) or row["id"])


def _head(listed: Listed, name: str) -> Head:
    if name not in listed.listing.ordering:
        return Head(name, label(name))
    now = listed.ordering.partition(",")[0].strip()
    if now == name:
        return Head(name, label(name), listed.with_arguments(ordering=f"-{name}"), "ascending")
    order = "descending" if now == f"-{name}" else ""
    return Head(name, label(name), listed.with_arguments(ordering=name), order)

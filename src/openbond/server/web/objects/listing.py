"""One page of a list: what was asked, the rows, and what may be asked next.

Filters, search, order and pages are those of the API, under the same names; only a relation may be
named by name, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from openbond.server.api.body import Body
from openbond.server.api.fields import AnyField
from openbond.server.api.in_process import Place, opened
from openbond.server.api.lists import PAGE_SIZE, Listing, page_asked_for
from openbond.server.api.refusals import InvalidPage
from openbond.server.api.resource import Collection, Shown
from openbond.server.spaces.viewer import Viewer

from .declaring import Sheet, Words
from .filters import FilterInput, filter_inputs, resolved

SIZES = (25, 50, 100, 250)
MOST_ON_A_PAGE = 250
WHOLE = "non_field_errors"


@dataclass(slots=True)
class Listed:
    """A page of rows, as the API shows them. `faults`: what is wrong with which argument."""

    sheet: Sheet
    door: Collection[Any]
    query: QueryDict
    rows: list[Shown] = field(default_factory=list)
    count: int = 0
    number: int = 1
    size: int = PAGE_SIZE
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_past_the_end: bool = False
    inputs: list[FilterInput] = field(default_factory=list)

    @property
    def listing(self) -> Listing:
        return self.door.listing

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // self.size))

    @property
    def first(self) -> int:
        return (self.number - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def is_narrowed(self) -> bool:
        """Report whether a filter or a search leaves something out."""
        return bool(self.query.get("search", "").strip()) or any(each.value for each in self.inputs)

    @property
    def active(self) -> list[FilterInput]:
        return [each for each in self.inputs if each.value]

    @property
    def ordering(self) -> str:
        return self.query.get("ordering", "") or self.sheet.order

    def with_arguments(self, **changes: object) -> str:
        """Return this list's query with some arguments changed; None and "" take one away."""
        query = self.query.copy()
        if changes.keys() - {"page"}:
            query.pop("page", None)
        for name, value in changes.items():
            if value in (None, ""):
                query.pop(name, None)
            else:
                query[name] = str(value)
        for name in [name for name in query if not query[name]]:
            del query[name]
        return f"?{query.urlencode()}"


def open_list(sheet: Sheet, viewer: Viewer, path: Mapping[str, object]) -> Collection[Any]:
    """Return the collection, ready to be read. Raises Forbidden and RootSpaceOnly."""
    place: Place = sheet.place
    door = opened(place.view, viewer, handlers=place.of_list, path=path)
    door.check_permission("list_all")
    return door


def read_list(sheet: Sheet, viewer: Viewer, path: Mapping[str, object], query: QueryDict) -> Listed:
    """Return the page that `query` asks for. Raises Forbidden, Http404 for a parent out of reach.

    Arguments that cannot be read are told beside their inputs, and no rows are shown.
    """
    door = open_list(sheet, viewer, path)
    asked, faults = resolved(door.listing, query, viewer)
    listed = Listed(sheet=sheet, door=door, query=query)
    listed.inputs = filter_inputs(door.listing, query, faults)
    if faults:
        listed.faults = faults
        door.rows()
        return listed
    _fill(listed, asked)
    return listed


def _fill(listed: Listed, asked: QueryDict) -> None:
    door = listed.door
    try:
        rows = narrowed(door, listed.sheet, asked)
        page = page_asked_for(_with_page(asked))
        listed.count = rows.count()
        if page is None:
            return
        listed.number, listed.size = page.number, page.size
        listed.rows = door.present(rows[page.of(listed.count)])
    except ValidationError as fault:
        listed.faults = _by_name(fault)
        listed.inputs = filter_inputs(door.listing, listed.query, listed.faults)
    except InvalidPage:
        listed.is_past_the_end = True


def narrowed(door: Collection[Any], sheet: Sheet, asked: QueryDict) -> Any:
    """Return the rows that the arguments ask for, in the list's usual order if they name none."""
    if not asked.get("ordering") and sheet.order:
        asked = asked.copy()
        asked["ordering"] = sheet.order
    return door.listing.narrow(door.rows(), asked, door.derived)


def _with_page(asked: QueryDict) -> QueryDict:
    query = asked.copy()
    query.setdefault("page", "1")
    size = query.get("page_size", "")
    if size.isdigit() and int(size[:9]) > MOST_ON_A_PAGE:
        query["page_size"] = str(MOST_ON_A_PAGE)
    return query


def _by_name(fault: ValidationError) -> dict[str, list[str]]:
    detail = fault.detail
    if isinstance(detail, dict):
        return {name: [str(text) for text in texts] for name, texts in detail.items()}
    return {WHOLE: [str(text) for text in detail]}


def fields_of(door: Collection[Any] | type[Collection[Any]]) -> dict[str, AnyField]:
    """Return the fields of a resource by name, to be looked at only."""
    return _fields(door.body)


@cache
def _fields(body: type[Body]) -> dict[str, AnyField]:
    return dict(body().fields)


def choosable(sheet: Sheet, fields: Mapping[str, AnyField]) -> list[str]:
    """Return the names of the columns that a list may show."""
    hidden = sheet.left_out | {"url", "password", "before", "after"}
    names = [name for name, one in fields.items() if name not in hidden and not one.write_only]
    return [*sheet.columns, *(name for name in names if name not in sheet.columns)]


def chosen(sheet: Sheet, wanted: Words | list[str], fields: Mapping[str, AnyField]) -> list[str]:
    """Return the columns to show: those wanted that there are, or the usual ones."""
    there = choosable(sheet, fields)
    return [name for name in there if name in wanted] or list(sheet.columns)

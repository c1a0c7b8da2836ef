"""The addresses of the pages of every resource: those of the API, without /api/v3."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, path
from django.views import View

from openbond.server.api.in_process import ITEMS
from openbond.server.api.resource import ReadOnlyResource

from .declaring import Sheet
from .table import SHEETS
from .views.bulk import BulkPage
from .views.details import ActionPage, DetailPage
from .views.edits import DeletePage, EditPage, NewPage
from .views.exports import ExportPage
from .views.imports import ImportPage
from .views.lists import ColumnsPage, ListPage, PickPage
from .views.reverts import EntryPage, RevertPage
from .views.spaces import StatisticsPage, TreePage


def of(view: type[View], sheet: Sheet) -> Any:
    """Return the function of a page of one resource."""
    page: type[View] = type(view.__name__, (view,), {"sheet": sheet, "__doc__": view.__doc__})
    return page.as_view()


def pages_of(sheet: Sheet) -> Iterator[URLPattern]:
    """Yield the pages of a resource; words stand before ids, because keys of spaces are words."""
    route, key = sheet.route, sheet.key
    place = sheet.place
    yield path(route, of(ListPage, sheet), name=key)
    yield path(f"{route}columns/", of(ColumnsPage, sheet), name=f"{key}.columns")
    yield path(f"{route}list.csv", of(ExportPage, sheet), name=f"{key}.csv")
    if sheet.bulk:
        yield path(f"{route}bulk/", of(BulkPage, sheet), name=f"{key}.bulk")
    if place.of_list.get("post") == "create" and not sheet.made_at[0]:
        yield path(f"{route}new/", of(NewPage, sheet), name=f"{key}.new")
    one = f"{route}{_item(sheet)}"
    if issubclass(place.view, ReadOnlyResource):
        yield path(one, of(DetailPage, sheet), name=f"{key}.one")
    if "patch" in place.of_object:
        yield path(f"{one}edit/", of(EditPage, sheet), name=f"{key}.edit")
    if "delete" in place.of_object:
        yield path(f"{one}delete/", of(DeletePage, sheet), name=f"{key}.delete")
    if sheet.actions:
        yield path(f"{one}do/<str:action>/", of(ActionPage, sheet), name=f"{key}.do")


def _item(sheet: Sheet) -> str:
    return ITEMS[1] if sheet.route == "spaces/" else ITEMS[0]


SPECIAL = [
    path("pick/<str:kind>/", PickPage.as_view(), name="pick"),
    path("bonds/import/", of(ImportPage, SHEETS["bonds"]), name="bonds.import"),
    path("spaces/tree/", of(TreePage, SHEETS["spaces"]), name="spaces.tree"),
    path(
        "spaces/<space:space>/statistics/",
        of(StatisticsPage, SHEETS["spaces"]),
        name="spaces.statistics",
    ),
    path("audit/<id:pk>/", of(EntryPage, SHEETS["audit"]), name="audit.one"),
    path("audit/<id:pk>/revert/", of(RevertPage, SHEETS["audit"]), name="audit.revert"),
]
urlpatterns = [*SPECIAL, *(each for sheet in SHEETS.values() for each in pages_of(sheet))]

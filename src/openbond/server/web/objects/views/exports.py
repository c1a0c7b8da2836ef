"""A list as CSV: all rows of the filter, in parts, so that 10,000 never stand in memory."""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from openbond.server.api.resource import PART, Collection
from openbond.server.web.objects.filters import resolved
from openbond.server.web.objects.listing import choosable, fields_of, narrowed, open_list

from .lists import ListPage

# A spreadsheet takes a cell that begins so for a formula, and runs it.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class ExportPage(ListPage):
    """The rows of a list as a file."""

    def get(self, request: Any, **path: object) -> HttpResponseBase:  # type: ignore[override]
        door = open_list(self.sheet, self.reader, path)
        asked, faults = resolved(door.listing, request.GET, self.viewer)
        if faults:
            return HttpResponse(
                "\n".join(text for texts in faults.values() for text in texts),
                status=400,
                content_type="text/plain; charset=utf-8",
            )
        rows = narrowed(door, self.sheet, asked)
        columns = ["id", *(name for name in choosable(self.sheet, fields_of(door)) if name != "id")]
        parts = _parts(door, rows, columns)
        name = self.sheet.key
        return StreamingHttpResponse(
            _asynchronous(parts) if isinstance(request, ASGIRequest) else parts,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        )


def _parts(door: Collection[Any], rows: Any, columns: list[str]) -> Iterator[str]:
    yield _text([columns])
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), PART):
        part = rows.filter(pk__in=keys[start : start + PART])
        yield _text([[plain(row.get(name)) for name in columns] for row in door.present(part)])


async def _asynchronous(parts: Iterator[str]) -> AsyncIterator[str]:
    def following() -> str:
        return next(parts, "")

    while (text := await sync_to_async(following)()) != "":
        yield text


def _text(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def plain(value: object) -> str:
    """Return a value as a cell of a spreadsheet: never a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return _harmless(str(value.get("name") or "; ".join(f"{k}={v}" for k, v in value.items())))
    if isinstance(value, list):
        return _harmless("; ".join(_of_list(each) for each in value))
    return _harmless(str(value))


def _of_list(value: object) -> str:
    if isinstance(value, Mapping):
        words = (value.get(name) for name in ("interface", "state", "alarm", "name", "ip"))
        return " ".join(str(word) for word in words if word)
    return str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text

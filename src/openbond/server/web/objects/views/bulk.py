"""The same change to many rows of a list: all of them, or none."""

from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.http import HttpResponse, QueryDict

from openbond.server.api.in_process import Answer, answer_of, opened, path_of, place_of
from openbond.server.api.resource import Shown
from openbond.server.errors import Forbidden
from openbond.server.web.objects.inputs import (
    Input,
    input_of,
    nested,
    sent_value,
    typed_in,
    with_choices,
    with_faults,
)
from openbond.server.web.objects.listing import fields_of, open_list

from .base import SheetPage, name_of

MOST = 500
WHICH = "change"
NONE = "Choose at least one row."
TOO_MANY = f"Choose at most {MOST} rows."
NOTHING = "Tick what is to be changed."
GONE = "It is not there any more."


@dataclass(frozen=True, slots=True)
class Row:
    """One of the rows to change; `fault`: why it cannot be."""

    key: int
    name: str
    url: str
    fault: str = ""


class BulkPage(SheetPage):
    """Which fields are to be changed, and to what; then the change."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        return self.go(self.list_url())

    def post(self, request: Any, **path: object) -> HttpResponse:
        rows, fault = self._rows(request.POST)
        if fault:
            self.complain(fault)
            return self.go(self.list_url())
        inputs = self._inputs(request.POST)
        if "apply" not in request.POST:
            return self.show(rows, inputs, frozenset())
        wanted = frozenset(request.POST.getlist(WHICH)) & frozenset(self.sheet.bulk)
        return self._apply(rows, inputs, wanted)

    def _apply(self, rows: list[Row], inputs: list[Input], wanted: frozenset[str]) -> HttpResponse:
        if not wanted:
            return self.show(rows, inputs, wanted, NOTHING)
        body, faults = self._body([one for one in inputs if one.name in wanted])
        if faults:
            inputs = [with_faults(one, faults) for one in inputs]
            return self.show(rows, inputs, wanted)
        with transaction.atomic():
            tried = [replace(row, fault=row.fault or self._change(row, body)) for row in rows]
            is_good = not any(row.fault for row in tried)
            if not is_good:
                transaction.set_rollback(True)
        if not is_good:
            return self.show(tried, inputs, wanted, "Nothing was changed: see what is wrong below.")
        count = len(tried)
        self.say(f"{count} {self.sheet.one if count == 1 else self.sheet.title} changed.")
        return self.go(self.list_url())

    def show(
        self, rows: list[Row], inputs: list[Input], wanted: frozenset[str], fault: str = ""
    ) -> HttpResponse:
        is_faulty = bool(fault) or any(one.faults for one in inputs)
        context = {
            "page": self,
            "sheet": self.sheet,
            "title": f"Change {len(rows)} {self.sheet.title}",
            "rows": sorted(rows, key=lambda row: not row.fault),
            "inputs": inputs,
            "wanted": wanted,
            "fault": fault,
            "back": self.list_url(),
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
        }
        return self.render("web/objects/bulk.html", context, status=400 if is_faulty else 200)

    def _rows(self, form: QueryDict) -> tuple[list[Row], str]:
        """Return the chosen rows in reach, and in words why they cannot be taken."""
        door = open_list(self.sheet, self.viewer, self.path)
        if not self.sheet.bulk or not door.may_call("change"):
            raise Forbidden
        keys = list(dict.fromkeys(int(pk) for pk in form.getlist("pk") if _is_id(pk)))
        if not keys:
            return [], NONE
        if len(keys) > MOST:
            return [], TOO_MANY
        shown: dict[int, Shown] = {
            row["id"]: row for row in door.present(door.rows().filter(pk__in=keys).order_by("pk"))
        }
        return [self._row(key, shown.get(key)) for key in keys], ""

    def _row(self, key: int, shown: Shown | None) -> Row:
        if shown is None:
            return Row(key, f"{self.sheet.one} #{key}", "", GONE)
        return Row(key, name_of(self.sheet, shown), shown["url"])

    def _inputs(self, form: QueryDict) -> list[Input]:
        door = open_list(self.sheet, self.viewer, self.path)
        fields = fields_of(door)
        found = []
        for name in self.sheet.bulk:
            one = input_of(name, fields[name], self.sheet, is_new=False, is_fixed=False)
            typed = typed_in(one, form) if "apply" in form else ([] if one.kind == "many" else "")
            found.append(with_choices(replace(one, typed=typed, is_required=False), self.viewer))
        return found

    def _body(self, inputs: list[Input]) -> tuple[dict[str, Any], dict[str, list[str]]]:
        flat: dict[str, object] = {}
        faults = {}
        for one in inputs:
            flat[one.name], fault = sent_value(one, self.viewer)
            if fault:
                faults[one.name] = [fault]
        return nested(flat), faults

    def _change(self, row: Row, body: dict[str, Any]) -> str:
        """Change one row at its own address; return why not, in words."""
        answer = written(row.url, body, self.viewer)
        return "" if answer.is_good else answer.words


def written(url: str, body: dict[str, Any], viewer: Any) -> Answer:
    """Change the object at an address of the API, as PATCH does."""
    route, path = path_of(url)
    place = place_of(route.rpartition("<")[0])
    door = opened(place.view, viewer, handlers=place.of_object, path=path, sent=body)
    return answer_of(door, "change")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18

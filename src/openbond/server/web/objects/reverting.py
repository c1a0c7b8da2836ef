"""Taking a change back: what an entry of the audit says was there before, written anew.

It is an ordinary change of the object, through the same form, checks and ETag; the audit tells of
it as of any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404

from openbond.server.api.in_process import path_of
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.changes import HIDDEN
from openbond.server.system.models import AuditEntry

from .cells import label
from .declaring import Sheet
from .forms import Form, edit_form
from .inputs import Input
from .listing import open_list
from .names import called, names_of
from .table import BY_ROUTE
from .trail import KINDS, seen_of_audit
from .units import FIELDS, Unit, number, same


@dataclass(frozen=True, slots=True)
class Undone:
    """One value of a change: before it, after it, and now. `input`: with what was before."""

    name: str
    label: str
    before: str
    after: str
    now: str
    input: Input | None

    @property
    def is_changed_since(self) -> bool:
        return self.now != self.after

    @property
    def is_possible(self) -> bool:
        return self.input is not None and not self.is_there

    @property
    def is_there(self) -> bool:
        """Report whether what was before is there again already."""
        return self.now == self.before


@dataclass(frozen=True, slots=True)
class Revert:
    """A change and the object that it was made to."""

    entry: AuditEntry
    sheet: Sheet
    path: Mapping[str, object]
    form: Form
    values: list[Undone]


def is_revertible(entry: AuditEntry) -> bool:
    """Report whether an entry is a change of values of an object that has a page."""
    return entry.action == "update" and bool(entry.before) and bool(KINDS.get(entry.kind, ("",))[0])


def revert_of(viewer: Viewer, key: int) -> Revert:
    """Return what taking back an entry of the audit would do.

    Raises Http404 if the entry or its object is not there or not in reach, Forbidden where the
    viewer may not change it.
    """
    entry = seen_of_audit(viewer).filter(pk=key).first()
    if entry is None or not is_revertible(entry):
        raise Http404
    route, path = path_of(_address(viewer, entry))
    sheet = BY_ROUTE[route.rpartition("<")[0]]
    form, _ = edit_form(sheet, viewer, path)
    values = [_undone(name, entry, form, viewer) for name in entry.before]
    return Revert(entry, sheet, path, form, values)


def _address(viewer: Viewer, entry: AuditEntry) -> str:
    kept = BY_ROUTE[f"{KINDS[entry.kind][0]}/"]
    door = open_list(kept, viewer, {})
    found = door.present(door.rows().filter(pk=entry.object_id))
    if not found:
        raise Http404
    url: str = found[0]["url"]
    return url


def _undone(column: str, entry: AuditEntry, form: Form, viewer: Viewer) -> Undone:
    name, unit = FIELDS.get(column, (column, same))
    before, after = entry.before[column], entry.after.get(column)
    one = {each.name: each for each in form.inputs}.get(name)
    if one is None or one.is_fixed or HIDDEN in (before, after) or isinstance(before, list | dict):
        return Undone(name, label(name), _text(before), _text(after), _text(after), None)
    typed_before, typed_after = (_typed(one, value, unit, viewer) for value in (before, after))
    past, then = replace(one, typed=typed_before), replace(one, typed=typed_after)
    return Undone(name, label(name), past.in_words, then.in_words, one.in_words, past)


def _typed(one: Input, value: Any, unit: Unit, viewer: Viewer) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if one.kind == "relation":
        name = names_of(viewer, one.source, [int(value)]).get(int(value))
        return called(name, int(value)) if name else f"#{value}"
    return number(unit(value))


def _text(value: object) -> str:
    return "" if value is None else str(value)

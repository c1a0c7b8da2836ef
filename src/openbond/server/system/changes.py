"""Writes values to a row and tells what changed, so that audit and config updates follow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from inspect import getattr_static

from django.db.models import Field, Model

from .columns import AddressKeyField
from .secrets import Secret

# What an audit entry shows in place of a secret.
HIDDEN = "(secret)"


@dataclass(frozen=True, slots=True)
class Change:
    """The values before and after, by name, of what really changed; secrets hidden."""

    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.after)

    def __add__(self, other: "Change") -> "Change":
        return Change(before=self.before | other.before, after=self.after | other.after)

    def touches(self, names: Iterable[str]) -> bool:
        """Report whether any of `names` changed."""
        return not self.after.keys().isdisjoint(names)


def change_row(row: Model, values: Mapping[str, object], *, now: datetime) -> Change:
    """Set `values` on `row` and save the columns that differ, with `modified`.

    Nothing differs: nothing is written. Relations are given as rows or None.
    """
    changed = {name: value for name, value in values.items() if _value(row, name) != _plain(value)}
    if not changed:
        return Change()
    before = {name: _shown(row, name) for name in changed}
    for name, value in changed.items():
        setattr(row, name, value)
    columns = {column for name in changed for column in _columns(row, name)}
    if hasattr(row, "modified"):
        row.modified = now
        columns.add("modified")
    row.save(update_fields=columns)
    return Change(before=before, after={name: _shown(row, name) for name in changed})


def shown_values(row: Model, names: Iterable[str]) -> dict[str, object]:
    """Return what an audit entry shows of `names`."""
    return {name: _shown(row, name) for name in names}


def _value(row: Model, name: str) -> object:
    found = _field(row, name)
    return getattr(row, found.attname if found else name)


def _plain(value: object) -> object:
    return value.pk if isinstance(value, Model) else value


def _shown(row: Model, name: str) -> object:
    if _secret(row, name):
        return HIDDEN
    value = _value(row, name)
    return value if isinstance(value, bool | int | str | list | dict | None) else str(value)


def _columns(row: Model, name: str) -> list[str]:
    secret = _secret(row, name)
    if secret:
        return [secret.column]
    keys = [
        column.name
        for column in row._meta.get_fields()
        if isinstance(column, AddressKeyField) and column.source == name
    ]
    return [name, *keys]


def _secret(row: Model, name: str) -> Secret | None:
    found = getattr_static(type(row), name)
    return found if isinstance(found, Secret) else None


def _field(row: Model, name: str) -> "Field[object, object] | None":
    if _secret(row, name):
        return None
    found = row._meta.get_field(name)
    return found if isinstance(found, Field) else None

"""What is typed into the editor of a QoS profile: read, moved about, and made into values.

Rows keep a key of their own while they are edited, so a filter goes on naming its class whatever
that is called by now.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from openbond.server.api.fields import Text
from openbond.server.qos.rules import (
    DEFAULT_CLASSES,
    DEFAULT_FILTERS,
    MAX_CLASSES,
    MAX_FILTERS,
    MAX_NAME,
    ClassSpec,
    FilterSpec,
)

WHOLE_NUMBER = "Give a whole number."
MARGIN = "Give 0 to 50, with one decimal at most."
CHOOSE_CLASS = "Choose a class."
NUMBERS = (
    "dscp",
    "min_packet_size",
    "max_packet_size",
    "min_flow_size",
    "max_flow_size",
    "max_packet_rate",
)
WORDS = ("name", "ip_version", "protocol", "ports", "network")
OF_FILTER = re.compile(r"Filter ([0-9]+)")
MARGIN_TYPED = re.compile(r"[0-9]{1,2}([.][0-9])?")
DIGITS = 15

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class ClassRow:
    key: str = ""
    name: str = ""
    bandwidth: str = ""
    copies: str = "1"
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilterRow:
    """`target`: the key of its class."""

    key: str = ""
    name: str = ""
    target: str = ""
    ip_version: str = "any"
    protocol: str = "any"
    ports: str = ""
    network: str = ""
    dscp: str = ""
    min_packet_size: str = ""
    max_packet_size: str = ""
    min_flow_size: str = ""
    max_flow_size: str = ""
    max_packet_rate: str = ""
    tcp_ack: str = ""
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def has_more(self) -> bool:
        """Report whether conditions are set that stand folded away."""
        rare = (self.ip_version != "any", self.tcp_ack, *(getattr(self, one) for one in NUMBERS))
        return any(rare) or bool(self.faults)


@dataclass(frozen=True, slots=True)
class Editor:
    """All that is typed. `default`: the key of the class that takes the rest; `opened`: which
    state of the profile it began from; `faults`: of what is no row's.
    """

    name: str = ""
    margin: str = "5"
    default: str = ""
    opened: str = ""
    classes: tuple[ClassRow, ...] = ()
    filters: tuple[FilterRow, ...] = ()
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        classes: Sequence[ClassSpec] = DEFAULT_CLASSES,
        filters: Sequence[FilterSpec] = DEFAULT_FILTERS,
        *,
        name: str = "",
        margin_permille: int = 50,
        opened: str = "",
    ) -> "Editor":
        """Return the editor of a profile as it is kept."""
        keys = {one.name.lower(): f"c{number}" for number, one in enumerate(classes)}
        default = next((keys[one.name.lower()] for one in classes if one.is_default), "")
        return cls(
            name=name,
            margin=f"{margin_permille / 10:g}",
            default=default,
            opened=opened,
            classes=tuple(
                ClassRow(keys[one.name.lower()], one.name, str(one.bandwidth), str(one.copies))
                for one in classes
            ),
            filters=tuple(
                _filter_row(f"f{number}", one, keys[one.target.lower()])
                for number, one in enumerate(filters)
            ),
        )

    @classmethod
    def sent(cls, form: QueryDict) -> "Editor":
        return cls(
            name=form.get("name", "").strip(),
            margin=form.get("overhead_margin", "").strip(),
            default=form.get("default", ""),
            opened=form.get("opened", ""),
            classes=tuple(_rows(ClassRow, "class", form, MAX_CLASSES)),
            filters=tuple(_rows(FilterRow, "filter", form, MAX_FILTERS)),
        )

    @property
    def total(self) -> int:
        """The sum of the shares, in percent; what is no number counts as 0."""
        return sum(int(row.bandwidth) for row in self.classes if _is_number(row.bandwidth))

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(row.key, row.name or f"class {at}") for at, row in enumerate(self.classes, 1)]

    @property
    def is_faulty(self) -> bool:
        return (
            bool(self.faults)
            or any(row.faults for row in self.classes)
            or any(row.faults for row in self.filters)
        )

    def done(self, what: str) -> "Editor":
        """Return the editor after a button: `add-class`, `up-filter-2`, `remove-class-0` …"""
        verb, _, rest = what.partition("-")
        kind, _, place = rest.partition("-")
        if kind == "class":
            return replace(self, classes=_moved(self.classes, verb, place, self._new_class))
        if kind == "filter":
            return replace(self, filters=_moved(self.filters, verb, place, self._new_filter))
        return self

    def _new_class(self) -> ClassRow:
        return ClassRow(_free("c", self.classes))

    def _new_filter(self) -> FilterRow:
        return FilterRow(_free("f", self.filters), target=self.default)

    def specs(self) -> "tuple[Editor, tuple[ClassSpec, ...], tuple[FilterSpec, ...], int]":
        """Return the values, and the editor with what cannot be read as one beside it."""
        faults = _faults_of_name(self.name, is_needed=True)
        margin = _permille(self.margin)
        wrong: dict[str, Sequence[str]] = {"name": faults} if faults else {}
        if margin is None:
            wrong["overhead_margin"] = [MARGIN]
        names = {row.key: row.name for row in self.classes}
        checked = replace(
            self,
            faults=wrong,
            classes=tuple(replace(row, faults=_faults_of_class(row)) for row in self.classes),
            filters=tuple(replace(row, faults=_unread(row, names)) for row in self.filters),
        )
        if checked.is_faulty:
            return checked, (), (), 0
        classes = tuple(
            ClassSpec(row.name, int(row.bandwidth), row.key == self.default, int(row.copies))
            for row in self.classes
        )
        filters = tuple(_spec(row, names[row.target]) for row in self.filters)
        return checked, classes, filters, margin or 0

    def refused(self, faults: Mapping[str, Sequence[str]]) -> "Editor":
        """Return the editor with what the rules refuse beside what it is about."""
        of_rows: dict[int, list[str]] = {}
        rest: list[str] = []
        for text in faults.get("filters", []):
            found = OF_FILTER.match(text)
            of_rows.setdefault(int(found[1]), []).append(text) if found else rest.append(text)
        of_classes = {
            row.key: [text for text in faults.get("classes", []) if f"{row.name!r}" in text]
            for row in self.classes
        }
        placed = {text for texts in of_classes.values() for text in texts}
        whole = [text for text in faults.get("classes", []) if text not in placed]
        others = {
            name: texts for name, texts in faults.items() if name not in ("classes", "filters")
        }
        return replace(
            self,
            faults={
                **others,
                **({"classes": whole} if whole else {}),
                **({"filters": rest} if rest else {}),
            },
            classes=tuple(
                replace(row, faults={"row": of_classes[row.key]} if of_classes[row.key] else {})
                for row in self.classes
            ),
            filters=tuple(
                replace(row, faults={"row": of_rows[at]} if at in of_rows else {})
                for at, row in enumerate(self.filters, 1)
            ),
        )


def _rows(kind: Callable[..., R], word: str, form: QueryDict, most: int) -> Iterable[R]:
    """Yield the rows that were sent, in their order; one more than allowed, to be refused."""
    names = [one.name for one in fields(ClassRow if word == "class" else FilterRow)]
    for number in range(most + 1):
        if f"{word}-{number}-key" not in form:
            return
        at = f"{word}-{number}-"
        yield kind(**{name: form.get(at + name, "").strip() for name in names if name != "faults"})


def _moved(rows: tuple[R, ...], verb: str, place: str, new: Callable[[], R]) -> tuple[R, ...]:
    if verb == "add":
        return (*rows, new())
    at = int(place) if _is_number(place) else len(rows)
    if at >= len(rows):
        return rows
    others = [*rows[:at], *rows[at + 1 :]]
    if verb in ("up", "down"):
        others.insert(max(0, at - 1) if verb == "up" else at + 1, rows[at])
    return tuple(others)


def _free(letter: str, rows: Sequence[ClassRow] | Sequence[FilterRow]) -> str:
    taken = {row.key for row in rows}
    return next(f"{letter}{at}" for at in range(len(rows) + 1) if f"{letter}{at}" not in taken)


def _filter_row(key: str, one: FilterSpec, target: str) -> FilterRow:
    typed = {name: getattr(one, name) for name in (*WORDS, *NUMBERS)}
    row = FilterRow(key=key, target=target, tcp_ack="true" if one.tcp_ack else "")
    shown: dict[str, Any] = {  # texts, by the name of their field
        name: "" if value is None else str(value) for name, value in typed.items()
    }
    return replace(row, **shown)


def _spec(row: FilterRow, target: str) -> FilterSpec:
    numbers = {name: int(getattr(row, name)) if getattr(row, name) else None for name in NUMBERS}
    return FilterSpec(
        target=target,
        name=row.name,
        ip_version=row.ip_version or "any",
        protocol=row.protocol or "any",
        ports=row.ports.replace(" ", ""),
        network=row.network or None,
        tcp_ack=bool(row.tcp_ack),
        **numbers,
    )


def _faults_of_class(row: ClassRow) -> dict[str, list[str]]:
    faults = {
        name: [WHOLE_NUMBER]
        for name in ("bandwidth", "copies")
        if not _is_number(getattr(row, name))
    }
    found = _faults_of_name(row.name, is_needed=True)
    return {**faults, "name": found} if found else faults


def _unread(row: FilterRow, names: Mapping[str, str]) -> dict[str, list[str]]:
    faults = {
        name: [WHOLE_NUMBER]
        for name in NUMBERS
        if getattr(row, name) and not _is_number(getattr(row, name))
    }
    if row.target not in names:
        faults["target"] = [CHOOSE_CLASS]
    found = _faults_of_name(row.name, is_needed=False)
    return {**faults, "name": found} if found else faults


def _faults_of_name(name: str, *, is_needed: bool) -> list[str]:
    try:
        Text(MAX_NAME, blank=not is_needed).run_validation(name)
    except ValidationError as error:
        found = error.detail
        return [str(text) for text in found] if isinstance(found, list) else [str(found)]
    return []


def _permille(typed: str) -> int | None:
    if not MARGIN_TYPED.fullmatch(typed) or float(typed) > 50:
        return None
    return round(float(typed) * 10)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS

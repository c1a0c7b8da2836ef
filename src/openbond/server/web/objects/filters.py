"""The inputs above a list: one for each filter of the API, of the kind that its values are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from openbond.server.api.lists import FLAG, WHOLE, Filter, Listing
from openbond.server.spaces.viewer import Viewer

from .cells import label
from .names import SOURCES, id_from, kind_and_id, names_of

NULL = "null"


@dataclass(frozen=True, slots=True)
class FilterInput:
    """One filter: its name in the address, and what is typed or chosen there now."""

    name: str
    label: str
    kind: str  # choice, flag, relation, number or text
    value: str
    choices: tuple[str, ...] = ()
    # Of a relation: what kind of objects are offered.
    source: str = ""
    faults: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """What the active filter is called: the value in words."""
        if self.value == NULL:
            return "none"
        return {"true": "yes", "false": "no"}.get(self.value, self.value)


def filter_inputs(
    listing: Listing, query: QueryDict, faults: Mapping[str, Sequence[str]]
) -> list[FilterInput]:
    """Return the inputs of a list, filled with what was asked."""
    return [
        _input(name, rule, query.get(name, "").strip(), tuple(faults.get(name, ())))
        for name, rule in listing.filters.items()
    ]


def resolved(
    listing: Listing, query: QueryDict, viewer: Viewer
) -> tuple[QueryDict, dict[str, list[str]]]:
    """Return the arguments as the API takes them, names turned to ids; and what names nothing."""
    faults: dict[str, list[str]] = {}
    asked = query
    for name, rule in listing.filters.items():
        typed = query.get(name, "").strip()
        if not typed or typed == NULL or source_of(rule) not in SOURCES:
            continue
        found = named(viewer, source_of(rule), typed)
        if isinstance(found, str):
            faults[name] = [found]
            continue
        asked = asked.copy() if asked is query else asked
        asked[name] = str(found)
    return asked, faults


def named(viewer: Viewer, source: str, typed: str) -> int | str:
    """Return the id that a word, a choice or an address names; in words why it names none."""
    address = kind_and_id(typed)
    return address[1] if address else id_from(viewer, source, typed)


def source_of(rule: Filter) -> str:
    """Return the kind of objects that a filter names; "" if it is no relation."""
    return "legs" if "legs" in rule.path else rule.path


def called_in_filters(inputs: Sequence[FilterInput], viewer: Viewer) -> dict[str, str]:
    """Return what the objects that active filters name by bare ids are called, by filter."""
    found = {}
    for each in inputs:
        if each.kind == "relation" and each.value.isdigit():
            name = names_of(viewer, each.source, [int(each.value[:18])]).get(int(each.value[:18]))
            if name:
                found[each.name] = name
    return found


def _input(name: str, rule: Filter, value: str, faults: tuple[str, ...]) -> FilterInput:
    source = source_of(rule)
    if source in SOURCES:
        kind, choices = "relation", ()
    elif rule.form is FLAG:
        kind, choices = "flag", ()
    elif "enum" in rule.form:
        words = rule.form["enum"]
        kind, choices = "choice", tuple(words) if isinstance(words, list) else ()
    else:
        kind, choices = ("number" if rule.form is WHOLE else "text"), ()
    value = _plain_flag(value) if kind == "flag" else value
    return FilterInput(
        name=name,
        label=label(name),
        kind=kind,
        value=value,
        choices=choices,
        source=source if kind == "relation" else "",
        faults=faults,
    )


def _plain_flag(value: str) -> str:
    return {"1": "true", "on": "true", "0": "false"}.get(value.lower(), value.lower())

"""What objects are called where others point at them, and how they are found by typing.

An object is called `name #id`: a field that was filled by choosing from the list says both, and
one that was typed by hand may be the name alone, or the id.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Model, Q, QuerySet

from openbond.server.api.links import API_V3, LEG_PATHS
from openbond.server.bonds.selectors import (
    bonds_in_reach,
    legs_visible_to,
    mobile_provider_profiles_visible_to,
)
from openbond.server.fleet.selectors import (
    aggregators_visible_to,
    bonders_visible_to,
    routing_groups_visible_to,
)
from openbond.server.ipam.selectors import ip_allocations_visible_to
from openbond.server.qos.selectors import qos_profiles_visible_to
from openbond.server.spaces.selectors import groups_visible_to, spaces_visible_to, users_visible_to
from openbond.server.spaces.viewer import Viewer

MOST_OFFERED = 20
NUMBERED = re.compile(r"(?:.*#)?\s*([0-9]{1,18})\s*")
ABSENT = "There is no {what} of this name in reach. Choose one from the list."
SEVERAL = "Several objects have this name. Choose one from the list."
LEGS = frozenset({"legs", *LEG_PATHS.values()})


@dataclass(frozen=True, slots=True)
class Source:
    """Where names of one kind come from. `hint` is what tells two of one name apart."""

    what: str
    rows: Callable[[Viewer], QuerySet[Any]]
    column: str
    code: str
    hint: str = "space__name"


SOURCES: dict[str, Source] = {
    "bonds": Source("bond", bonds_in_reach, "bonder__name", "view_bond"),
    "legs": Source("leg", legs_visible_to, "interface", "view_leg", "bond__bonder__name"),
    "bonders": Source("bonder", bonders_visible_to, "name", "view_bonder"),
    "aggregators": Source("aggregator", aggregators_visible_to, "name", "view_aggregator"),
    "routinggroups": Source("group", routing_groups_visible_to, "name", "view_routinggroup"),
    "qos": Source("QoS profile", qos_profiles_visible_to, "name", "view_qosprofile"),
    "mobileproviderprofiles": Source(
        "profile", mobile_provider_profiles_visible_to, "name", "view_mobileproviderprofile"
    ),
    "ipallocations": Source("network", ip_allocations_visible_to, "network", "view_ipallocation"),
    "spaces": Source("space", spaces_visible_to, "name", "view_space", "key"),
    "users": Source("user", users_visible_to, "email", "view_user"),
    "groups": Source("group", groups_visible_to, "name", "view_group", ""),
}


class Names:
    """Names of the objects that a page points at, read together: one query for each kind."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._wanted: dict[str, set[int]] = {}
        self._found: dict[str, dict[int, str]] = {}

    def want(self, value: object) -> None:
        """Note the addresses in a value that will be shown."""
        if isinstance(value, str):
            named = kind_and_id(value)
            if named:
                self._wanted.setdefault(named[0], set()).add(named[1])
        elif isinstance(value, list):
            for one in value:
                self.want(one)

    def of(self, url: str) -> str:
        """Return what the object at an address is called; its number where that is not known."""
        named = kind_and_id(url)
        if named is None:
            return url
        kind, key = named
        if kind not in self._found:
            wanted = self._wanted.get(kind, set()) | {key}
            self._found[kind] = names_of(self._viewer, kind, wanted)
        return self._found[kind].get(key) or f"#{key}"


@lru_cache(maxsize=10_000)
def kind_and_id(url: str) -> tuple[str, int] | None:
    """Return the kind and the id of the object at an address of the API, or None."""
    _, found, below = url.partition(API_V3)
    words = below.strip("/").split("/")
    if not found or len(words) < 2 or not words[-1].isdigit():
        return None
    kind = words[-2]
    return "legs" if kind in LEGS else kind, int(words[-1])


def names_of(viewer: Viewer, kind: str, ids: Iterable[int]) -> dict[int, str]:
    """Return names by id, of those that the viewer may see."""
    source = SOURCES.get(kind)
    if source is None or not viewer.can(source.code):
        return {}
    rows = source.rows(viewer).filter(pk__in=list(ids)).order_by()
    return {key: name for key, name in rows.values_list("pk", source.column) if name}


@dataclass(frozen=True, slots=True)
class Offer:
    """One object that a field could name."""

    key: int
    name: str
    hint: str

    @property
    def text(self) -> str:
        return called(self.name, self.key)


def called(name: str, key: int) -> str:
    return f"{name} #{key}"


def offers(viewer: Viewer, kind: str, words: str) -> list[Offer]:
    """Return the first objects whose names have every word. Raises KeyError for no such kind."""
    source = SOURCES[kind]
    if not viewer.can(source.code):
        return []
    rows = source.rows(viewer)
    for word in words.partition("#")[0].replace("\0", "").split()[:10]:
        rows = rows.filter(**{f"{source.column}__icontains": word})
    columns = [source.column, *([source.hint] if source.hint else [])]
    found = rows.order_by(source.column, "pk").values_list("pk", *columns)[:MOST_OFFERED]
    return [Offer(row[0], str(row[1]), str(row[2]) if source.hint else "") for row in found]


def id_from(viewer: Viewer, kind: str, typed: str) -> int | str:
    """Return the id that somebody typed or chose, or in words why it names nothing.

    Whether an id is in reach is left to the field's own check.
    """
    number = NUMBERED.fullmatch(typed)
    if number:
        return int(number[1])
    source = SOURCES[kind]
    named = _called(source.rows(viewer), source, typed) if viewer.can(source.code) else []
    if len(named) > 1:
        return SEVERAL
    return named[0] if named else ABSENT.format(what=source.what)


def _called(rows: QuerySet[Model], source: Source, typed: str) -> list[int]:
    if "\0" in typed:
        return []
    condition = Q(**{f"{source.column}__iexact": typed.strip()})
    if source.hint == "key":
        condition |= Q(key__iexact=typed.strip())
    return list(rows.filter(condition).order_by().values_list("pk", flat=True)[:2])


def site_path(url: str) -> str:
    """Return the page of the object at an address of the API."""
    return "/" + url.partition(API_V3)[2]

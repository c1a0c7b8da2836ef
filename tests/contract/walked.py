"""The rows of the URI table as the wall walks them: what stands in their paths and bodies."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.urls import resolve

from openbond.server.api.relations import Relation, Relations
from openbond.server.api.resource import Collection
from tests.contract.uri_table import Row, rows

# Kinds of which a space may use its parent's, if its switches are on.
SHAREABLE = {"nodes", "aggregators", "qos", "mobileproviderprofiles", "routinggroups"}

# What the filters name that are relations.
FILTERS = {
    "space": "spaces",
    "aggregator": "aggregators",
    "secondary_aggregator": "aggregators",
    "current_aggregator": "aggregators",
    "routing_group": "routinggroups",
    "bond": "bonds",
    "qos_profile": "qos",
    "provider_profile": "mobileproviderprofiles",
    "leg": "legs",
}
SPACES, HELD = "/api/v3/spaces/", "delegated_ip_allocations"
_LEG_TUNERS = re.compile(r"(legs/Y/)tuners/")


@dataclass(frozen=True)
class Walked:
    """A row; its words are those before an id, which tell what the id is of."""

    row: Row

    @property
    def uri(self) -> str:
        return self.row.uri

    @property
    def methods(self) -> frozenset[str]:
        return self.row.methods

    @property
    def answered(self) -> set[str]:
        """The methods that are not refused with 405."""
        return {*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}

    @cached_property
    def words(self) -> list[str]:
        return re.findall(r"(\w+)/[XYZ]/", self._marked)

    @property
    def is_of_a_space(self) -> bool:
        """Groups are the installation's."""
        return bool(self.words) and self.words != ["groups"]

    @property
    def is_shareable(self) -> bool:
        return self.words[0] in SHAREABLE

    @property
    def is_list(self) -> bool:
        return issubclass(self._view, Collection) and self._handlers.get("get") == "list_all"

    @property
    def is_searched(self) -> bool:
        return issubclass(self._view, Collection) and bool(self._view.listing.search)

    def filled(self, ids: dict[str, int]) -> str:
        """Return the path with the id of each word."""
        path = re.sub(r"(\w+)/[XYZ]/", lambda found: f"{found[1]}/{ids[found[1]]}/", self._marked)
        return path.replace("leg_tuners", "tuners")

    @property
    def written(self) -> list[str]:
        """The methods that take the body of a resource; actions take none."""
        return sorted(
            method.upper()
            for method, handler in self._handlers.items()
            if handler in {"create", "replace", "change"}
        )

    @cached_property
    def relations(self) -> list[tuple[str, str]]:
        """The relations of the body, with the kind they lead to."""
        body = getattr(self._view, "body", None)
        fields: dict[str, Any] = body().fields if body else {}
        return [
            (name, _kind(field))
            for name, field in fields.items()
            if isinstance(field, Relation | Relations) and not field.read_only
        ]

    @cached_property
    def filters(self) -> list[tuple[str, str]]:
        """The filters that are relations, with the kind they lead to."""
        if not issubclass(self._view, Collection):
            return []
        known = FILTERS | {"parent": "spaces" if self.uri == SPACES else HELD}
        return [(name, known[name]) for name in self._view.listing.filters if name in known]

    @property
    def _marked(self) -> str:
        return _LEG_TUNERS.sub(r"\1leg_tuners/", self.uri)

    @property
    def _handlers(self) -> dict[str, str]:
        found: dict[str, str] = resolve(self.row.path).func.actions  # type: ignore[attr-defined]
        return found

    @property
    def _view(self) -> type:
        found: type = resolve(self.row.path).func.cls  # type: ignore[attr-defined]
        return found


def walked_rows() -> list[Walked]:
    return [Walked(row) for row in rows()]


def path_of(uri: str, ids: dict[str, int]) -> str:
    """Return the path of a URI of the table with the id of each word."""
    return Walked(Row(uri, frozenset(), is_published=True)).filled(ids)


def ways_to(kind: str, target: int, key: str) -> list[object]:
    """Every way a client may name an object; a space also by its key."""
    url = f"/api/v3/{kind}/{target}/"
    ways: list[object] = [target, str(target), url, f"https://elsewhere{url}"]
    ways += [{"id": target}, {"url": url}]
    return [*ways, key, {"key": key}] if kind == "spaces" else ways


def _kind(field: Relation[Any] | Relations) -> str:
    """Return the last word of the address that the relation leads to."""
    relation: Any = field.child if isinstance(field, Relations) else field
    found = re.search(r"api/v3/(?:bonds/.*/)?(?:\(\?:)?(\w+)", relation.address.pattern.pattern)
    assert found
    return "legs" if found[1].endswith("legs") else found[1]

"""Routing groups: places in the network where a public address is routable (01-fleet.md, 5)."""

from typing import Any

from django.db.models import QuerySet

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Flag, Link, Text, Time, Whole
from openbond.server.api.relations import SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.api.shared_space import (
    SPACE_NAME,
    by_space,
    derived_space,
    filter_by_space,
)
from openbond.server.errors import SharedReadOnly
from openbond.server.fleet import services
from openbond.server.fleet.models import RoutingGroup
from openbond.server.ipam.selectors import routing_groups_with_counts

COLUMNS = [
    "id",
    "name",
    "space_id",
    "display_name",
    "note",
    "is_default",
    "aggregator_count",
    "ip_allocation_count",
    "created",
    "modified",
]


class RoutingGroupBody(Body):
    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, required=True)
    space = SpaceRelation(allow_null=True)
    display_name = Text(read_only=True)
    note = Text(4000)
    is_default = Flag(read_only=True)
    aggregator_count = Whole(read_only=True)
    ip_allocation_count = Whole(read_only=True)
    created = Time()
    modified = Time()

    fixed = frozenset({"space"})


class RoutingGroups(Resource[RoutingGroup]):
    """Routing groups: aggregators belong to one, IP allocations are valid at one or more."""

    codes = codes_for("routinggroup")
    body = RoutingGroupBody
    listing = lists.Listing(
        filters={
            "name": lists.text("name"),
            "space": filter_by_space(),
            "is_default": lists.flag("is_default"),
        },
        search=("name", "note", SPACE_NAME),
        ordering={
            "id": lists.by("id"),
            "name": lists.by_text("name"),
            "display_name": lists.by_text("display_name"),
            "space": by_space(),
            "created": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[RoutingGroup]:
        return routing_groups_with_counts(self.viewer)

    def derived(self) -> lists.Derived:
        return derived_space(self.viewer)

    def present(self, rows: QuerySet[RoutingGroup]) -> list[Shown]:
        return [self._group(row) for row in rows.values(*COLUMNS)]

    def check_writable(self, row: RoutingGroup) -> None:
        if not self.viewer.reaches(row.space_id):
            raise SharedReadOnly

    def make(self, given: dict[str, Any]) -> RoutingGroup:
        return services.create_routing_group(by=self.viewer, **self.in_own_space(given))

    def alter(self, row: RoutingGroup, given: dict[str, Any]) -> None:
        services.update_routing_group(by=self.viewer, group=row, **given)

    def discard(self, row: RoutingGroup) -> None:
        services.delete_routing_group(by=self.viewer, group=row)

    def _group(self, row: dict[str, Any]) -> Shown:
        is_own = self.viewer.reaches(row["space_id"])
        return {
            "id": row["id"],
            "url": self.links.to("routinggroups", row["id"]),
            "name": row["name"],
            "space": self.links.to("spaces", row["space_id"]) if is_own else None,
            "display_name": row["display_name"],
            "note": row["note"],
            "is_default": row["is_default"],
            "aggregator_count": row["aggregator_count"],
            "ip_allocation_count": row["ip_allocation_count"],
            "created": values.time(row["created"]),
            "modified": values.time(row["modified"]),
        }

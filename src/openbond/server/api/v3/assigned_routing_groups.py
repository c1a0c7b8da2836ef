"""Where an allocation is valid: its assigned routing groups (04-routing.md, 5.2)."""

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from openbond.server.api import lists
from openbond.server.api.body import Body
from openbond.server.api.fields import Link, Text, Whole
from openbond.server.api.relations import Relation
from openbond.server.api.resource import Resource, Shown
from openbond.server.errors import IsDelegation
from openbond.server.fleet.models import RoutingGroup
from openbond.server.fleet.selectors import routing_groups_visible_to
from openbond.server.ipam import selectors, services
from openbond.server.ipam.models import IPAllocation

COLUMNS = ["id", "name", "display_name"]


class AssignedRoutingGroupBody(Body):
    id = Whole(read_only=True)
    url = Link()
    routing_group = Relation("routinggroups", routing_groups_visible_to, required=True)
    name = Text(read_only=True)
    display_name = Text(read_only=True)


class AssignedRoutingGroups(Resource[RoutingGroup]):
    """Routing groups where the allocation is valid; ids are those of the routing groups."""

    codes = {
        "list_all": "view_ipallocation",
        "retrieve": "view_ipallocation",
        "create": "change_ipallocation",
        "remove": "change_ipallocation",
    }
    body = AssignedRoutingGroupBody
    listing = lists.Listing(
        search=("name",),
        ordering={
            "id": lists.by("id"),
            "name": lists.by_text("name"),
            "display_name": lists.by_text("display_name"),
        },
    )

    @cached_property
    def allocation(self) -> IPAllocation:
        allocations = selectors.ip_allocations_visible_to(self.viewer)
        row = allocations.filter(pk=self.kwargs["allocation_id"]).first()
        if row is None:
            raise Http404
        return row

    def rows(self) -> QuerySet[RoutingGroup]:
        return selectors.groups_visible_of(self.viewer, self.allocation)

    def present(self, rows: QuerySet[RoutingGroup]) -> list[Shown]:
        path = f"ipallocations/{self.allocation.pk}/assigned_routing_groups"
        return [
            {
                "id": row["id"],
                "url": self.links.to(path, row["id"]),
                "routing_group": self.links.to("routinggroups", row["id"]),
                "name": row["name"],
                "display_name": row["display_name"],
            }
            for row in rows.values(*COLUMNS)
        ]

    def make(self, given: dict[str, Any]) -> RoutingGroup:
        assigned = services.assign_routing_group(
            by=self.viewer, allocation=self.allocation, **given
        )
        return assigned.routing_group

    def discard(self, row: RoutingGroup) -> None:
        if self.allocation.is_delegation:
            raise IsDelegation
        assignment = selectors.assignment_of(self.allocation, row)
        services.unassign_routing_group(by=self.viewer, assignment=assignment)

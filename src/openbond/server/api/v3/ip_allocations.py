"""IP allocations and delegations: which space may use which network (04-routing.md, 5)."""

from functools import cached_property
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import lists, values
from openbond.server.api.addresses import Ipv4Cidr
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Link, Text, Texts, Time, Whole
from openbond.server.api.relations import Relation, SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.ipam import selectors, services
from openbond.server.ipam.models import IPAllocation
from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import if_in_reach

from .parents import space_of

TYPES = ["allocation", "delegation"]


class HeldBody(Body):
    """What allocations and delegations show, and what every writer may send."""

    id = Whole(read_only=True)
    url = Link()
    network = Ipv4Cidr(required=True)
    type = Choice(TYPES, read_only=True)
    owner = Link(allow_null=True)
    assigned_routing_groups = Texts(Link(), read_only=True)
    available = Texts(Text(), read_only=True)
    note = Text(4000)
    created = Time()
    modified = Time()


class IpAllocationBody(HeldBody):
    space = SpaceRelation(required=True)
    # A field may bear this name: declared fields are taken off the class.
    parent = Relation(  # type: ignore[assignment]
        "ipallocations", selectors.ip_allocations_visible_to, allow_null=True
    )

    fixed = frozenset({"space", "parent"})


class IpAllocations(Resource[IPAllocation]):
    """IP allocations and delegations of all spaces in reach."""

    codes = codes_for("ipallocation")
    body: ClassVar[type[Body]] = IpAllocationBody
    listing = lists.Listing(
        filters={
            "network": lists.network("network"),
            "space": lists.space(),
            "type": lists.choice("parent", TYPES, selectors.is_of_type),
            "parent": lists.relation("shown_parent", "ipallocations"),
        },
        search=("network", "note", "space__name", "space__key"),
        ordering={
            "id": lists.by("id"),
            "network": lists.by("first", "last"),
            "space": lists.by_text("space__name"),
            "type": lists.by(selectors.type_of_allocation()),
            "created": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[IPAllocation]:
        return selectors.ip_allocations_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        return {"shown_parent": if_in_reach(self.viewer, "parent_id", path="parent__space")}

    def present(self, rows: QuerySet[IPAllocation]) -> list[Shown]:
        allocations = list(rows)
        available = selectors.available_parts(allocations)
        groups = selectors.groups_by_allocation(self.viewer, allocations)
        return [
            self._allocation(row, groups.get(row.origin_id or row.pk, []), available[row.pk])
            for row in allocations
        ]

    def check_writable(self, row: IPAllocation) -> None:
        if row.parent is not None:
            services.check_giver(by=self.viewer, space_id=row.parent.space_id)

    def make(self, given: dict[str, Any]) -> IPAllocation:
        parent = given.pop("parent", None)
        if parent is None:
            return services.create_allocation(by=self.viewer, **given)
        return services.create_delegation(by=self.viewer, parent=parent, **given)

    def alter(self, row: IPAllocation, given: dict[str, Any]) -> None:
        services.update_allocation(by=self.viewer, allocation=row, **given)

    def discard(self, row: IPAllocation) -> None:
        services.delete_allocation(by=self.viewer, allocation=row)

    def _allocation(self, row: IPAllocation, groups: list[int], available: list[str]) -> Shown:
        links, parent = self.links, row.parent
        owner_id = row.space_id if parent is None else parent.space_id
        return {
            "id": row.pk,
            "url": links.to("ipallocations", row.pk),
            "network": row.network,
            "space": links.to("spaces", row.space_id),
            "type": "allocation" if parent is None else "delegation",
            "parent": self._in_reach(
                parent.space_id if parent else None, "ipallocations", row.parent_id
            ),
            "owner": self._in_reach(owner_id, "spaces", owner_id),
            "assigned_routing_groups": [links.to("routinggroups", group) for group in groups],
            "available": available,
            "note": row.note,
            "created": values.time(row.created),
            "modified": values.time(row.modified),
        }

    def _in_reach(self, space_id: int | None, path: str, key: int | None) -> str | None:
        """Return the address of a giver's object, or None where the viewer does not reach it."""
        if space_id is None or not self.viewer.reaches(space_id):
            return None
        return self.links.or_null(path, key)


class OfSpaceBody(HeldBody):
    """Below a space the holder is the path's, and the parent is found from the network."""

    space = Link()
    parent = Link(allow_null=True)  # type: ignore[assignment]  # as above


class AllocationsOfSpace(IpAllocations):
    """Allocations that the space itself owns."""

    body = OfSpaceBody
    is_delegation = False

    @cached_property
    def space(self) -> Space:
        return space_of(self)

    def rows(self) -> QuerySet[IPAllocation]:
        rows = super().rows().filter(space=self.space)
        return rows.filter(parent__isnull=not self.is_delegation)

    def make(self, given: dict[str, Any]) -> IPAllocation:
        return services.create_allocation(by=self.viewer, space=self.space, **given)


class DelegationsToSpace(AllocationsOfSpace):
    """Networks that the space holds from its parent."""

    is_delegation = True

    def create(self, request: Request, **path: object) -> Response:
        services.check_giver(by=self.viewer, space_id=self.space.parent_id)
        return super().create(request, **path)

    def make(self, given: dict[str, Any]) -> IPAllocation:
        return services.create_delegation_to(by=self.viewer, space=self.space, **given)

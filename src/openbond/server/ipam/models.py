"""Networks that spaces hold, where they are valid, and what occupies them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from openbond.server.fleet.models import RoutingGroup
from openbond.server.spaces.models import Space
from openbond.server.system.columns import AddressKeyField, Dated, FirstKeyField, LastKeyField


class IPAllocation(Dated):
    """A network that a space holds: an allocation, or a delegation cut from `parent`.

    `origin` is the allocation that a delegation stems from, through any number of spaces; the
    routing groups are assigned there. Both are null for an allocation.
    """

    network = models.CharField(max_length=18)
    first = FirstKeyField(source="network")
    last = LastKeyField(source="network")
    space = models.ForeignKey(Space, models.PROTECT, related_name="ip_allocations")
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="delegations")
    origin = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=4000, default="", blank=True)
    routing_groups = models.ManyToManyField(
        RoutingGroup, through="AssignedRoutingGroup", related_name="ip_allocations"
    )

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["first", "last"])]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["first"], condition=Q(parent__isnull=True), name="allocation_first_unique"
            ),
            models.UniqueConstraint(fields=["parent", "first"], name="delegation_first_unique"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, origin__isnull=True)
                | Q(parent__isnull=False, origin__isnull=False),
                name="allocation_origin_fits_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.network

    @property
    def is_delegation(self) -> bool:
        return self.parent_id is not None


class AssignedRoutingGroup(models.Model):
    """An allocation is valid at a routing group."""

    allocation = models.ForeignKey(IPAllocation, models.CASCADE, related_name="assignments")
    routing_group = models.ForeignKey(RoutingGroup, models.PROTECT, related_name="assignments")

    class Meta:
        ordering: ClassVar = ["routing_group_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["allocation", "routing_group"], name="assigned_routing_group_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"allocation {self.allocation_id} at group {self.routing_group_id}"


class UseKind(models.TextChoices):
    CONNECTED_IP = "connected_ip"
    CPE_NAT_IP = "cpe_nat_ip"
    ROUTE = "route"


class NetworkUse(models.Model):
    """The network of one routing object, enabled or not: all three kinds in one table.

    Bonds write it in the transaction that writes the object (services.note_use), so that overlaps
    and free parts are one query here, below the room of the objects. `address` is the object's own
    public IP, null for routes; a constraint holds that it is enabled only once.
    """

    kind = models.CharField(max_length=12, choices=UseKind)
    object_id = models.BigIntegerField()
    bond_id = models.BigIntegerField(db_index=True)
    space = models.ForeignKey(Space, models.PROTECT, related_name="network_uses", db_index=False)
    network = models.CharField(max_length=43)
    first = FirstKeyField(source="network")
    last = LastKeyField(source="network")
    address = models.CharField(max_length=39, null=True)  # noqa: DJ001
    address_key = AddressKeyField(source="address", null=True)
    is_public = models.BooleanField()
    is_enabled = models.BooleanField()
    is_routed = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["first", "last"]),
            models.Index(fields=["space", "kind", "is_enabled"]),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "object_id"], name="network_use_object"),
            models.UniqueConstraint(
                fields=["address_key"],
                condition=Q(is_enabled=True, is_public=True, address_key__isnull=False),
                name="network_use_public_address_enabled_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}: {self.network}"

"""Where an allocation is valid: its assigned routing groups (api-v3 04-routing 5.2)."""

from ipaddress import ip_network

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from openbond.server.errors import InUse, InvalidFields, IsDelegation
from openbond.server.fleet.models import Aggregator, RoutingGroup
from openbond.server.ipam.models import AssignedRoutingGroup, IPAllocation
from openbond.server.ipam.selectors import holders_of, uses_inside
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change
from openbond.server.system.constraints import refusing
from openbond.server.system.locks import Lock, locked, take
from openbond.server.system.services import record

ONCE = {"assigned_routing_group_unique": ("routing_group", "Already assigned.")}
FOREIGN = "The routing group must belong to the space of the allocation."


@transaction.atomic
def assign_routing_group(
    *, by: Actor, allocation: IPAllocation, routing_group: RoutingGroup
) -> AssignedRoutingGroup:
    """Make an allocation valid at a group. Raises IsDelegation, InvalidFields."""
    take(Lock.ADDRESSES)
    owner = locked(IPAllocation.objects.all(), allocation.pk)
    _refuse_delegation(owner)
    if routing_group.space_id != owner.space_id:
        raise InvalidFields.one("routing_group", FOREIGN)
    row = AssignedRoutingGroup(allocation=owner, routing_group=routing_group)
    with refusing(AssignedRoutingGroup, ONCE):
        row.save(force_insert=True)
    change = Change(after={"assigned_routing_group": routing_group.pk})
    _record(by, owner, change)
    return row


@transaction.atomic
def unassign_routing_group(*, by: Actor, assignment: AssignedRoutingGroup) -> None:
    """End an assignment that no routing object depends on. Raises IsDelegation, InUse."""
    take(Lock.ADDRESSES)
    owner = locked(IPAllocation.objects.all(), assignment.allocation_id)
    row = locked(AssignedRoutingGroup.objects.select_related("routing_group"), assignment.pk)
    _refuse_delegation(owner)
    if _is_used_at(owner, row.routing_group):
        raise InUse("Routing objects of bonds at this routing group use the network.")
    change = Change(before={"assigned_routing_group": row.routing_group_id})
    _record(by, owner, change)
    row.delete()


def _is_used_at(allocation: IPAllocation, group: RoutingGroup) -> bool:
    uses = uses_inside(ip_network(allocation.network)).filter(space__in=holders_of(allocation))
    bonds = uses.values("bond_id")
    # Bonds lie above this room; their ends are asked from the aggregators, which lie below.
    ends = Q(bonds_primary__in=bonds) | Q(bonds_secondary__in=bonds)
    return Aggregator.objects.filter(ends, routing_group=group).exists()


def _refuse_delegation(allocation: IPAllocation) -> None:
    if allocation.is_delegation:
        raise IsDelegation


def _record(by: Actor, allocation: IPAllocation, change: Change) -> None:
    now, space_id = timezone.now(), allocation.space_id
    record(by=by, action="update", row=allocation, change=change, now=now, space_id=space_id)

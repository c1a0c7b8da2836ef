"""Two adjacent allocations become one (behaviour 5.6)."""

from ipaddress import IPv4Network, collapse_addresses

from django.db import transaction
from django.utils import timezone

from openbond.server.errors import InvalidFields
from openbond.server.ipam.models import IPAllocation
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.locks import Lock, locked, take
from openbond.server.system.services import record

NOT_ALLOCATIONS = "Only allocations can be merged: a delegation is part of what it was cut from."
OTHER_SPACE = "The allocations belong to different spaces."
OTHER_GROUPS = "The allocations are valid at different routing groups."
NOT_ADJACENT = "The networks {first} and {second} do not make one network together."


@transaction.atomic
def merge_allocations(*, by: Actor, first: IPAllocation, second: IPAllocation) -> IPAllocation:
    """Let `first` hold both networks, and what was delegated from both; `second` ends.

    Raises InvalidFields with the reason under `network`.
    """
    now = timezone.now()
    take(Lock.ADDRESSES)
    kept, ended = (locked(IPAllocation.objects.all(), row.pk) for row in (first, second))
    network = _merged(kept, ended)
    shown = shown_values(ended, ("network", "space", "note"))
    ended.delegations.update(parent=kept)
    IPAllocation.objects.filter(origin=ended).update(origin=kept)
    record(
        by=by, action="delete", row=ended, change=Change(before=shown), now=now,
        space_id=ended.space_id,
    )  # fmt: skip
    ended.delete()
    change = change_row(kept, {"network": network}, now=now)
    record(by=by, action="merge", row=kept, change=change, now=now, space_id=kept.space_id)
    return kept


def _merged(kept: IPAllocation, ended: IPAllocation) -> str:
    """Return the network of both. Raises InvalidFields."""
    fault = ""
    whole = list(collapse_addresses([IPv4Network(kept.network), IPv4Network(ended.network)]))
    if kept.is_delegation or ended.is_delegation:
        fault = NOT_ALLOCATIONS
    elif kept.space_id != ended.space_id:
        fault = OTHER_SPACE
    elif _groups(kept) != _groups(ended):
        fault = OTHER_GROUPS
    elif len(whole) != 1 or kept.pk == ended.pk:
        fault = NOT_ADJACENT.format(first=kept.network, second=ended.network)
    if fault:
        raise InvalidFields.one("network", fault)
    return str(whole[0])


def _groups(row: IPAllocation) -> set[int]:
    return set(row.assignments.values_list("routing_group_id", flat=True))

"""Writes to allocations and delegations (api-v3 04-routing 5)."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, ip_network
from itertools import pairwise

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from openbond.server.errors import Forbidden, InUse, InvalidFields
from openbond.server.fleet.models import RoutingGroup
from openbond.server.ipam.models import IPAllocation, NetworkUse
from openbond.server.ipam.rules import (
    HOLDS_OBJECTS,
    LEAVES_PARTS,
    NO_ROUTING_GROUP,
    NOT_A_CHILD,
    NOT_HELD_ABOVE,
    OUTSIDE_PARENT,
    OVERLAPS_ALLOCATION,
    OVERLAPS_DELEGATION,
    fault_of_network,
)
from openbond.server.ipam.selectors import holding_of, is_held, overlapping, uses_inside
from openbond.server.spaces.models import Space
from openbond.server.system.actors import Actor
from openbond.server.system.addresses import contains
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.locks import Lock, locked, take
from openbond.server.system.services import record

SHOWN = ("network", "space", "parent", "note")
NOBODY = 0  # an id that no row has
OUT_OF_REACH = "Only users who reach the giving space may write a delegation."


@transaction.atomic
def create_allocation(
    *, by: Actor, space: Space, network: IPv4Network, note: str = ""
) -> IPAllocation:
    """Make an allocation; it is valid nowhere until a routing group is assigned.

    Raises InvalidFields.
    """
    take(Lock.ADDRESSES)
    faults = {"network": _faults_of_allocation(network, None)}
    if not RoutingGroup.objects.filter(space=space).exists():
        faults["space"] = [NO_ROUTING_GROUP]
    _raise(faults)
    return _insert(by, space, network, note, parent=None, now=timezone.now())


@transaction.atomic
def create_delegation(
    *, by: Actor, parent: IPAllocation, space: Space, network: IPv4Network, note: str = ""
) -> IPAllocation:
    """Cut a part out of `parent` for a child space. Raises Forbidden, InvalidFields."""
    take(Lock.ADDRESSES)
    # As it is now: somebody may have made it smaller since it was found.
    giver = _locked(parent)
    check_giver(by=by, space_id=giver.space_id)
    faults = {"network": _faults_of_delegation(network, giver, None)}
    if space.parent_id != giver.space_id:
        faults["space"] = [NOT_A_CHILD]
    _raise(faults)
    return _insert(by, space, network, note, parent=giver, now=timezone.now())


@transaction.atomic
def create_delegation_to(
    *, by: Actor, space: Space, network: IPv4Network, note: str = ""
) -> IPAllocation:
    """Cut `network` out of whatever holding of the parent space contains it.

    Raises Forbidden, InvalidFields.
    """
    take(Lock.ADDRESSES)
    above = space.parent_id
    check_giver(by=by, space_id=above)
    parent = above and holding_of(space_id=above, network=network)
    if not parent:
        raise InvalidFields.one("network", NOT_HELD_ABOVE)
    return create_delegation(by=by, parent=parent, space=space, network=network, note=note)


@transaction.atomic
def update_allocation(
    *,
    by: Actor,
    allocation: IPAllocation,
    network: IPv4Network | None = None,
    note: str | None = None,
) -> IPAllocation:
    """Change network or note; what lies inside must stay inside.

    Raises Forbidden, InvalidFields.
    """
    now = timezone.now()
    take(Lock.ADDRESSES)
    row = _locked(allocation)
    if row.parent is not None:
        check_giver(by=by, space_id=row.parent.space_id)
    sent: dict[str, object] = {} if note is None else {"note": note}
    if network is not None and str(network) != row.network:
        _check_resize(row, network)
        sent["network"] = str(network)
    change = change_row(row, sent, now=now)
    if change:
        record(by=by, action="update", row=row, change=change, now=now, space_id=row.space_id)
    return row


@transaction.atomic
def delete_allocation(*, by: Actor, allocation: IPAllocation) -> None:
    """Delete an allocation, or give a delegation back. Raises Forbidden, InUse."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    row = _locked(allocation)
    if row.parent is not None:
        check_giver(by=by, space_id=row.parent.space_id)
    if uses_inside(ip_network(row.network)).filter(space_id=row.space_id).exists():
        raise InUse("Routing objects of the space lie in the network.")
    change = Change(before=shown_values(row, SHOWN))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=row.space_id)
    try:
        with transaction.atomic():
            row.delete()
    except ProtectedError:
        raise InUse("A delegation is cut from the network.") from None


def check_giver(*, by: Actor, space_id: int | None) -> None:
    """Raises Forbidden where a giving space is out of reach; the root has none."""
    if space_id is not None and not by.reaches(space_id):
        raise Forbidden(OUT_OF_REACH)


def delegate_down(
    *,
    network: IPv4Network,
    spaces: Sequence[Space],
    moving_bond_id: int,
    by: Actor,
    now: datetime,
) -> str:
    """Hand a network down from the first of `spaces` to the last; return why not, or nothing.

    For a bond that moves down the tree (02-bonds, rule 7): its own objects are no obstacle, and
    no space needs to be in reach. Hold Lock.ADDRESSES.
    """
    if is_held(space_id=spaces[-1].pk, network=network):
        return ""
    for giver, taker in pairwise(spaces):
        if is_held(space_id=taker.pk, network=network):
            continue
        parent = holding_of(space_id=giver.pk, network=network)
        if parent is None:
            return NOT_HELD_ABOVE
        faults = _faults_of_delegation(network, parent, None, moving_bond_id=moving_bond_id)
        if faults:
            return faults[0]
        _insert(by, taker, network, "", parent=parent, now=now)
    return ""


def _locked(allocation: IPAllocation) -> IPAllocation:
    return locked(IPAllocation.objects.select_related("parent"), allocation.pk)


def _insert(
    by: Actor,
    space: Space,
    network: IPv4Network,
    note: str,
    *,
    parent: IPAllocation | None,
    now: datetime,
) -> IPAllocation:
    row = IPAllocation(
        space=space,
        network=str(network),
        parent=parent,
        origin=(parent.origin or parent) if parent else None,
        note=note,
        created=now,
        modified=now,
    )
    row.save(force_insert=True)
    change = Change(after=shown_values(row, SHOWN))
    record(by=by, action="create", row=row, change=change, now=now, space_id=space.pk)
    return row


def _check_resize(row: IPAllocation, network: IPv4Network) -> None:
    if row.parent is None:
        faults = _faults_of_allocation(network, row)
    else:
        faults = _faults_of_delegation(network, row.parent, row)
    if not faults and _leaves_parts(row, network):
        faults = [LEAVES_PARTS]
    _raise({"network": faults})


def _leaves_parts(row: IPAllocation, network: IPv4Network) -> bool:
    inside = uses_inside(ip_network(row.network)).filter(space_id=row.space_id)
    parts = [*inside.values_list("network", flat=True)]
    parts += row.delegations.values_list("network", flat=True)
    return not all(contains(network, ip_network(part)) for part in parts)


def _faults_of_allocation(network: IPv4Network, own: IPAllocation | None) -> list[str]:
    fault = fault_of_network(network)
    if fault:
        return [fault]
    others = IPAllocation.objects.filter(overlapping(network), parent__isnull=True)
    taken = others.exclude(pk=own.pk if own else NOBODY).exists()
    return [OVERLAPS_ALLOCATION] if taken else []


def _faults_of_delegation(
    network: IPv4Network,
    parent: IPAllocation,
    own: IPAllocation | None,
    *,
    moving_bond_id: int = NOBODY,
) -> list[str]:
    if not contains(ip_network(parent.network), network):
        return [OUTSIDE_PARENT.format(parent=parent.network)]
    siblings = parent.delegations.filter(overlapping(network))
    if siblings.exclude(pk=own.pk if own else NOBODY).exists():
        return [OVERLAPS_DELEGATION]
    used = NetworkUse.objects.filter(overlapping(network), space_id=parent.space_id)
    return [HOLDS_OBJECTS] if used.exclude(bond_id=moving_bond_id).exists() else []


def _raise(faults: dict[str, list[str]]) -> None:
    found = {field: messages for field, messages in faults.items() if messages}
    if found:
        raise InvalidFields(found)

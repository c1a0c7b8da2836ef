"""Changes an aggregator: what the bonds that name it allow, and who must learn it.

The row is fleet's; the question is about bonds, so it is asked here (api-v3 01-fleet 3.1).
"""

from ipaddress import IPv4Network
from typing import Unpack

from django.db import transaction
from django.db.models import Q, QuerySet

from openbond.server.bonds.models import Bond
from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import Aggregator, RoutingGroup
from openbond.server.fleet.services import (
    AggregatorChanges,
    request_config_update,
    write_aggregator,
)
from openbond.server.ipam.models import NetworkUse
from openbond.server.ipam.selectors import fault_of_use
from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import sharing_of
from openbond.server.system.actors import Actor
from openbond.server.system.locks import Lock, locked, take

from .private_wans import tell_private_wans

ADDRESSES = frozenset({"ip", "ipv6"})
STILL_NAMED = "A bond names the aggregator, and could not use it there."


@transaction.atomic
def update_aggregator(
    *, by: Actor, aggregator: Aggregator, **changes: Unpack[AggregatorChanges]
) -> Aggregator:
    """Change an aggregator. New addresses go to all bonders that use it. Raises InvalidFields."""
    take(Lock.ADDRESSES)
    row = locked(Aggregator.objects.select_related("routing_group", "space"), aggregator.pk)
    _check(row, changes)
    change = write_aggregator(by=by, aggregator=row, changes=changes)
    if change.touches(ADDRESSES):
        users = Bond.objects.filter(current_aggregator=row)
        bonders = users.values_list("bonder_id", flat=True)
        reason = f"address of {row.name} changed"[:200]
        told = [row.pk, *bonders]
        request_config_update(told, reason=reason)
        spaces = users.values_list("space_id", flat=True)
        tell_private_wans(spaces, reason=reason, told=told)
    return row


def _check(row: Aggregator, changes: AggregatorChanges) -> None:
    faults: dict[str, list[str]] = {}
    group = changes.get("routing_group", row.routing_group)
    if group.pk != row.routing_group_id and (fault := _fault_at(group, _naming(row))):
        faults["routing_group"] = [fault]
    space = changes.get("space", row.space)
    if space.pk != row.space_id and not _stays_usable(space, _naming(row)):
        faults["space"] = [STILL_NAMED]
    if faults:
        raise InvalidFields(faults)


def _naming(row: Aggregator) -> QuerySet[Bond]:
    return Bond.objects.filter(Q(aggregator=row) | Q(secondary_aggregator=row))


def _fault_at(group: RoutingGroup, bonds: QuerySet[Bond]) -> str:
    """Return why an enabled public address of one of `bonds` would not be valid at `group`."""
    uses = NetworkUse.objects.filter(
        bond_id__in=bonds.values("pk"), is_enabled=True, is_public=True
    )
    for use in uses:
        if ":" in use.network:
            continue
        fault = fault_of_use(
            network=IPv4Network(use.network), space_id=use.space_id, groups=[group]
        )
        if fault:
            return fault
    return ""


def _stays_usable(space: Space, bonds: QuerySet[Bond]) -> bool:
    users = Space.objects.filter(pk__in=bonds.values("space_id")).exclude(pk=space.pk)
    return all(space.pk in sharing_of(user).aggregators for user in users)

"""What the writes to all three kinds of routing objects share (api-v3 04-routing)."""

from collections.abc import Mapping
from datetime import datetime

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Route
from openbond.server.bonds.rules.routing import (
    SAME_DESTINATION,
    SAME_IP,
    SAME_NETWORK,
    Connected,
    connected,
)
from openbond.server.fleet.services import request_config_update
from openbond.server.ipam.services import forget_use
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, change_row, shown_values
from openbond.server.system.constraints import refusing
from openbond.server.system.services import record

from .addressing import RoutingObject, check_use, store_use, use_of
from .private_wans import tell_private_wans

UNIQUE = {
    "connected_ip_enabled_once_on_bond": ("enabled", SAME_IP),
    "cpe_nat_ip_destination_enabled_once_on_bond": ("enabled", SAME_DESTINATION),
    "route_enabled_once_on_bond": ("enabled", SAME_NETWORK),
}
WORDS: dict[type[RoutingObject], str] = {
    ConnectedIP: "connected IP",
    CpeNatIP: "CPE NAT IP",
    Route: "route",
}
SHOWN: dict[type[RoutingObject], tuple[str, ...]] = {
    ConnectedIP: ("bond", "interface", "ip", "prefix", "enabled", "agg_routing", "dhcp_lease"),
    CpeNatIP: ("bond", "ip", "dest_nat_ip", "enabled"),
    Route: ("bond", "network", "gateway", "interface", "enabled", "agg_routing"),
}


def insert_object(*, by: Actor, row: RoutingObject, bond: Bond, now: datetime) -> None:
    """Save a new object of a locked bond. Hold Lock.ADDRESSES. Raises InvalidFields."""
    shown = SHOWN[type(row)]
    check_use(row=row, bond=bond, changed=frozenset(shown), opened=row.enabled)
    with refusing(type(row), UNIQUE):
        row.save(force_insert=True)
    store_use(row=row, bond=bond)
    _tell(bond, row, "created")
    change = Change(after=shown_values(row, shown))
    record(by=by, action="create", row=row, change=change, now=now, space_id=bond.space_id)


def write_object(
    *,
    by: Actor,
    row: RoutingObject,
    after: RoutingObject,
    values: Mapping[str, object],
    bond: Bond,
    now: datetime,
) -> None:
    """Save `values` on a locked object that will be as `after`. Raises InvalidFields."""
    changed = frozenset(name for name in values if getattr(row, name) != getattr(after, name))
    opened = after.enabled and not row.enabled
    check_use(row=after, bond=bond, changed=changed, opened=opened)
    with refusing(type(row), UNIQUE):
        change = change_row(row, values, now=now)
    if not change:
        return
    store_use(row=row, bond=bond)
    if change.after.keys() - {"note"}:
        _tell(bond, row, "changed")
    record(by=by, action="update", row=row, change=change, now=now, space_id=bond.space_id)


def delete_object(*, by: Actor, row: RoutingObject, bond: Bond, now: datetime) -> None:
    """Delete an object of a locked bond."""
    change = Change(before=shown_values(row, SHOWN[type(row)]))
    record(by=by, action="delete", row=row, change=change, now=now, space_id=bond.space_id)
    forget_use(kind=use_of(row, bond).kind, object_id=row.pk)
    _tell(bond, row, "deleted")
    row.delete()


def connected_of(bond: Bond, *, without: ConnectedIP | None = None) -> list[Connected]:
    """Return the connected IPs of a bond, enabled or not (rule R6)."""
    rows = ConnectedIP.objects.filter(bond=bond)
    if without is not None:
        rows = rows.exclude(pk=without.pk)
    return [connected(interface=row.interface, ip=row.ip, prefix=row.prefix) for row in rows]


def _tell(bond: Bond, row: RoutingObject, what: str) -> None:
    ends = [bond.bonder_id, bond.current_aggregator_id]
    reason = f"{WORDS[type(row)]} {row.pk} {what}"
    request_config_update(ends, reason=reason, bond_id=bond.pk)
    tell_private_wans([bond.space_id], reason=reason, told=ends, bond_id=bond.pk)

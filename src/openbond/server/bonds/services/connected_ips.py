"""Writes to connected IPs (api-v3 04-routing 2)."""

from collections.abc import Set
from copy import copy
from typing import TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.bonds.rules.legs import NOT_AN_INTERFACE, is_interface
from openbond.server.bonds.rules.routing import (
    OVERLAPS_INTERFACE,
    Connected,
    connected,
    fault_of_connected_ip,
    fault_of_dhcp,
    overlaps_other_interface,
    serving_network,
)
from openbond.server.errors import InUse, InvalidFields
from openbond.server.system.actors import Actor
from openbond.server.system.addresses import network_of
from openbond.server.system.locks import Lock, locked, take

from .routing import connected_of, delete_object, insert_object, write_object
from .rows import lock_bond

LEG_SIDE = "A leg of the bond uses the interface."
CUT_OFF = "The gateway of a route or the destination of a CPE NAT IP lies in its network."
WHERE = frozenset({"interface", "ip", "prefix", "enabled"})
SERVED = frozenset({"ip", "prefix", "dhcp_lease"})


class ConnectedIPOptions(TypedDict, total=False):
    enabled: bool
    include_private_wan: bool
    agg_routing: str
    note: str
    dhcp_lease: int


class ConnectedIPChanges(ConnectedIPOptions, total=False):
    """`prefix` is the length of the netmask."""

    interface: str
    ip: str
    prefix: int


@transaction.atomic
def create_connected_ip(
    *,
    by: Actor,
    bond: Bond,
    interface: str,
    ip: str,
    prefix: int,
    **options: Unpack[ConnectedIPOptions],
) -> ConnectedIP:
    """Make a connected IP; `ip` in its shortest form. Raises InvalidFields."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(bond.pk)
    row = ConnectedIP(
        bond=owner,
        interface=interface,
        ip=ip,
        prefix=prefix,
        network=str(network_of(ip, prefix)),
        created=now,
        modified=now,
        **options,
    )
    _check(row, owner, changed=WHERE | SERVED)
    insert_object(by=by, row=row, bond=owner, now=now)
    return row


@transaction.atomic
def update_connected_ip(
    *, by: Actor, connected_ip: ConnectedIP, **changes: Unpack[ConnectedIPChanges]
) -> ConnectedIP:
    """Change a connected IP; disabling never fails. Raises InvalidFields, InUse (rule R7)."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(connected_ip.bond_id)
    row = locked(ConnectedIP.objects.all(), connected_ip.pk)
    after = copy(row)
    for name, value in changes.items():
        setattr(after, name, value)
    after.network = str(network_of(after.ip, after.prefix))
    names = WHERE | SERVED
    _check(after, owner, changed={n for n in names if getattr(row, n) != getattr(after, n)})
    if after.network != row.network:
        _refuse_cutting_off(row, owner, stays=[_as_connected(after)])
    values = {**changes, "network": after.network}
    write_object(by=by, row=row, after=after, values=values, bond=owner, now=now)
    return row


@transaction.atomic
def delete_connected_ip(*, by: Actor, connected_ip: ConnectedIP) -> None:
    """Delete a connected IP. Raises InUse (rule R7)."""
    now = timezone.now()
    take(Lock.ADDRESSES)
    owner = lock_bond(connected_ip.bond_id)
    row = locked(ConnectedIP.objects.all(), connected_ip.pk)
    _refuse_cutting_off(row, owner, stays=[])
    delete_object(by=by, row=row, bond=owner, now=now)


def _check(row: ConnectedIP, bond: Bond, *, changed: Set[str]) -> None:
    faults: dict[str, list[str]] = {}
    if "interface" in changed and (fault := _fault_of_interface(row.interface, bond)):
        faults["interface"] = [fault]
    if changed & {"ip", "prefix"} and (
        fault := fault_of_connected_ip(ip=row.ip, prefix=row.prefix)
    ):
        faults["ip"] = [fault]
    if changed & SERVED and (fault := fault_of_dhcp(row.ip, row.prefix, row.dhcp_lease)):
        faults["dhcp_lease"] = [fault]
    if row.enabled and changed and _overlaps(row, bond):
        faults["enabled"] = [OVERLAPS_INTERFACE]
    if faults:
        raise InvalidFields(faults)


def _fault_of_interface(interface: str, bond: Bond) -> str:
    if not is_interface(interface):
        return NOT_AN_INTERFACE
    is_leg = Leg.objects.filter(bond=bond, interface=interface).exists()
    return LEG_SIDE if is_leg else ""


def _overlaps(row: ConnectedIP, bond: Bond) -> bool:
    others = ConnectedIP.objects.filter(bond=bond, enabled=True).exclude(pk=row.pk)
    return overlaps_other_interface(_as_connected(row), [_as_connected(one) for one in others])


def _refuse_cutting_off(row: ConnectedIP, bond: Bond, *, stays: list[Connected]) -> None:
    """Refuse what would leave a gateway or destination in no connected network (rule R7)."""
    remaining = [*connected_of(bond, without=row), *stays]
    gateways = Route.objects.filter(bond=bond).values_list("gateway", flat=True)
    destinations = CpeNatIP.objects.filter(bond=bond).values_list("dest_nat_ip", flat=True)
    if any(serving_network(one, remaining) is None for one in [*gateways, *destinations]):
        raise InUse(CUT_OFF)


def _as_connected(row: ConnectedIP) -> Connected:
    return connected(interface=row.interface, ip=row.ip, prefix=row.prefix)

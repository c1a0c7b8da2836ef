"""Checks what routing objects occupy, and keeps the index of it (api-v3 04-routing 1)."""

from ipaddress import IPv4Network, ip_network
from typing import TypeAlias

from openbond.server.bonds.models import AggRouting, Bond, ConnectedIP, CpeNatIP, Route
from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import RoutingGroup
from openbond.server.ipam.models import NetworkUse, UseKind
from openbond.server.ipam.selectors import fault_of_use
from openbond.server.ipam.services import check_allocation, check_conflict, note_use
from openbond.server.system.addresses import is_private

from .rows import groups_of_bond

RoutingObject: TypeAlias = ConnectedIP | CpeNatIP | Route

# A change of these re-opens a question (rules R2 and R3).
ADDRESS_FIELDS = frozenset({"ip", "prefix", "network"})
CONFLICT_FIELDS = ADDRESS_FIELDS | {"agg_routing", "enabled"}


def use_of(row: RoutingObject, bond: Bond) -> NetworkUse:
    """Return what a routing object occupies; its id may not be known yet."""
    if isinstance(row, CpeNatIP):
        return _use(UseKind.CPE_NAT_IP, row, bond, network=f"{row.ip}/32", address=row.ip)
    is_routed = row.agg_routing != AggRouting.NEVER
    if isinstance(row, Route):
        return _use(UseKind.ROUTE, row, bond, network=row.network, is_routed=is_routed)
    return _use(
        UseKind.CONNECTED_IP, row, bond, network=row.network, address=row.ip, is_routed=is_routed
    )


def check_use(*, row: RoutingObject, bond: Bond, changed: frozenset[str], opened: bool) -> None:
    """Ask whether a new or changed object may stand where it does (rules R1 to R3).

    `changed` are the names that differ, all for a new object; `opened`: enabled goes from false
    to true. Hold Lock.ADDRESSES. Raises InvalidFields on the address or on `enabled`.
    """
    use = use_of(row, bond)
    network = ip_network(use.network)
    is_managed = use.is_public and isinstance(network, IPv4Network)
    if is_managed and (opened or changed & ADDRESS_FIELDS):
        check_allocation(
            field="network" if isinstance(row, Route) else "ip",
            network=network,
            space_id=bond.space_id,
            groups=groups_of_bond(bond),
        )
    if changed & CONFLICT_FIELDS:
        check_conflict(use=use)


def store_use(*, row: RoutingObject, bond: Bond) -> None:
    """Write the index row of a saved routing object."""
    note_use(use=use_of(row, bond))


def check_enabled_uses(*, before: Bond, after: Bond) -> None:
    """Ask R1 again for every enabled public address of a bond that changed place (rule 6).

    Raises InvalidFields on the field that changed.
    """
    asked = _places_to_ask(before, after)
    if not asked:
        return
    uses = NetworkUse.objects.filter(bond_id=before.pk, is_enabled=True, is_public=True)
    for use in uses:
        network = ip_network(use.network)
        if isinstance(network, IPv4Network):
            _check_places(network, after.space_id, asked)


def _places_to_ask(before: Bond, after: Bond) -> list[tuple[str, list[RoutingGroup]]]:
    if after.space_id != before.space_id:
        return [("space", groups_of_bond(after))]
    asked = []
    if after.aggregator_id != before.aggregator_id:
        asked.append(("aggregator", [after.aggregator.routing_group]))
    secondary = after.secondary_aggregator
    if secondary is not None and secondary.pk != before.secondary_aggregator_id:
        asked.append(("secondary_aggregator", [secondary.routing_group]))
    return asked


def _check_places(
    network: IPv4Network, space_id: int, asked: list[tuple[str, list[RoutingGroup]]]
) -> None:
    for field, groups in asked:
        fault = fault_of_use(network=network, space_id=space_id, groups=groups)
        if fault:
            raise InvalidFields.one(field, fault)


def _use(
    kind: UseKind,
    row: RoutingObject,
    bond: Bond,
    *,
    network: str,
    address: str | None = None,
    is_routed: bool = True,
) -> NetworkUse:
    return NetworkUse(
        kind=kind,
        object_id=row.pk or 0,
        bond_id=bond.pk,
        space_id=bond.space_id,
        network=network,
        address=address,
        is_public=not is_private(ip_network(network)),
        is_enabled=row.enabled,
        is_routed=is_routed,
    )

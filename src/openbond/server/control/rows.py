"""Reads all the rows that configs are compiled from, in a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from django.db.models import Manager, Q, QuerySet

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.fleet.models import Node
from openbond.server.fleet.rules import hostname
from openbond.server.qos.models import QosProfile
from openbond.wire.states import NodeKind

from .compile import BondRows, NodeRows
from .private_wans import NO_WANS, WanRows
from .tunnel_keys import tunnel_keys
from .wan_rows import private_wans_of, trunk_peers_of

OfBond = TypeVar("OfBond", Leg, ConnectedIP, CpeNatIP, Route)

# In no config, and each a time to be read and given its zone, hundreds of them for an aggregator.
_IN_NO_CONFIG = ("created", "modified")


def rows_of(nodes: Sequence[Node]) -> dict[int, NodeRows]:
    """Return each node, by id, with the bonds it carries now: its own, or those that run on it."""
    ids = [node.pk for node in nodes]
    carried = Q(bonder_id__in=ids) | Q(current_aggregator_id__in=ids)
    by_node: dict[int, list[BondRows]] = {node_id: [] for node_id in ids}
    complete = _complete(Bond.objects.filter(carried))
    for rows in complete:
        for end in (rows.bond.bonder_id, rows.bond.current_aggregator_id):
            if end in by_node:
                by_node[end].append(rows)
    keys = tunnel_keys(_peer_id(rows.bond, node) for node in nodes for rows in by_node[node.pk])
    profiles = _qos_profiles(rows.bond for rows in complete)
    wans = private_wans_of(
        {
            node.pk: [rows.bond for rows in by_node[node.pk]]
            for node in nodes
            if node.kind == NodeKind.AGGREGATOR
        }
    )
    return {
        node.pk: _node_rows(node, by_node[node.pk], keys, profiles, wans.get(node.pk, NO_WANS))
        for node in nodes
    }


def _node_rows(
    node: Node,
    bonds: Sequence[BondRows],
    keys: Mapping[int, bytes],
    profiles: Iterable[QosProfile],
    wans: WanRows,
) -> NodeRows:
    used = {rows.bond.qos_profile_id for rows in bonds}
    return NodeRows(
        node=node,
        hostname=hostname(space_name=node.space.name, node_name=node.name),
        bonds=[replace(rows, peer_key=keys.get(_peer_id(rows.bond, node), b"")) for rows in bonds],
        qos_profiles=[profile for profile in profiles if profile.pk in used],
        private_wans=wans,
    )


def bonds_carried_by(node: Node) -> QuerySet[Bond]:
    if node.kind == NodeKind.BONDER:
        return Bond.objects.filter(bonder_id=node.pk)
    return Bond.objects.filter(current_aggregator_id=node.pk)


def peers_of(node: Node) -> list[int]:
    """Return the ids of the nodes at the other end of the bonds, and trunks, of a node."""
    column = "current_aggregator_id" if node.kind == NodeKind.BONDER else "bonder_id"
    peers = list(bonds_carried_by(node).values_list(column, flat=True))
    return peers if node.kind == NodeKind.BONDER else [*peers, *trunk_peers_of(node)]


def _complete(carried: QuerySet[Bond]) -> list[BondRows]:
    """Return bonds with all that belongs to them; whose peer's key is wanted, a node decides.

    All bonds of an aggregator are read for a change of one of them, and the change waits for it. So
    each kind of row is one query, shared out here: Django's own prefetching makes a manager and a
    query of each bond and kind, which was half of the time.
    """
    bonds = list(
        carried.prefetch_related("current_aggregator", "space").defer(*_IN_NO_CONFIG).order_by("id")
    )
    legs = _by_bond(Leg.objects.prefetch_related("provider_profile"), bonds)
    connected_ips = _by_bond(ConnectedIP.objects, bonds)
    cpe_nat_ips = _by_bond(CpeNatIP.objects, bonds)
    routes = _by_bond(Route.objects, bonds)
    return [
        BondRows(
            bond=bond,
            peer_key=b"",
            private_wan=bond.space.private_wan_enabled,
            legs=legs[bond.pk],
            connected_ips=connected_ips[bond.pk],
            cpe_nat_ips=cpe_nat_ips[bond.pk],
            routes=routes[bond.pk],
        )
        for bond in bonds
    ]


def _by_bond(
    rows: "QuerySet[OfBond] | Manager[OfBond]", bonds: Iterable[Bond]
) -> dict[int, list[OfBond]]:
    """Return the rows of each bond in an order of their own: it is part of the config's bytes."""
    shared: dict[int, list[OfBond]] = {bond.pk: [] for bond in bonds}
    for row in rows.filter(bond_id__in=list(shared)).defer(*_IN_NO_CONFIG).order_by("id"):
        shared[row.bond_id].append(row)
    return shared


def _qos_profiles(bonds: Iterable[Bond]) -> list[QosProfile]:
    used = {bond.qos_profile_id for bond in bonds if bond.qos_profile_id is not None}
    if not used:
        return []
    profiles = QosProfile.objects.filter(pk__in=used)
    return list(profiles.prefetch_related("classes", "filters").order_by("id"))


def _peer_id(bond: Bond, node: Node) -> int:
    ids: tuple[int, int] = (bond.bonder_id, bond.current_aggregator_id)
    return ids[node.kind == NodeKind.BONDER]

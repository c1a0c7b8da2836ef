"""Reads all the rows that configs are compiled from, in a fixed number of queries."""

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Prefetch, Q, QuerySet

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.fleet.models import Node
from openbond.server.fleet.rules import hostname
from openbond.server.qos.models import QosProfile
from openbond.wire.states import NodeKind

from .compile import BondRows, NodeRows
from .private_wans import NO_WANS, WanRows
from .tunnel_keys import tunnel_keys
from .wan_rows import private_wans_of, trunk_peers_of


def rows_of(nodes: Sequence[Node]) -> dict[int, NodeRows]:
    """Return each node, by id, with the bonds it carries now: its own, or those that run on it."""
    ids = [node.pk for node in nodes]
    carried = Q(bonder_id__in=ids) | Q(current_aggregator_id__in=ids)
    by_node: dict[int, list[Bond]] = {node_id: [] for node_id in ids}
    bonds = list(_complete(Bond.objects.filter(carried)))
    for bond in bonds:
        for end in (bond.bonder_id, bond.current_aggregator_id):
            if end in by_node:
                by_node[end].append(bond)
    keys = tunnel_keys(_peer_id(bond, node) for node in nodes for bond in by_node[node.pk])
    profiles = _qos_profiles(bonds)
    wans = private_wans_of(
        {node.pk: by_node[node.pk] for node in nodes if node.kind == NodeKind.AGGREGATOR}
    )
    return {
        node.pk: _node_rows(node, by_node[node.pk], keys, profiles, wans.get(node.pk, NO_WANS))
        for node in nodes
    }


def _node_rows(
    node: Node,
    bonds: Sequence[Bond],
    keys: Mapping[int, bytes],
    profiles: Iterable[QosProfile],
    wans: WanRows,
) -> NodeRows:
    used = {bond.qos_profile_id for bond in bonds}
    return NodeRows(
        node=node,
        hostname=hostname(space_name=node.space.name, node_name=node.name),
        bonds=[_bond_rows(bond, keys.get(_peer_id(bond, node), b"")) for bond in bonds],
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


def _complete(bonds: QuerySet[Bond]) -> QuerySet[Bond]:
    # The order is part of the config: the same rows must give the same bytes.
    legs = Leg.objects.order_by("id").select_related("provider_profile")
    return (
        bonds.select_related("current_aggregator", "space")
        .prefetch_related(
            Prefetch("legs", legs),
            Prefetch("connected_ips", ConnectedIP.objects.order_by("id")),
            Prefetch("cpe_nat_ips", CpeNatIP.objects.order_by("id")),
            Prefetch("routes", Route.objects.order_by("id")),
        )
        .order_by("id")
    )


def _bond_rows(bond: Bond, peer_key: bytes) -> BondRows:
    return BondRows(
        bond=bond,
        peer_key=peer_key,
        private_wan=bond.space.private_wan_enabled,
        legs=list(bond.legs.all()),
        connected_ips=list(bond.connected_ips.all()),
        cpe_nat_ips=list(bond.cpe_nat_ips.all()),
        routes=list(bond.routes.all()),
    )


def _qos_profiles(bonds: Iterable[Bond]) -> list[QosProfile]:
    used = {bond.qos_profile_id for bond in bonds if bond.qos_profile_id is not None}
    if not used:
        return []
    profiles = QosProfile.objects.filter(pk__in=used)
    return list(profiles.prefetch_related("classes", "filters").order_by("id"))


def _peer_id(bond: Bond, node: Node) -> int:
    ids: tuple[int, int] = (bond.bonder_id, bond.current_aggregator_id)
    return ids[node.kind == NodeKind.BONDER]

"""Reads what private WANs are compiled from, in a fixed number of queries (behaviour 5.8)."""

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Prefetch, Q

from openbond.server.bonds.models import Bond, ConnectedIP, Route
from openbond.server.fleet.models import Aggregator, Node, Trunk

from .private_wans import Member, SpaceRows, TrunkRows, WanRows
from .tunnel_keys import tunnel_keys


def private_wans_of(carried: Mapping[int, Sequence[Bond]]) -> dict[int, WanRows]:
    """Return for each aggregator, by id, the private WANs of the bonds it carries."""
    spaces = {
        bond.space_id
        for bonds in carried.values()
        for bond in bonds
        if bond.space.private_wan_enabled
    }
    if not spaces:
        return {}
    members = _members(spaces)
    trunks = _trunks(carried.keys())
    return {
        node_id: _wan_rows(node_id, bonds, members, trunks) for node_id, bonds in carried.items()
    }


def trunk_peers_of(node: Node) -> list[int]:
    """Return the ids of the aggregators at the other end of an aggregator's trunks."""
    ends = Trunk.objects.filter(Q(first=node.pk) | Q(second=node.pk))
    pairs = ends.values_list("first_id", "second_id")
    return [peer for pair in pairs for peer in pair if peer != node.pk]


def _members(spaces: Iterable[int]) -> dict[int, SpaceRows]:
    """Return all bonds of these spaces, on whatever aggregator they are now."""
    bonds = (
        Bond.objects.filter(space__in=spaces)
        .select_related("space")
        .prefetch_related(
            Prefetch("connected_ips", ConnectedIP.objects.order_by("id")),
            Prefetch("routes", Route.objects.order_by("id")),
        )
        .order_by("id")
    )
    found: dict[int, SpaceRows] = {}
    for bond in bonds:
        space = found.setdefault(bond.space_id, SpaceRows(space=bond.space))
        space.members.append(
            Member(
                bond_id=bond.pk,
                node_id=bond.current_aggregator_id,
                connected_ips=list(bond.connected_ips.all()),
                routes=list(bond.routes.all()),
            )
        )
    return found


def _trunks(node_ids: Iterable[int]) -> list[TrunkRows]:
    ids = list(node_ids)
    rows = Trunk.objects.filter(Q(first__in=ids) | Q(second__in=ids)).order_by("id")
    trunks = list(rows)
    ends = {end for trunk in trunks for end in (trunk.first_id, trunk.second_id)}
    addresses = dict(Aggregator.objects.filter(pk__in=ends).values_list("pk", "ip"))
    keys = tunnel_keys(ends)
    return [TrunkRows(trunk=trunk, addresses=addresses, keys=keys) for trunk in trunks]


def _wan_rows(
    node_id: int,
    bonds: Sequence[Bond],
    members: Mapping[int, SpaceRows],
    trunks: Sequence[TrunkRows],
) -> WanRows:
    here = sorted({bond.space_id for bond in bonds if bond.space.private_wan_enabled})
    spaces = [members[space_id] for space_id in here]
    others = {member.node_id for space in spaces for member in space.members} - {node_id}
    wanted = [
        rows for rows in trunks if node_id in rows.ends and rows.other_than(node_id) in others
    ]
    return WanRows(spaces=spaces, trunks=wanted)

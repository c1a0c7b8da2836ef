"""Who must learn when a private WAN changes: every aggregator with bonds of the space (§5.8)."""

from collections.abc import Collection, Iterable

from openbond.server.bonds.models import Bond
from openbond.server.fleet.services import Move, join_aggregators, request_config_update


def tell_private_wans(
    space_ids: Iterable[int], *, reason: str, told: Collection[int] = (), bond_id: int | None = None
) -> None:
    """Note that the aggregators of these spaces' private WANs must learn something.

    `told`: nodes that are told otherwise. Trunks that are missing between them are made. Call it in
    the transaction of the change, when the rows are as they will be.
    """
    by_space: dict[int, set[int]] = {}
    bonds = Bond.objects.filter(space_id__in=set(space_ids), space__private_wan_enabled=True)
    for space_id, node_id in bonds.values_list("space_id", "current_aggregator_id").distinct():
        by_space.setdefault(space_id, set()).add(node_id)
    nodes: set[int] = set()
    for together in by_space.values():
        join_aggregators(together)
        nodes |= together
    request_config_update(sorted(nodes.difference(told)), reason=reason, bond_id=bond_id)


def tell_of_moves(space_ids: Iterable[int], moves: Collection[Move], *, reason: str) -> None:
    """Tell private WANs where bonds are now; the ends of a move learn it in their own order."""
    ends = {node for move in moves for node in (move.old, move.new)}
    tell_private_wans(space_ids, reason=reason, told=ends)

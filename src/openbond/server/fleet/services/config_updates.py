"""The outbox: which node must learn what (behaviour 1.9)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from django.db import transaction
from django.utils import timezone

from openbond.server.fleet.models import ConfigUpdate, Node
from openbond.server.system.doorbell import ring_on_commit

# How long one end of a planned move waits for the one before it (behaviour 6.2).
WAITS_MOST = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Move:
    """A bond that runs on another aggregator from now on; ids of nodes."""

    bond_id: int
    bonder_id: int
    old: int
    new: int


def request_config_update(
    nodes: Iterable[Node | int | None],
    *,
    reason: str,
    bond_id: int | None = None,
    forced: bool = False,
) -> None:
    """Note that `nodes` (rows or ids; None is left out, each counts once) must learn something.

    The rows keep the order of `nodes`.

    Call it in the transaction of the change: a rollback then also forgets the request. `forced`
    makes a config that the node may not undo (behaviour 1.8, 1.10).
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a config update belongs to a change")
    now = timezone.now()
    ids = dict.fromkeys(node.pk if isinstance(node, Node) else node for node in nodes if node)
    ConfigUpdate.objects.bulk_create(
        ConfigUpdate(node_id=node_id, bond_id=bond_id, reason=reason, forced=forced, created=now)
        for node_id in ids
    )
    ring_on_commit()


def request_moves(moves: Sequence[Move], *, reason: str, is_planned: bool) -> None:
    """Note that the three nodes of each move must learn of it; call it in its transaction.

    Planned: the new aggregator first, then the bonder, then the old aggregator, each when the one
    before has applied it or after 30 s. In a failover nobody waits, and what waited for one of its
    nodes does so no longer (behaviour 6.2, order of delivery).
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a config update belongs to a change")
    now = timezone.now()
    told = [[_of_move(move, node, reason) for node in _nodes_of(move)] for move in moves]
    rows = [row for three in told for row in three]
    for row in rows:
        row.created = now
    ConfigUpdate.objects.bulk_create(rows)
    ring_on_commit()
    if is_planned:
        _let_wait(told)
    else:
        nodes = {row.node_id for row in rows}
        waiting = ConfigUpdate.objects.filter(node_id__in=nodes, held_until__isnull=False)
        waiting.filter(revision__isnull=True).update(waits_for=None, held_until=None)


def _nodes_of(move: Move) -> tuple[int, int, int]:
    return move.new, move.bonder_id, move.old


def _of_move(move: Move, node_id: int, reason: str) -> ConfigUpdate:
    return ConfigUpdate(node_id=node_id, bond_id=move.bond_id, reason=reason)


def _let_wait(told: Iterable[Sequence[ConfigUpdate]]) -> None:
    waiting = []
    for three in told:
        for place, (before, row) in enumerate(pairwise(three), start=1):
            row.waits_for, row.held_until = before, row.created + place * WAITS_MOST
            waiting.append(row)
    ConfigUpdate.objects.bulk_update(waiting, ["waits_for", "held_until"])

"""Moves bonds off failed aggregators; what keeps them is told once (behaviour 6.1, 6.2).

A check, the mark it sets, the moves that follow and what is told of them are one transaction.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import transaction

from openbond.server.bonds.models import Bond
from openbond.server.bonds.selectors.failover import bonds_to_move, with_tunnel_elsewhere
from openbond.server.fleet.models import Aggregator
from openbond.server.fleet.rules import CheckMark
from openbond.server.fleet.selectors import Watched, why_nothing_moves
from openbond.server.fleet.services import (
    Move,
    holds_lease,
    note_held,
    note_hosts,
    record_check,
    request_moves,
)
from openbond.server.system.actors import SERVER
from openbond.server.system.changes import Change
from openbond.server.system.models import AuditEntry
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import entry_of

from .failover_words import Check, failure_alert, held_alert, recovery_alert
from .private_wans import tell_of_moves

AT_ONCE = 500  # rows named in one statement
STILL_UP = "A bonder of the failed aggregator still reports its tunnel up."

log = structlog.get_logger(__name__)


@transaction.atomic
def take_check(
    *, holder: str, watched: Watched, check: Check, misses: int, hosts_fault: str, now: datetime
) -> CheckMark | None:
    """Take one check of an aggregator, and do what follows from it.

    `misses`: those in a row before it; `hosts_fault`: which known host did not answer just now.
    None: nothing was done, as another process checks now, or the aggregator is not monitored.
    """
    if not holds_lease(holder=holder, now=now):
        return None
    checked = record_check(watched=watched, misses=misses, answered=check.is_answered, now=now)
    if checked is None:
        return None
    moved, held = _move_due(hosts_fault, now) if checked.mark.failed else ([], "")
    if checked.has_changed and checked.mark.failed:
        failure_alert(watched, check, misses=checked.mark.misses, moved=moved, held=held, now=now)
    elif checked.has_changed:
        recovery_alert(watched, now=now)
    return checked.mark


@transaction.atomic
def evaluate_moves(*, holder: str, hosts_fault: str, now: datetime) -> int:
    """Move what is due on aggregators that failed before; return how many bonds moved.

    For secondaries that were assigned since, and for what was held up.
    """
    if not holds_lease(holder=holder, now=now):
        return 0
    moved, _ = _move_due(hosts_fault, now)
    return len(moved)


def _move_due(hosts_fault: str, now: datetime) -> tuple[list[Move], str]:
    """Move all bonds that are due; return the moves, and in words why others were not made."""
    wanted = current_settings()
    note_hosts(fault=hosts_fault)
    due = bonds_to_move(wanted, now=now)
    held = why_nothing_moves(wanted, hosts_fault=hosts_fault)
    if held:
        return [], _told_if_new(held, due.count(), now)
    free = with_tunnel_elsewhere(due, now=now) if wanted.failover_ask_bonders else due
    bonds = list(free.select_for_update(of=("self",)))
    moves = [_move_of(bond) for bond in bonds]
    if moves:
        _make(bonds, moves, now)
    waiting = due.count() if wanted.failover_ask_bonders else 0
    return moves, _told_if_new(STILL_UP, waiting, now)


def _told_if_new(held: str, bonds: int, now: datetime) -> str:
    """Tell operators once per occasion that bonds are kept where they are; return the words."""
    words = held if bonds else ""
    if note_held(why=words):
        held_alert(words, bonds=bonds, now=now)
    return words


def _move_of(bond: Bond) -> Move:
    is_on_primary = bond.current_aggregator_id == bond.aggregator_id
    target = bond.secondary_aggregator_id if is_on_primary else bond.aggregator_id
    if target is None:
        raise ValueError(f"bond {bond.pk} has no aggregator to move to: it was not due")
    return Move(
        bond_id=bond.pk, bonder_id=bond.bonder_id, old=bond.current_aggregator_id, new=target
    )


def _make(bonds: Sequence[Bond], moves: Sequence[Move], now: datetime) -> None:
    # Ports need no look: they are free at both aggregators of a bond, and these stay the same.
    names = dict(Aggregator.objects.values_list("pk", "name"))
    for start in range(0, len(moves), AT_ONCE):
        part = moves[start : start + AT_ONCE]
        for target in {move.new for move in part}:
            ids = [move.bond_id for move in part if move.new == target]
            Bond.objects.filter(pk__in=ids).update(current_aggregator_id=target)
    request_moves(moves, reason="aggregator failover", is_planned=False)
    tell_of_moves({bond.space_id for bond in bonds}, moves, reason="aggregator failover")
    entries = [_entry(bond, move, names, now) for bond, move in zip(bonds, moves, strict=True)]
    AuditEntry.objects.bulk_create(entries)
    for (old, new), count in Counter((move.old, move.new) for move in moves).items():
        log.warning("bonds moved", bonds=count, old=names[old], new=names[new])


def _entry(bond: Bond, move: Move, names: dict[int, str], now: datetime) -> AuditEntry:
    reason = f"failover: aggregator {names[move.old]} has failed"
    change = Change(
        before={"current_aggregator": move.old},
        after={"current_aggregator": move.new, "reason": reason},
    )
    return entry_of(
        by=SERVER, action="move", row=bond, change=change, now=now, space_id=bond.space_id
    )

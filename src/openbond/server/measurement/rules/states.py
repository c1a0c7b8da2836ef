"""Arithmetic of leg states over time (behaviour 3.2, 3.9; api-v3 03-legs 4). No database, no clock.

A leg has three sources: its mode (offline or not), and the two ends. The overall state at any time
follows from what each said last; a history is that, cut into intervals of whole seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from operator import itemgetter

from openbond.wire.states import ShownState

HISTORY = timedelta(hours=24)

# The first of these that either end has is the overall state.
PRECEDENCE = (
    ShownState.DOWN,
    ShownState.REMOVED,
    ShownState.HANDSHAKING,
    ShownState.TESTING,
    ShownState.UNHEALTHY,
    ShownState.ADJUSTED,
    ShownState.FAILOVER,
    ShownState.IDLE,
    ShownState.UP,
)


class Source(StrEnum):
    MODE = "mode"  # says OFFLINE or UP, and UP means only "not offline"
    DUTY = "duty"  # says UP while the leg is active and no failover leg, else IDLE
    BONDER = "bonder"
    AGGREGATOR = "aggregator"


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on, a source says `state`."""

    at: datetime
    state: ShownState


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of one overall state; `end` is None while it lasts. `duration` in seconds."""

    state: ShownState
    start: datetime
    end: datetime | None
    duration: int


def combined(*, offline: bool, aggregator: ShownState, bonder: ShownState) -> ShownState:
    """Return the overall state of a leg. Never anything but a state of the closed set."""
    if offline:
        return ShownState.OFFLINE
    ends = {aggregator, bonder}
    return next((state for state in PRECEDENCE if state in ends), ShownState.UNKNOWN)


def changes_to_record(
    *,
    last: Change | None,
    heard: datetime | None,
    told: Change,
    continuous: bool,
    timeout: timedelta,
) -> list[Change]:
    """Return the rows that `told` adds to those of one end, oldest first.

    `heard`: when the end was last heard before. After a silence longer than `timeout` the time
    between is unknown, unless the report is `continuous`: the end did live, and lost no report.
    """
    if last is None:
        return [told]
    start = max(told.at, last.at)
    silent_from = (heard or last.at) + timeout
    gap = start > silent_from and not continuous and last.state is not ShownState.UNKNOWN
    rows = [Change(silent_from, ShownState.UNKNOWN)] if gap else []
    known = rows[-1].state if rows else last.state
    return rows if told.state is known else [*rows, Change(start, told.state)]


def fresh(
    changes: Sequence[Change], *, heard: datetime | None, now: datetime, timeout: timedelta
) -> list[Change]:
    """Return the changes of one end as of `now`: unknown again once it fell silent."""
    silent_from = (heard or now - 2 * timeout) + timeout
    if not changes or silent_from > now or changes[-1].state is ShownState.UNKNOWN:
        return list(changes)
    silence = Change(max(silent_from, changes[-1].at), ShownState.UNKNOWN)
    return [*changes, silence]


def history(
    changes: Mapping[Source, Sequence[Change]], *, since: datetime, now: datetime
) -> list[Interval]:
    """Return contiguous intervals of the overall state from `since` until now, oldest first.

    Times are cut to whole seconds; equal neighbours are merged; there is always one interval.
    """
    began, ends = _whole(since), _whole(now)
    overall = _merged(_overall(changes, began, ends))
    closed = [_interval(one, other.at) for one, other in pairwise(overall)]
    last = overall[-1]
    return [*closed, Interval(last.state, last.at, None, _seconds(ends - last.at))]


def _overall(
    changes: Mapping[Source, Sequence[Change]], began: datetime, ends: datetime
) -> Iterable[Change]:
    # Changes before the window only decide how it begins; of several in one second the last counts.
    moves = [
        (max(_whole(change.at), began), source, change.state)
        for source, track in changes.items()
        for change in track
        if _whole(change.at) <= ends
    ]
    moves.sort(key=itemgetter(0))  # stable: the order within a source stays
    said = dict.fromkeys(Source, ShownState.UNKNOWN)
    yield Change(began, _state_of(said))
    for at, together in groupby(moves, key=itemgetter(0)):
        said.update((source, state) for _, source, state in together)
        yield Change(at, _state_of(said))


def _state_of(said: Mapping[Source, ShownState]) -> ShownState:
    return combined(
        offline=said[Source.MODE] is ShownState.OFFLINE,
        aggregator=said[Source.AGGREGATOR],
        bonder=said[Source.BONDER],
    )


def _merged(changes: Iterable[Change]) -> list[Change]:
    kept: list[Change] = []
    for change in changes:
        if kept and kept[-1].at == change.at:
            kept.pop()
        if not kept or kept[-1].state is not change.state:
            kept.append(change)
    return kept


def _interval(change: Change, end: datetime) -> Interval:
    return Interval(change.state, change.at, end, _seconds(end - change.at))


def _whole(time: datetime) -> datetime:
    return time.replace(microsecond=0)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())

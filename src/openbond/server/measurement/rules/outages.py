"""Prevented downtime: outages of legs, cut to periods (behaviour 4.9). No database, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from zoneinfo import ZoneInfo

from openbond.wire.states import ShownState

from .states import Change, Source, combined


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of one leg's `down`, half-open; one that lasts ends where the view ends."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar week or month; `end` is exclusive."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Prevented:
    """What the customers of some bonds did not notice. `duration` in seconds."""

    duration: int
    count: int


def previous_week(now: datetime, zone: ZoneInfo) -> Period:
    """Return the previous calendar week, Sunday to Saturday, as days are in `zone`."""
    today = now.astimezone(zone).date()
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    return Period(_midnight(sunday - timedelta(days=7), zone), _midnight(sunday, zone))


def previous_month(now: datetime, zone: ZoneInfo) -> Period:
    """Return the previous calendar month, as days are in `zone`."""
    first = now.astimezone(zone).date().replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    return Period(_midnight(before, zone), _midnight(first, zone))


def outages(
    changes: Mapping[Source, Sequence[Change]], *, since: datetime, until: datetime
) -> list[Outage]:
    """Return when a leg was `down` while active and no failover leg, oldest first.

    Changes before `since` only decide how the view begins.
    """
    moves = [
        (max(change.at, since), source, change.state)
        for source, track in changes.items()
        for change in track
        if change.at < until
    ]
    moves.sort(key=itemgetter(0))  # stable: the order within a source stays
    said = dict.fromkeys(Source, ShownState.UNKNOWN)
    found: list[Outage] = []
    began: datetime | None = None
    for at, together in groupby(moves, key=itemgetter(0)):
        said.update((source, state) for _, source, state in together)
        is_out = _is_out(said)
        if is_out and began is None:
            began = at
        elif began is not None and not is_out:
            found.append(Outage(began, at))
            began = None
    return found if began is None else [*found, Outage(began, until)]


def _is_out(said: Mapping[Source, ShownState]) -> bool:
    state = combined(
        offline=said[Source.MODE] is ShownState.OFFLINE,
        aggregator=said[Source.AGGREGATOR],
        bonder=said[Source.BONDER],
    )
    return state is ShownState.DOWN and said[Source.DUTY] is ShownState.UP


def prevented(
    outages_of_legs: Iterable[Sequence[Outage]], *, period: Period, shortest: timedelta
) -> Prevented:
    """Return the prevented downtime of one bond; each sequence is one leg's outages.

    The full length of an outage decides whether it is long enough, not the part in the period.
    """
    parts = [
        part
        for outages in outages_of_legs
        for outage in outages
        if (part := _cut(outage, period, shortest)) is not None
    ]
    total = sum((end - start for start, end in parts), timedelta())
    return Prevented(duration=int(total.total_seconds()), count=_chains(parts))


def _cut(outage: Outage, period: Period, shortest: timedelta) -> tuple[datetime, datetime] | None:
    start, end = max(outage.start, period.start), min(outage.end, period.end)
    if start >= end or outage.end - outage.start < shortest:
        return None
    return start, end


def _chains(parts: Iterable[tuple[datetime, datetime]]) -> int:
    """Count stretches that overlap, directly or through a chain, as one."""
    count = 0
    reached: datetime | None = None
    for start, end in sorted(parts):
        # Half-open: one that begins when another ends does not overlap it.
        if reached is None or start >= reached:
            count, reached = count + 1, end
        else:
            reached = max(reached, end)
    return count


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)

"""Prevented downtime: outages of legs, cut to periods (behaviour 4.9). No database, no clock."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias
from zoneinfo import ZoneInfo

from openbond.wire.states import ShownState

from .states import Change, Source, combined

Span: TypeAlias = tuple[datetime, datetime]

# What a leg can carry something in; next to outages, "none left" is when no leg can.
FIT = frozenset({ShownState.UP, ShownState.ADJUSTED, ShownState.UNHEALTHY, ShownState.FAILOVER})


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
class LegTimes:
    """When one leg was out, and when it was fit."""

    outages: Sequence[Outage]
    fit: Sequence[Span] = ()


@dataclass(frozen=True, slots=True)
class Prevented:
    """What the customers of some bonds did not notice. `duration` in seconds.

    `none_left`: the seconds of it, once per bond, in which they did: no leg was fit.
    """

    duration: int
    count: int
    none_left: int


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
    return [Outage(start, end) for start, end in _stretches(changes, _is_out, since, until)]


def fit_times(
    changes: Mapping[Source, Sequence[Change]], *, since: datetime, until: datetime
) -> list[Span]:
    """Return when a leg could carry something, whatever its duty, oldest first."""
    return _stretches(changes, _is_fit, since, until)


def prevented(legs: Iterable[LegTimes], *, period: Period, shortest: timedelta) -> Prevented:
    """Return the prevented downtime of one bond.

    The full length of an outage decides whether it is long enough, not the part in the period.
    """
    of_legs = list(legs)
    parts = [
        part
        for leg in of_legs
        for outage in leg.outages
        if (part := _cut(outage, period, shortest)) is not None
    ]
    counted = _joined(parts)
    fit = _joined(span for leg in of_legs for span in leg.fit)
    return Prevented(
        duration=_seconds(parts), count=len(counted), none_left=_seconds(_without(counted, fit))
    )


def _stretches(
    changes: Mapping[Source, Sequence[Change]],
    holds: Callable[[Mapping[Source, ShownState]], bool],
    since: datetime,
    until: datetime,
) -> list[Span]:
    """Return when something holds of what the sources say, half-open, cut to the view."""
    moves = [
        (max(change.at, since), source, change.state)
        for source, track in changes.items()
        for change in track
        if change.at < until
    ]
    moves.sort(key=itemgetter(0))  # stable: the order within a source stays
    said = dict.fromkeys(Source, ShownState.UNKNOWN)
    found: list[Span] = []
    began: datetime | None = None
    for at, together in groupby(moves, key=itemgetter(0)):
        said.update((source, state) for _, source, state in together)
        does_hold = holds(said)
        if does_hold and began is None:
            began = at
        elif began is not None and not does_hold:
            found.append((began, at))
            began = None
    return found if began is None else [*found, (began, until)]


def _is_out(said: Mapping[Source, ShownState]) -> bool:
    return _overall(said) is ShownState.DOWN and said[Source.DUTY] is ShownState.UP


def _is_fit(said: Mapping[Source, ShownState]) -> bool:
    return _overall(said) in FIT


def _overall(said: Mapping[Source, ShownState]) -> ShownState:
    return combined(
        offline=said[Source.MODE] is ShownState.OFFLINE,
        aggregator=said[Source.AGGREGATOR],
        bonder=said[Source.BONDER],
    )


def _cut(outage: Outage, period: Period, shortest: timedelta) -> Span | None:
    start, end = max(outage.start, period.start), min(outage.end, period.end)
    if start >= end or outage.end - outage.start < shortest:
        return None
    return start, end


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap, directly or through a chain, oldest first."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        # Half-open: one that begins when another ends does not overlap it.
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _without(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """Return what is left of spans outside of the others, which are joined and in order."""
    left: list[Span] = []
    for start, end in spans:
        for other_start, other_end in others:
            if other_end <= start or other_start >= end:
                continue
            if other_start > start:
                left.append((start, other_start))
            start = max(start, other_end)
        if start < end:
            left.append((start, end))
    return left


def _seconds(spans: Iterable[Span]) -> int:
    return int(sum((end - start for start, end in spans), timedelta()).total_seconds())


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # In UTC, as Python's differences within one zone leave out its changes of clocks.
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)

"""When an alarm opens and closes (behaviour 3.10). No database, no clock.

A watched thing has at most one track per kind: waiting since trouble began, then open, then gone.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

MTU_LEAST = 1280  # bytes, outer packet
SLOW_PERCENT, FAST_PERCENT = 50, 60
CALM = timedelta(minutes=30)


class AlarmKind(StrEnum):
    LEG_DOWN = "leg_down"
    LEG_FLAPPING = "leg_flapping"
    FAILOVER_IN_USE = "failover_in_use"
    BOND_DOWN = "bond_down"
    MTU_LOW = "mtu_low"
    SPEED_ADJUSTED = "speed_adjusted"


class Finding(Enum):
    """What one look at a thing says."""

    BAD = auto()
    FIT = auto()
    NEITHER = auto()  # on its way, or nobody knows: opens nothing and closes nothing


@dataclass(frozen=True, slots=True)
class Limits:
    """How long it must be bad until the alarm opens, and fit until it closes."""

    opens_after: timedelta
    closes_after: timedelta


LIMITS = {
    AlarmKind.LEG_DOWN: Limits(timedelta(minutes=5), timedelta(minutes=5)),
    # The finding itself has the times: so many changes in the bond's window, and 30 min of calm.
    AlarmKind.LEG_FLAPPING: Limits(timedelta(0), timedelta(0)),
    AlarmKind.FAILOVER_IN_USE: Limits(timedelta(minutes=5), timedelta(minutes=5)),
    AlarmKind.BOND_DOWN: Limits(timedelta(seconds=60), timedelta(seconds=60)),
    AlarmKind.MTU_LOW: Limits(timedelta(0), timedelta(0)),
    AlarmKind.SPEED_ADJUSTED: Limits(timedelta(minutes=60), timedelta(minutes=10)),
}

# A bond without any leg is one trouble, not one per leg: its own alarm covers these.
COVERED_BY_BOND_DOWN = frozenset({AlarmKind.LEG_DOWN, AlarmKind.FAILOVER_IN_USE})


@dataclass(frozen=True, slots=True)
class Track:
    """`since`: trouble began; `fit_since`: it looks over. `opened`, `closed`: None until then."""

    since: datetime
    opened: datetime | None = None
    fit_since: datetime | None = None
    closed: datetime | None = None


def next_track(
    track: Track | None, finding: Finding, *, limits: Limits, may_open: bool, now: datetime
) -> Track | None:
    """Return the track after one look; None: there is nothing to watch.

    `may_open` is False while the thing is under test or covered by another alarm.
    """
    if track is not None and track.opened is not None:
        return _open_track(track, finding, limits, now)
    if finding is Finding.FIT or not may_open:
        return None
    if finding is Finding.NEITHER:
        return track
    waiting = track or Track(since=now)
    is_long = now - waiting.since >= limits.opens_after
    return replace(waiting, opened=now) if is_long else waiting


def _open_track(track: Track, finding: Finding, limits: Limits, now: datetime) -> Track:
    if finding is not Finding.FIT:
        return replace(track, fit_since=None)
    fit_since = track.fit_since or now
    is_over = now - fit_since >= limits.closes_after
    return replace(track, fit_since=fit_since, closed=now if is_over else None)


def of_mtu(mtus: tuple[int | None, int | None]) -> Finding:
    """Judge the path MTUs measured in both directions, in bytes; None: not measured."""
    measured = [mtu for mtu in mtus if mtu is not None]
    return Finding.BAD if measured and min(measured) < MTU_LEAST else Finding.FIT


def of_speeds(configured: tuple[int, int], adapted: tuple[int | None, int | None]) -> Finding:
    """Judge what adaptation left of the configured speeds; any one unit, None: not lowered."""
    shares = [
        100 * now // full
        for full, now in zip(configured, adapted, strict=True)
        if now is not None and full
    ]
    least = min(shares, default=100)
    if least < SLOW_PERCENT:
        return Finding.BAD
    return Finding.FIT if least > FAST_PERCENT else Finding.NEITHER


def of_flaps(downs: list[datetime], *, threshold: int, window: timedelta, now: datetime) -> Finding:
    """Judge the times at which a leg went down, by the flap limits of its bond."""
    recent = sum(now - at <= window for at in downs)
    if recent >= threshold:
        return Finding.BAD
    return Finding.FIT if all(now - at >= CALM for at in downs) else Finding.NEITHER

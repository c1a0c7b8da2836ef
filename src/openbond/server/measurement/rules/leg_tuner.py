"""How the speeds of a leg are found (behaviour 4.5). No database, no clock."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from openbond.wire.speed_tests import Direction

from .tuning import (
    FailureCode,
    LegSpeeds,
    LegTuner,
    Measured,
    Numbers,
    Speed,
    TuningFailed,
    Wanted,
    mbit,
)

R = TypeVar("R")
Tests: TypeAlias = Generator[Wanted, Measured, R]

STREAMS = (1, 4, 8)
# Spreads of the unlimited tests, as shares of their mean.
MORE_STREAMS_OVER = 0.15
UNSTEADY_OVER = 0.25
BOOST_OVER = 0.10
LEAST_KBPS = 100
ROUNDED_TO_KBPS = 100
# What a good limit keeps to.
GOOD_SHARE = 0.97
GOOD_LOSS_BELOW = 0.5  # percent
GOOD_LATENCY_MS, GOOD_LATENCY_SHARE = 10.0, 0.25
# The beginning of TCP is no part of any mean.
LEFT_OUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Steady:
    """The speed a line keeps, in kbit/s; `has_boost` if it began faster."""

    kbps: float
    has_boost: bool


@dataclass(slots=True)
class _Way:
    """One direction of one leg: the test that is varied, and the best speed received so far."""

    wanted: Wanted
    best_kbps: float = 0.0

    def run(self, wanted: Wanted) -> Tests[Measured]:
        measured = yield wanted
        self.best_kbps = max(self.best_kbps, measured.throughput_kbps)
        return measured


def tune_leg(leg_id: int, numbers: Numbers) -> LegTuner:
    """Find the speeds of a leg, download first.

    Raises TuningFailed: UNSTEADY, TOO_SLOW.
    """
    down = yield from _tune(Wanted(leg_id, Direction.DOWNLOAD, numbers.unlimited_seconds), numbers)
    up = yield from _tune(Wanted(leg_id, Direction.UPLOAD, numbers.unlimited_seconds), numbers)
    return LegSpeeds(leg_id, down, up)


def _tune(wanted: Wanted, numbers: Numbers) -> Tests[Speed]:
    way = _Way(wanted)
    idle_ms = yield from _find_streams(way, numbers)
    long = yield from way.run(replace(way.wanted, seconds=numbers.steady_seconds))
    steady = steady_speed(long, seconds=numbers.steady_seconds)
    if steady.kbps < LEAST_KBPS:
        raise TuningFailed(
            FailureCode.TOO_SLOW,
            f"The steady speed of the {wanted.direction} is {steady.kbps:.0f} kbit/s, "
            "less than 0.1 Mbit/s.",
        )
    limit = yield from _sweep(way, steady, idle_ms, numbers)
    return _speed(way, steady, limit)


def _find_streams(way: _Way, numbers: Numbers) -> Tests[float]:
    """Settle how many streams the tests use, so that they agree; return the idle latency in ms."""
    idle_ms: float | None = None
    speeds: list[float] = []
    for streams in STREAMS:
        way.wanted, speeds = replace(way.wanted, concurrency=streams), []
        for _ in range(numbers.unlimited_times):
            is_first = idle_ms is None
            seconds = numbers.idle_seconds if is_first else 0
            measured = yield from way.run(replace(way.wanted, idle_seconds=seconds))
            idle_ms = _idle(measured, way) if is_first else idle_ms
            speeds.append(measured.throughput_kbps)
        if spread(speeds) <= MORE_STREAMS_OVER:
            break
    if idle_ms is None or spread(speeds) > UNSTEADY_OVER:
        told = ", ".join(f"{kbps / 1000:.1f}" for kbps in speeds)
        raise TuningFailed(
            FailureCode.UNSTEADY,
            f"The {way.wanted.direction} gave {told} Mbit/s in tests that should agree, with "
            f"{way.wanted.concurrency} streams: the line is too unsteady to recommend a speed.",
        )
    return idle_ms


def _idle(measured: Measured, way: _Way) -> float:
    if measured.idle_latency is None:
        raise TuningFailed(
            FailureCode.UNSTEADY,
            f"No probe came back while the line was idle, before the {way.wanted.direction}: "
            "nothing tells a good latency from a bad one.",
        )
    return measured.idle_latency


def spread(speeds: Sequence[float]) -> float:
    """Return by how much speeds differ, as a share of their mean; without any speed all."""
    mean = sum(speeds) / len(speeds)
    return (max(speeds) - min(speeds)) / mean if mean > 0 else 1.0


def steady_speed(long: Measured, *, seconds: int) -> Steady:
    """Return what a line keeps: the mean of the last half of a long test.

    More than that by 10 % in its first quarter is a boost. A test that its byte cap ended is
    judged by the halves and quarters of what it ran. Raises TuningFailed: UNSTEADY.
    """
    ran = min(float(seconds), max((at for at, _ in long.course), default=0.0))
    first = [kbps for at, kbps in long.course if LEFT_OUT_SECONDS < at <= ran / 4]
    last = [kbps for at, kbps in long.course if at > ran / 2]
    if not last:
        raise TuningFailed(
            FailureCode.UNSTEADY, f"The test of {seconds} s told nothing of its course."
        )
    kept = sum(last) / len(last)
    has_boost = bool(first) and sum(first) / len(first) > kept * (1 + BOOST_OVER)
    return Steady(kept, has_boost)


def _sweep(way: _Way, steady: Steady, idle_ms: float, numbers: Numbers) -> Tests[int]:
    """Return the highest good limit in kbit/s. Raises TuningFailed: UNSTEADY."""
    highest = 0
    bad: list[float] = []
    # Above the steady speed a short test would only measure the boost again.
    top = min(numbers.sweep_to, 100) if steady.has_boost else numbers.sweep_to
    for percent in range(numbers.sweep_from, top + 1, numbers.sweep_step):
        if (yield from _is_limit_good(way, steady, percent, idle_ms, numbers)):
            highest, bad = percent, []
        else:
            bad.append(percent)
        if len(bad) == numbers.bad_in_a_row:
            break
    if not highest:
        raise TuningFailed(
            FailureCode.UNSTEADY,
            f"The {way.wanted.direction} kept {mbit(steady.kbps)}, yet none of the limits tried, "
            f"from {numbers.sweep_from} % of it, was good: packets were late or lost.",
        )
    # The steady speed is often all that the line has, so that the limit of 100 % is just too much
    # and the one below leaves 5 % unused: half a step is tried as well.
    half = highest + numbers.sweep_step / 2
    if bad and (yield from _is_limit_good(way, steady, half, idle_ms, numbers)):
        return _limit(steady, half)
    return _limit(steady, highest)


def _is_limit_good(
    way: _Way, steady: Steady, percent: float, idle_ms: float, numbers: Numbers
) -> Tests[bool]:
    limit = _limit(steady, percent)
    seconds = numbers.sweep_seconds
    measured = yield from way.run(replace(way.wanted, seconds=seconds, rate_limit_kbps=limit))
    return is_good(measured, limit_kbps=limit, idle_ms=idle_ms)


def _limit(steady: Steady, percent: float) -> int:
    return round(steady.kbps * percent / 100)


def is_good(measured: Measured, *, limit_kbps: int, idle_ms: float) -> bool:
    """Report whether a limit was reached without late and lost packets."""
    worst_ms = idle_ms + max(GOOD_LATENCY_MS, GOOD_LATENCY_SHARE * idle_ms)
    return (
        measured.throughput_kbps >= GOOD_SHARE * limit_kbps
        and measured.latency is not None
        and measured.latency <= worst_ms
        and measured.loss < GOOD_LOSS_BELOW
    )


def _speed(way: _Way, steady: Steady, limit: int) -> Speed:
    # A line with hardly any buffer looks good up to 3 % above its speed: a recommendation is
    # never more than what was received, after a boost never more than what was kept.
    received = steady.kbps if steady.has_boost else way.best_kbps
    kbps = int(min(limit, received)) // ROUNDED_TO_KBPS * ROUNDED_TO_KBPS
    if kbps < LEAST_KBPS:
        raise TuningFailed(
            FailureCode.TOO_SLOW,
            f"The {way.wanted.direction} is good only up to {limit} kbit/s, less than 0.1 Mbit/s.",
        )
    streams = way.wanted.concurrency
    with_streams = "1 stream" if streams == 1 else f"{streams} streams"
    boost = ", after a faster beginning that does not count" if steady.has_boost else ""
    words = (
        f"{mbit(steady.kbps)} were kept with {with_streams}{boost}; {mbit(limit)} was the "
        "highest limit at which packets were neither late nor lost."
    )
    return Speed(kbps, words)

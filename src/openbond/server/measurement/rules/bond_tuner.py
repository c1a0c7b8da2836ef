"""How the settings of a bond are found, leg by leg (behaviour 4.6). No database, no clock."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias, TypeVar

from openbond.wire.speed_tests import Direction
from openbond.wire.states import Distribution

from .leg_tuner import tune_leg
from .tuning import (
    FailureCode,
    LegSpeeds,
    Measured,
    Numbers,
    Trial,
    TuningFailed,
    Wanted,
    mbit,
)

R = TypeVar("R")
Tests: TypeAlias = Generator[Wanted, Measured, R]

# Packets that wait for a late one: what `reorder_max_hold` may be, in ms.
LEAST_HOLD, MOST_HOLD, HOLD_STEP = 30, 500, 10
# The latencies are taken with the legs loaded lightly: a share of their speeds, in percent.
LATENCY_LOAD = 25
# What makes a leg unlike the best one, so that it takes spill only (behaviour 2.7 b to d).
UNLIKE_SPEED, UNLIKE_RTT_MS, FAR_MS, LOSSIER_POINTS = 2, 50.0, 80.0, 1.0
BETTER_BY = 1.05
BOND_STREAMS = 8


@dataclass(frozen=True, slots=True)
class LegToTune:
    """A leg in mode `active`; `name` as an operator knows it, e.g. `leg 3 (eth1)`."""

    id: int
    name: str
    is_failover: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A failover leg that could not be tuned, with the reason in words."""

    leg_id: int
    words: str


@dataclass(frozen=True, slots=True)
class BondSettings:
    """What a bond tuner recommends, each value with its reason in words. Hold in ms."""

    legs: tuple[LegSpeeds, ...]
    left_out: tuple[LeftOut, ...]
    packet_distribution: Distribution
    distribution_words: str
    reorder_max_hold: int
    hold_words: str
    tcp_proxy: bool
    proxy_words: str


BondTuner: TypeAlias = Generator[Wanted, Measured, BondSettings]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A leg with a light load in one direction: its speed in kbit/s, its latency in ms."""

    name: str
    kbps: int
    rtt: float
    jitter: float
    loss: float


def tune_bond(legs: Sequence[LegToTune], numbers: Numbers) -> BondTuner:
    """Find the settings of a bond, one leg after the other; failover legs come last.

    Raises TuningFailed with the name of the leg.
    """
    tuned, left_out = yield from _tune_legs(legs, numbers)
    by_id = {leg.id: leg for leg in legs}
    down = yield from _load(tuned, Direction.DOWNLOAD, by_id, numbers)
    up = yield from _load(tuned, Direction.UPLOAD, by_id, numbers)
    hold, hold_words = hold_for(down, up)
    distribution, why = Distribution.IDMPQ, _why_not_weighted(down, up)
    if why is None:
        distribution, why = yield from _try_distributions(tuned, numbers)
    return BondSettings(
        legs=tuple(tuned),
        left_out=tuple(left_out),
        packet_distribution=distribution,
        distribution_words=why,
        reorder_max_hold=hold,
        hold_words=hold_words,
        tcp_proxy=False,
        proxy_words="This product has no TCP proxy.",
    )


def _tune_legs(
    legs: Sequence[LegToTune], numbers: Numbers
) -> Tests[tuple[list[LegSpeeds], list[LeftOut]]]:
    tuned: list[LegSpeeds] = []
    left_out: list[LeftOut] = []
    for leg in sorted(legs, key=lambda leg: leg.is_failover):
        try:
            tuned.append((yield from tune_leg(leg.id, numbers)))
        except TuningFailed as failure:
            if not leg.is_failover:
                raise _named(failure, leg) from None
            left_out.append(LeftOut(leg.id, f"{failure.code.value}: {failure.words}"))
    if not tuned:
        told = " ".join(f"{leg.words}" for leg in left_out)
        raise TuningFailed(
            FailureCode.LEG_UNAVAILABLE, f"All legs are failover legs, and none was tuned: {told}"
        )
    return tuned, left_out


def _named(failure: TuningFailed, leg: LegToTune) -> TuningFailed:
    return TuningFailed(failure.code, f"{leg.name}: {failure.words}", leg_id=leg.id)


def _load(
    tuned: Sequence[LegSpeeds],
    direction: Direction,
    legs: Mapping[int, LegToTune],
    numbers: Numbers,
) -> Tests[list[Loaded]]:
    """Take the latency of each leg while all together would carry a quarter of the bond's speed.

    One after the other: what a bond puts on its legs at light load depends on their latencies, so
    a test of the bond would tell nothing of those that it leaves idle.
    """
    found: list[Loaded] = []
    for speeds in tuned:
        leg = legs[speeds.leg_id]
        kbps = (speeds.down if direction is Direction.DOWNLOAD else speeds.up).kbps
        try:
            found.append((yield from _loaded(leg, direction, kbps, numbers)))
        except TuningFailed as failure:
            # Without a failover leg that went away meanwhile, the bond is what is left of it.
            if not leg.is_failover or len(tuned) == 1:
                raise _named(failure, leg) from None
    if not found:
        raise TuningFailed(
            FailureCode.LEG_UNAVAILABLE, "No leg was left of which to take the latency."
        )
    return found


def _loaded(leg: LegToTune, direction: Direction, kbps: int, numbers: Numbers) -> Tests[Loaded]:
    limit = max(1, kbps * LATENCY_LOAD // 100)
    measured = yield Wanted(leg.id, direction, numbers.latency_seconds, rate_limit_kbps=limit)
    if measured.latency is None:
        raise TuningFailed(
            FailureCode.UNSTEADY,
            f"No probe came back during the {direction} at {LATENCY_LOAD} % of its speed, so "
            "its latency is not known.",
        )
    return Loaded(leg.name, kbps, measured.latency, measured.deviation or 0.0, measured.loss)


def hold_for(down: Sequence[Loaded], up: Sequence[Loaded]) -> tuple[int, str]:
    """Return the hold in ms: the larger direction's twice delta and jitter, up to the next 10 ms.

    Half a round trip counts as the delay of the loaded direction: what each way takes of it, two
    machines without a common clock cannot tell.
    """
    ways = {Direction.DOWNLOAD: down, Direction.UPLOAD: up}
    direction = max(ways, key=lambda way: 2 * _delta(ways[way]) + _jitter(ways[way]))
    delta, jitter = _delta(ways[direction]), _jitter(ways[direction])
    wanted = ceil((2 * delta + jitter) / HOLD_STEP) * HOLD_STEP
    hold = min(MOST_HOLD, max(LEAST_HOLD, wanted))
    words = f"In the {direction} the legs' delays are {delta:.0f} ms apart with {jitter:.0f} ms of"
    return hold, f"{words} jitter: twice the distance and the jitter, {LEAST_HOLD} to {MOST_HOLD}."


def _jitter(legs: Sequence[Loaded]) -> float:
    return max(leg.jitter for leg in legs)


def _delta(legs: Sequence[Loaded]) -> float:
    return (max(leg.rtt for leg in legs) - min(leg.rtt for leg in legs)) / 2


def _why_not_weighted(down: Sequence[Loaded], up: Sequence[Loaded]) -> str | None:
    """Return in words why nothing but `idmpq` is in question; None: it is worth a try."""
    if len(down) == 1:
        return "Only one leg was tuned, so there is nothing to distribute."
    return unlike_leg(down) or unlike_leg(up)


def _try_distributions(
    tuned: Sequence[LegSpeeds], numbers: Numbers
) -> Tests[tuple[Distribution, str]]:
    """Test the bond with either distribution, and the speeds that were found.

    Where it cannot be tested, nothing shows that another distribution were better.
    """
    speeds = tuple(tuned)
    try:
        plain = yield from _both_ways(Trial(Distribution.IDMPQ, speeds), numbers)
        weighted = yield from _both_ways(Trial(Distribution.WEIGHTED_ROUND_ROBIN, speeds), numbers)
    except TuningFailed as failure:
        words = "The legs are alike, yet weighted_round_robin could not be tried"
        return Distribution.IDMPQ, f"{words}: {failure.words}"
    told = f"Both directions together gave {mbit(plain)} with idmpq and {mbit(weighted)} with"
    if weighted >= BETTER_BY * plain:
        return (
            Distribution.WEIGHTED_ROUND_ROBIN,
            f"{told} weighted_round_robin, 5 % more or better.",
        )
    return Distribution.IDMPQ, f"{told} weighted_round_robin, which is not better by 5 %."


def _both_ways(trial: Trial, numbers: Numbers) -> Tests[float]:
    total = 0.0
    for direction in Direction:
        wanted = Wanted(
            None,
            direction,
            numbers.unlimited_seconds,
            concurrency=BOND_STREAMS,
            trial=trial,
        )
        total += (yield wanted).throughput_kbps
    return total


def unlike_leg(legs: Sequence[Loaded]) -> str | None:
    """Return in words which of the legs takes spill only in their direction; None: all are full."""
    best = max(legs, key=lambda leg: (leg.kbps, -leg.rtt))
    cleanest = min(leg.loss for leg in legs)
    nearest = min(leg.rtt for leg in legs)
    for leg in legs:
        if leg is best:
            continue
        found = {
            "is half as fast or less": best.kbps >= UNLIKE_SPEED * leg.kbps,
            "is slower to answer": leg.rtt >= best.rtt + UNLIKE_RTT_MS,
            "is far away": (leg.rtt - nearest) / 2 > FAR_MS,
            "loses more packets": leg.loss >= cleanest + LOSSIER_POINTS,
        }
        for words, is_so in found.items():
            if is_so:
                return f"{leg.name} {words} than {best.name}: idmpq puts each packet where it fits."
    return None

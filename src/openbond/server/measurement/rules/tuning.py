"""The words of tuning: what a tuner asks for, gets, recommends (behaviour 4.5, 4.6). No clock.

A tuner is a generator: it yields the test it wants next, is sent what the test measured, and
returns what it recommends or raises TuningFailed. It keeps nothing: from the same results it
comes to the same test again, so the tests of a tuning are all that a restarted server needs.
"""

from collections import deque
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias, TypeVar

from openbond.wire.speed_tests import Direction
from openbond.wire.states import Distribution

R = TypeVar("R")

TOO_LONG = timedelta(minutes=30)
# So many tests in a row may fail while the leg itself looks fit.
MOST_FAILED = 3
# What the options of a speed test allow.
MOST_SECONDS, MOST_IDLE_SECONDS = 300, 60


class FailureCode(StrEnum):
    """Why a tuning fails; its `error` begins with it."""

    UNSTEADY = "unsteady"
    LEG_LOST = "leg_lost"
    TOO_SLOW = "too_slow"
    TOO_LONG = "too_long"
    BYTES = "bytes"
    LEG_UNAVAILABLE = "leg_unavailable"  # it could not be tested in all the time of waiting
    TEST_FAILED = "test_failed"
    MOVED = "moved"
    SERVER_ERROR = "server_error"


class TuningFailed(Exception):
    """The tuner gives up; it recommends nothing."""

    def __init__(self, code: FailureCode, words: str, *, leg_id: int | None = None) -> None:
        self.code = code
        self.words = words
        self.leg_id = leg_id
        super().__init__(f"{code.value}: {words}")


class BadNumbers(ValueError):
    """Numbers of a tuner that cannot be understood; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of behaviour 4.5 and 4.6. Spans in seconds, limits in percent of a speed.

    Two bad limits in a row end the sweep; a bad one below a good one was noise of the moment.
    `lost_seconds`: how long a leg that was tested before may be away.
    """

    idle_seconds: int = 5
    unlimited_seconds: int = 10
    unlimited_times: int = 3
    steady_seconds: int = 60
    sweep_seconds: int = 10
    sweep_from: int = 70
    sweep_to: int = 110
    sweep_step: int = 5
    bad_in_a_row: int = 2
    latency_seconds: int = 10
    lost_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Speed:
    """A recommended speed in kbit/s, and why in words."""

    kbps: int
    words: str


@dataclass(frozen=True, slots=True)
class LegSpeeds:
    """What a leg tuner recommends."""

    leg_id: int
    down: Speed
    up: Speed


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test of the bond is run with, in place of what is set."""

    distribution: Distribution
    speeds: tuple[LegSpeeds, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A test to run next: TCP over one leg, or over the bond without one. Rate in kbit/s.

    `trial`: of a test of the bond.
    """

    leg_id: int | None
    direction: Direction
    seconds: int
    concurrency: int = 1
    rate_limit_kbps: int | None = None
    idle_seconds: int = 0
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a finished test gave. Speeds in kbit/s of outer packets, times in ms, loss in percent.

    `course`: seconds from the start, and the speed received in the time before.
    """

    throughput_kbps: float
    latency: float | None
    deviation: float | None
    loss: float
    course: tuple[tuple[float, float], ...] = ()
    idle_latency: float | None = None
    idle_deviation: float | None = None


LegTuner: TypeAlias = Generator[Wanted, Measured, LegSpeeds]
Results: TypeAlias = Mapping[int | None, Iterable[Measured]]
Troubles: TypeAlias = Mapping[int | None, TuningFailed]


def next_step(
    tuner: Generator[Wanted, Measured, R], results: Results, troubles: Troubles
) -> Wanted | R:
    """Return the test to run next, or what is recommended. Raises TuningFailed.

    `results`: what each leg's tests gave, in the order they ran; those of the bond under None.
    `troubles`: legs whose tuning ended for a reason outside of the results.
    """
    waiting = {leg_id: deque(measured) for leg_id, measured in results.items()}
    try:
        wanted = next(tuner)
        while True:
            if waiting.get(wanted.leg_id):
                wanted = tuner.send(waiting[wanted.leg_id].popleft())
            elif wanted.leg_id in troubles:
                wanted = tuner.throw(troubles[wanted.leg_id])
            else:
                return wanted
    except StopIteration as end:
        recommended: R = end.value
        return recommended


def numbers_from(text: str) -> Numbers:
    """Read `sweep_seconds=2,unlimited_seconds=2` as numbers that differ from the defaults.

    Raises BadNumbers.
    """
    known = {field.name for field in fields(Numbers)}
    given: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        most = MOST_IDLE_SECONDS if name == "idle_seconds" else MOST_SECONDS
        if name not in known or not value.isdecimal() or not 1 <= int(value) <= most:
            raise BadNumbers(
                f"OPENBOND_TUNER_NUMBERS: {part!r} is no number of a tuner. Write NAME=NUMBER with "
                f"a number from 1 to {most} and one of the names {', '.join(sorted(known))}."
            )
        given[name] = int(value)
    return replace(Numbers(), **given)


def mbit(kbps: float) -> str:
    """Return a speed in words, as far as it matters: `47.1 Mbit/s`."""
    return f"{kbps / 1000:.1f} Mbit/s"

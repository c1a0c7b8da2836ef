"""The leg tuner's method on simulated lines (behaviour 4.5)."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openbond.server.measurement.rules.leg_tuner import is_good, spread, steady_speed, tune_leg
from openbond.server.measurement.rules.tuning import (
    FailureCode,
    LegSpeeds,
    Measured,
    Numbers,
    TuningFailed,
    Wanted,
    next_step,
)
from openbond.wire.speed_tests import Direction

from .lines import Line, Way

LEG = 3
DEFAULTS = Numbers()


def tune(line: Line, numbers: Numbers = DEFAULTS) -> LegSpeeds:
    """Run a leg tuner to its end as the server does: from the start again after each test."""
    results: list[Measured] = []
    for _ in range(100):
        step = next_step(tune_leg(LEG, numbers), {LEG: results}, {})
        if isinstance(step, LegSpeeds):
            return step
        results.append(line.run(step))
    raise AssertionError("the tuner never comes to an end")


def failure(line: Line) -> TuningFailed:
    with pytest.raises(TuningFailed) as raised:
        tune(line)
    return raised.value


def line(kbps: float, **shape: float | bool) -> Line:
    return Line(down=Way(kbps, **shape), up=Way(kbps, **shape))  # type: ignore[arg-type]  # names


def limits(line: Line, direction: Direction) -> list[int]:
    """Return the limits of the sweep in kbit/s, in the order they were tried."""
    tried = [test for test in line.tests if test.direction is direction]
    return [test.rate_limit_kbps for test in tried if test.rate_limit_kbps is not None]


def test_a_line_of_47_and_9_is_recommended_within_5_percent_below() -> None:
    found = tune(Line(down=Way(47_000), up=Way(9_000)))

    assert 0.95 * 47_000 <= found.down.kbps <= 47_000
    assert 0.95 * 9_000 <= found.up.kbps <= 9_000
    assert "highest limit" in found.down.words


@settings(max_examples=60, deadline=None)
@given(
    kbps=st.integers(10_000, 900_000),
    idle_ms=st.floats(1, 300),
    jitter_ms=st.floats(0, 8),
    buffer_ms=st.floats(1, 500),
    boost=st.sampled_from([1.0, 1.3, 2.0, 5.0]),
    boost_seconds=st.integers(8, 20),
    reached=st.floats(0.96, 1.0),
    noise=st.floats(0, 0.02),
    seed=st.integers(0, 1000),
)
def test_on_a_line_of_r_the_recommendation_is_0_93_to_1_00_r(
    kbps: int, seed: int, **shape: float
) -> None:
    found = tune(line(kbps, dice=Random(seed), **shape))  # type: ignore[arg-type]  # a die

    for speed in (found.down, found.up):
        assert 0.93 * kbps <= speed.kbps <= kbps
        assert speed.kbps % 100 == 0


@pytest.mark.parametrize("reached", [0.97, 0.98, 0.99, 0.9994, 1.0])
def test_whatever_tcp_made_of_the_line_it_is_found_within_5_percent(reached: float) -> None:
    found = tune(line(47_000, reached=reached))

    assert 0.95 * 47_000 <= found.down.kbps <= 47_000


def test_the_default_tests_are_those_of_the_table() -> None:
    found = line(20_000)

    tune(found)

    down = [test for test in found.tests if test.direction is Direction.DOWNLOAD]
    assert found.tests[: len(down)] == down, "download comes first"
    assert [(test.seconds, test.idle_seconds) for test in down[:4]] == [
        (10, 5),
        (10, 0),
        (10, 0),
        (60, 0),
    ]
    steady = 20_000 * 0.98
    tried = limits(found, Direction.DOWNLOAD)
    steps = [*range(70, 111, 5), 102.5]
    assert tried == [round(steady * percent / 100) for percent in steps], "then half a step"
    assert {test.seconds for test in down[4:]} == {10}
    assert {test.concurrency for test in down} == {1}


def test_two_bad_limits_in_a_row_end_the_sweep() -> None:
    found = line(20_000, reached=1.0)

    tune(found)

    assert limits(found, Direction.UPLOAD)[-3:] == [21_000, 22_000, 20_500]
    lossy_above = (
        [good(0.98)] * 3 + [course(60, 1000)] + [good(0.7), bad(), good(0.8), bad(), bad(), bad()]
    )
    assert sweep_of(lossy_above) == 6, "one bad limit below a good one does not end it"


def sweep_of(results: list[Measured]) -> int:
    """Return how many limits were tried when the next test is the upload's."""
    step = next_step(tune_leg(LEG, DEFAULTS), {LEG: results}, {})
    assert isinstance(step, Wanted)
    assert step.direction is Direction.UPLOAD
    return len(results) - 4


def good(share: float) -> Measured:
    return Measured(share * 1000, 20.0, 1.0, 0.0, idle_latency=20.0)


def bad() -> Measured:
    return Measured(500.0, 90.0, 1.0, 0.0)


def course(seconds: int, kbps: float) -> Measured:
    return Measured(kbps, 20.0, 1.0, 0.0, tuple((at + 1.0, kbps) for at in range(seconds)))


def test_a_boost_is_not_taken_for_the_speed() -> None:
    boosted = line(20_000, boost=2.0, boost_seconds=12)

    found = tune(boosted)

    assert 0.93 * 20_000 <= found.down.kbps <= 20_000
    assert "faster beginning" in found.down.words
    assert max(limits(boosted, Direction.DOWNLOAD)) <= 20_000, "above it only the boost is measured"


@pytest.mark.parametrize(
    ("first", "has_boost"),
    [(1.09, False), (1.12, True)],
)
def test_a_boost_is_a_beginning_faster_by_more_than_10_percent(
    first: float, has_boost: bool
) -> None:
    seconds = [(float(at), 1000.0 * (first if at <= 15 else 1.0)) for at in range(1, 61)]

    steady = steady_speed(Measured(1000, 20, 1, 0, tuple(seconds)), seconds=60)

    assert (steady.kbps, steady.has_boost) == (1000.0, has_boost)


def test_a_long_test_that_its_byte_cap_ended_is_judged_by_what_it_ran() -> None:
    seconds = [(float(at), 3000.0 if at <= 4 else 1000.0) for at in range(1, 17)]

    steady = steady_speed(Measured(1500, 20, 1, 0, tuple(seconds)), seconds=60)

    assert (steady.kbps, steady.has_boost) == (1000.0, True)


def test_a_line_that_wavers_is_tested_with_more_streams() -> None:
    wavering = line(20_000, wavering=0.5, dice=Random(3))  # type: ignore[arg-type]  # a die

    found = tune(wavering)

    used = {test.concurrency for test in wavering.tests}
    assert len(used) > 1
    assert f"{max(used)} streams" in found.down.words
    assert found.down.kbps <= 20_000


def test_an_unsteady_line_is_never_guessed_at() -> None:
    failed = failure(line(20_000, wavering=0.9, stays_wavering=True))

    assert failed.code is FailureCode.UNSTEADY
    assert "with 8 streams" in failed.words


def test_between_15_and_25_percent_eight_streams_are_good_enough() -> None:
    eight = [Measured(kbps, 20, 1, 0, idle_latency=20.0) for kbps in (1000.0, 900.0, 800.0)]

    step = next_step(tune_leg(LEG, DEFAULTS), {LEG: eight * 3}, {})

    assert isinstance(step, Wanted)
    assert (step.seconds, step.concurrency) == (60, 8)
    assert round(spread([1000.0, 900.0, 800.0]), 3) == 0.222


def test_a_line_below_0_1_mbit_is_too_slow() -> None:
    assert failure(line(90)).code is FailureCode.TOO_SLOW
    assert failure(line(130, loss=0.1, jitter_ms=60)).code is FailureCode.UNSTEADY
    assert tune(line(250)).down.kbps == 200


def test_a_line_that_carries_nothing_fails() -> None:
    dead = Measured(0.0, None, None, 0.0, idle_latency=20.0)

    with pytest.raises(TuningFailed) as raised:
        next_step(tune_leg(LEG, DEFAULTS), {LEG: [dead] * 9}, {})

    assert raised.value.code is FailureCode.UNSTEADY


def test_a_line_that_always_loses_has_no_good_limit() -> None:
    failed = failure(line(20_000, loss=0.6))

    assert failed.code is FailureCode.UNSTEADY
    assert "none of the limits" in failed.words


def test_no_echo_of_the_idle_line_is_no_base_to_judge_from() -> None:
    silent = Measured(1000, None, None, 0.0)

    with pytest.raises(TuningFailed, match="No probe came back"):
        next_step(tune_leg(LEG, DEFAULTS), {LEG: [silent]}, {})


def changed(**differs: float | None) -> Callable[[], Measured]:
    values = {"throughput_kbps": 970.0, "latency": 30.0, "deviation": 1.0, "loss": 0.4} | differs
    return lambda: Measured(**values)  # type: ignore[arg-type]  # None only for a latency


@pytest.mark.parametrize(
    ("measured", "idle_ms", "expected"),
    [
        pytest.param(changed(), 20, True, id="97 %, 10 ms above idle, less than 0.5 % lost"),
        pytest.param(changed(throughput_kbps=969.0), 20, False, id="too little arrived"),
        pytest.param(changed(latency=30.1), 20, False, id="later than idle + 10 ms"),
        pytest.param(changed(latency=250.0), 200, True, id="a far line may be later by 25 %"),
        pytest.param(changed(latency=250.1), 200, False, id="not more"),
        pytest.param(changed(loss=0.5), 20, False, id="lost"),
        pytest.param(changed(latency=None), 20, False, id="nobody knows how late"),
    ],
)
def test_what_makes_a_limit_good(
    measured: Callable[[], Measured], idle_ms: float, expected: bool
) -> None:
    assert is_good(measured(), limit_kbps=1000, idle_ms=idle_ms) is expected


def test_the_same_results_lead_to_the_same_next_test() -> None:
    results = [good(0.98), good(0.97)]

    steps = {next_step(tune_leg(LEG, DEFAULTS), {LEG: results}, {}) for _ in range(3)}

    assert len(steps) == 1

"""What a tuning may cost, and the numbers an operator may change (behaviour 4.4, 4.5)."""

from datetime import timedelta

import pytest

from openbond.server.measurement.rules.limits import Limits
from openbond.server.measurement.rules.tuning import (
    BadNumbers,
    FailureCode,
    Measured,
    Numbers,
    Wanted,
    numbers_from,
)
from openbond.server.measurement.rules.tuning_limits import (
    Spent,
    too_many_bytes,
    too_much,
    waited_too_long,
)
from openbond.wire.speed_tests import Direction

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
GB = 1_000_000_000


def spent(**differs: object) -> Spent:
    values = {"time": MINUTE, "moved_bytes": 0, "failed_in_row": 0, "last_error": "gone"} | differs
    return Spent(**values)  # type: ignore[arg-type]  # one of each kind


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (spent(time=30 * MINUTE), None),
        (spent(time=30 * MINUTE + SECOND), FailureCode.TOO_LONG),
        (spent(failed_in_row=2), None),
        (spent(failed_in_row=3), FailureCode.TEST_FAILED),
    ],
)
def test_how_long_and_how_often(one: Spent, code: FailureCode | None) -> None:
    found = too_much(one)

    assert (found.code if found else None) is code


@pytest.mark.parametrize(
    ("kbps", "limit", "moved", "is_mobile", "fits"),
    [
        pytest.param(0, None, 0, False, True, id="nothing is known of the first test"),
        pytest.param(100_000, None, 10 * GB - 125_000_000, False, True, id="10 s at 100 Mbit/s"),
        pytest.param(100_000, None, 10 * GB - 124_999_999, False, False, id="one byte over"),
        pytest.param(100_000, 50_000, 10 * GB - 62_500_000, False, True, id="at its limit"),
        pytest.param(9_000_000, None, 8 * GB, False, True, id="a test ends at 2 GB by itself"),
        pytest.param(9_000_000, None, 750_000_000, True, True, id="on mobile at 250 MB"),
        pytest.param(9_000_000, None, 750_000_001, True, False, id="of 1 GB"),
    ],
)
def test_the_cap_of_bytes_is_kept_beforehand(
    kbps: float, limit: int | None, moved: int, is_mobile: bool, fits: bool
) -> None:
    wanted = Wanted(1, Direction.UPLOAD, 10, rate_limit_kbps=limit)
    done = [Measured(kbps, 20, 1, 0)] if kbps else []

    found = too_many_bytes(
        wanted, done=done, moved_bytes=moved, is_mobile=is_mobile, limits=Limits()
    )

    assert (found is None) is fits


@pytest.mark.parametrize(
    ("was_tested", "in_bond", "patience", "code"),
    [
        (True, False, 30 * SECOND, FailureCode.LEG_LOST),
        (True, True, 30 * SECOND, FailureCode.LEG_LOST),
        (False, True, 30 * MINUTE, FailureCode.LEG_UNAVAILABLE),
        (False, False, timedelta(hours=24), FailureCode.LEG_UNAVAILABLE),
    ],
)
def test_how_long_a_leg_is_waited_for(
    was_tested: bool, in_bond: bool, patience: timedelta, code: FailureCode
) -> None:
    def waited(span: timedelta) -> FailureCode | None:
        found = waited_too_long(
            span,
            was_tested=was_tested,
            in_bond=in_bond,
            state="down",
            numbers=Numbers(),
            limits=Limits(),
        )
        return found.code if found else None

    assert waited(patience) is None
    assert waited(patience + SECOND) is code


def test_a_space_may_allow_less() -> None:
    limits = Limits(tuner_mb=500, wait_minutes=90)
    wanted = Wanted(1, Direction.UPLOAD, 10, rate_limit_kbps=400_000)

    too_many = too_many_bytes(wanted, done=[], moved_bytes=1, is_mobile=False, limits=limits)
    too_long = waited_too_long(
        timedelta(minutes=91),
        was_tested=False,
        in_bond=False,
        state="down",
        numbers=Numbers(),
        limits=limits,
    )

    assert too_many is not None
    assert "over the 0.5 GB" in too_many.words
    assert too_long is not None
    assert too_long.words == "The leg could not be tested for 90 min; it is down."


def test_an_operator_may_change_the_numbers() -> None:
    assert numbers_from("") == Numbers()
    assert numbers_from("sweep_seconds=3, idle_seconds=1") == Numbers(
        sweep_seconds=3, idle_seconds=1
    )


@pytest.mark.parametrize(
    "text",
    [
        "sweep",
        "sweep_seconds=0",
        "sweep_seconds=a",
        "x=1",
        "=3",
        "steady_seconds=301",
        "idle_seconds=61",
    ],
)
def test_a_number_that_is_none_is_refused_with_the_names_there_are(text: str) -> None:
    with pytest.raises(BadNumbers, match=r"OPENBOND_TUNER_NUMBERS.*idle_seconds"):
        numbers_from(text)

"""What the benches reckon: the shapes of behaviour 7.3, bars, memory."""

import os

import pytest

from openbond.lab.bench.memory import memory_of, memory_together
from openbond.lab.bench.profiles import PROFILES, Profile
from openbond.lab.bench.rows import Row


def profile(number: int) -> Profile:
    return next(each for each in PROFILES if each.number == number)


def test_the_matrix_has_its_sixteen_rows_and_the_daggers_of_behaviour() -> None:
    assert [each.number for each in PROFILES] == list(range(1, 17))
    assert [each.number for each in PROFILES if each.has_sum] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("number", "down", "up"),
    [
        pytest.param(4, 150, 150, id="three alike"),
        pytest.param(13, 49, 4, id="slow up"),
        pytest.param(15, 80, 80, id="half of the time at 10"),
        pytest.param(16, 70, 70, id="what is really there, not what was configured"),
    ],
)
def test_the_sum_is_what_the_lines_carry(number: int, down: float, up: float) -> None:
    assert profile(number).total(is_down=True) == down
    assert profile(number).total(is_down=False) == up


@pytest.mark.parametrize(
    ("number", "candidates"),
    [
        pytest.param(1, [1], id="of equal lines one"),
        pytest.param(3, [1, 2], id="nearly equal ones both"),
        pytest.param(10, [1, 2], id="a lossy one too"),
        pytest.param(7, [1], id="not a tenth"),
        pytest.param(15, [1], id="not one that is slow half of the time"),
    ],
)
def test_the_legs_that_may_be_the_best_are_measured_alone(
    number: int, candidates: list[int]
) -> None:
    assert profile(number).candidates(is_down=True) == candidates


def test_a_leg_is_told_the_truth_unless_the_profile_says_otherwise() -> None:
    honest, wrong = profile(16).lines

    assert (honest.told_kbps(is_down=True), honest.rate(is_down=True)) == (50_000, 50)
    assert (wrong.told_kbps(is_down=True), wrong.rate(is_down=True)) == (50_000, 20)


@pytest.mark.parametrize(
    ("value", "least", "most", "is_kept"),
    [(0.95, 0.95, None, True), (0.949, 0.95, None, False), (31.0, None, 30.0, False)],
)
def test_a_bar_is_kept_or_missed(
    value: float, least: float | None, most: float | None, is_kept: bool
) -> None:
    assert Row(name="", value=value, unit="", least=least, most=most).is_kept is is_kept


def test_memory_of_files_counts_once_for_all_programs() -> None:
    own = memory_of(os.getpid())
    assert own is not None

    twice = memory_together([os.getpid(), os.getpid()])

    assert own.own > 1
    assert own.files > 1
    assert twice.own == pytest.approx(2 * own.own, rel=0.1)
    assert twice.files == pytest.approx(own.files, rel=0.1)


def test_a_program_that_is_gone_costs_nothing() -> None:
    assert memory_of(2**22 + 1) is None
    assert memory_together([2**22 + 1]).resident == 0

"""The recovery ladder in virtual time: which step when, and that it is enough (behaviour 3.8)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.node.modems.ladder import RUNGS, Ladder, Rung

MINUTE = 60.0


def climbed(silent: list[bool], *, step_s: float = 1.0) -> list[tuple[float, Rung]]:
    """Return when which step was taken; `silent`: what is heard in each second."""
    ladder, found = Ladder(), []
    for number, is_silent in enumerate(silent):
        now = number * step_s
        ladder.on_look(is_silent=is_silent, now=now)
        rung = ladder.next_rung(now)
        if rung is not None:
            found.append((now, rung))
    return found


def test_a_good_leg_is_left_alone() -> None:
    assert climbed([False] * 7200) == []


def test_a_dead_leg_gets_the_steps_in_their_order_and_each_again_every_15_minutes() -> None:
    assert climbed([True] * 2500) == [
        (60, Rung.RECONNECT),
        (180, Rung.RESET),
        (600, Rung.POWER),
        (960, Rung.RECONNECT),
        (1080, Rung.RESET),
        (1500, Rung.POWER),
        (1860, Rung.RECONNECT),
        (1980, Rung.RESET),
        (2400, Rung.POWER),
    ]


def test_a_short_silence_is_none_of_our_business() -> None:
    assert climbed([*[True] * 60, *[False] * 1, *[True] * 60]) == []


def test_a_leg_that_was_heard_begins_at_the_foot_of_the_ladder() -> None:
    times = climbed([*[True] * 100, *[False] * 1000, *[True] * 700])

    assert times == [
        (60, Rung.RECONNECT),
        (1160, Rung.RECONNECT),
        (1280, Rung.RESET),
        (1700, Rung.POWER),
    ]


def test_a_flapping_leg_is_not_reconnected_more_often_than_every_15_minutes() -> None:
    times = [at for at, rung in climbed(([True] * 90 + [False] * 10) * 36)]

    assert all(later - earlier >= 15 * MINUTE for earlier, later in pairwise(times))


def test_a_look_that_comes_late_takes_the_strongest_step_that_is_due() -> None:
    ladder = Ladder()
    ladder.on_look(is_silent=True, now=0)

    assert ladder.next_rung(700) is Rung.POWER
    assert ladder.next_rung(701) is Rung.RESET
    assert ladder.next_rung(702) is Rung.RECONNECT
    assert ladder.next_rung(703) is None


def test_the_same_look_twice_changes_nothing() -> None:
    ladder = Ladder()
    for _ in range(3):
        ladder.on_look(is_silent=True, now=5)

    assert ladder.silent_for(65) == 60
    assert ladder.next_rung(65) is Rung.RECONNECT
    assert ladder.next_rung(65) is None


@pytest.mark.parametrize("cure", list(Rung))
def test_a_modem_that_a_step_can_cure_is_back_within_twelve_minutes(cure: Rung) -> None:
    """Acceptance 79; a cured modem needs a minute to register again."""
    ladder, cured_at = Ladder(), float("inf")
    for now in range(15 * 60):
        ladder.on_look(is_silent=now < cured_at + MINUTE, now=now)
        if ladder.next_rung(now) is cure:
            cured_at = min(cured_at, now)

    assert cured_at + MINUTE <= 12 * MINUTE
    assert ladder.silent_for(15 * MINUTE) == 0


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 120))
def test_the_timer_never_points_into_the_past_and_the_same_looks_give_the_same_steps(
    silent: list[bool], step_s: int
) -> None:
    ladder = Ladder()
    for number, is_silent in enumerate(silent):
        now = float(number * step_s)
        ladder.on_look(is_silent=is_silent, now=now)
        due = ladder.get_timer(now)
        assert due >= now
        assert (due == now) == (ladder.next_rung(now) is not None)

    assert climbed(silent, step_s=step_s) == climbed(silent, step_s=step_s)


@given(st.lists(st.booleans(), max_size=400))
def test_no_step_comes_twice_within_fifteen_minutes(silent: list[bool]) -> None:
    found = climbed(silent, step_s=20)

    for rung in RUNGS:
        times = [at for at, one in found if one is rung]
        assert all(b - a >= 15 * MINUTE for a, b in pairwise(times))

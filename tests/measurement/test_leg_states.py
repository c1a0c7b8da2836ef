"""Combining the two ends of a leg, and its states over time (behaviour 3.2, 3.9)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.server.measurement.rules import (
    PRECEDENCE,
    Change,
    Source,
    changes_to_record,
    combined,
    fresh,
    history,
)
from openbond.wire.states import ShownState

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
TIMEOUT = timedelta(seconds=180)
UP, DOWN, TESTING = ShownState.UP, ShownState.DOWN, ShownState.TESTING
UNKNOWN, OFFLINE = ShownState.UNKNOWN, ShownState.OFFLINE


def at(clock: str) -> datetime:
    """A time of the day before noon, or of the day before with a leading minus."""
    hours, minutes, seconds = (int(part) for part in clock.lstrip("-").split(":"))
    return NOON.replace(hour=hours, minute=minutes, second=seconds) - DAY * clock.startswith("-")


@pytest.mark.parametrize(
    ("aggregator", "bonder", "overall"),
    [
        pytest.param(UP, UP, UP, id="both up"),
        pytest.param(UP, DOWN, DOWN, id="an unreachable leg reads down"),
        pytest.param(DOWN, UP, DOWN, id="whichever end sees it"),
        pytest.param(UNKNOWN, UP, UP, id="an unknown end is left out"),
        pytest.param(UP, UNKNOWN, UP, id="whichever end it is"),
        pytest.param(UNKNOWN, UNKNOWN, UNKNOWN, id="both unknown"),
        pytest.param(ShownState.ADJUSTED, UP, ShownState.ADJUSTED, id="adjusted comes before up"),
        pytest.param(ShownState.REMOVED, TESTING, ShownState.REMOVED, id="removed before testing"),
    ],
)
def test_the_overall_state(aggregator: ShownState, bonder: ShownState, overall: ShownState) -> None:
    assert combined(offline=False, aggregator=aggregator, bonder=bonder) == overall


@given(st.sampled_from(ShownState), st.sampled_from(ShownState))
def test_offline_is_offline_whatever_the_ends_say(one: ShownState, other: ShownState) -> None:
    assert combined(offline=True, aggregator=one, bonder=other) is OFFLINE


@given(st.sampled_from(PRECEDENCE), st.sampled_from(PRECEDENCE))
def test_the_ends_count_alike(one: ShownState, other: ShownState) -> None:
    here = combined(offline=False, aggregator=one, bonder=other)

    assert here == combined(offline=False, aggregator=other, bonder=one)
    assert here in (one, other)


def test_the_example_of_the_book() -> None:
    """24 h ending 12:00: down 09:00:00-09:00:20, testing to 09:00:25, else up."""
    bonder = [
        Change(at("-08:00:00"), UP),
        Change(at("09:00:00"), DOWN),
        Change(at("09:00:20"), TESTING),
        Change(at("09:00:25"), UP),
    ]

    found = history({Source.BONDER: bonder}, since=NOON - DAY, now=NOON)

    assert [(one.state, one.duration) for one in found] == [
        (UP, 21 * 3600),
        (DOWN, 20),
        (TESTING, 5),
        (UP, 3 * 3600 - 25),
    ]
    assert found[0].start == NOON - DAY
    assert found[-1].end is None


def test_a_leg_without_reports_has_one_interval_unknown() -> None:
    found = history({}, since=NOON - timedelta(minutes=5), now=NOON)

    assert [(one.state, one.end, one.duration) for one in found] == [(UNKNOWN, None, 300)]


def test_both_ends_down_at_different_times_is_one_stretch() -> None:
    bonder = [Change(at("-01:00:00"), UP), Change(at("09:00:00"), DOWN), Change(at("09:00:30"), UP)]
    aggregator = [
        Change(at("-01:00:00"), UP),
        Change(at("09:00:10"), DOWN),
        Change(at("09:00:50"), UP),
    ]

    found = history(
        {Source.BONDER: bonder, Source.AGGREGATOR: aggregator}, since=NOON - DAY, now=NOON
    )

    downs = [(one.start, one.end) for one in found if one.state is DOWN]
    assert downs == [(at("09:00:00"), at("09:00:50"))]


def test_a_change_within_the_second_leaves_no_interval_of_nothing() -> None:
    start = at("09:00:00")
    bonder = [
        Change(at("-01:00:00"), UP),
        Change(start + timedelta(milliseconds=100), DOWN),
        Change(start + timedelta(milliseconds=900), UP),
    ]

    found = history({Source.BONDER: bonder}, since=NOON - DAY, now=NOON)

    assert [one.state for one in found] == [UP]


def test_offline_hides_what_the_ends_say() -> None:
    bonder = [Change(at("-01:00:00"), UP)]
    mode = [Change(at("09:00:00"), OFFLINE), Change(at("10:00:00"), UP)]

    found = history({Source.BONDER: bonder, Source.MODE: mode}, since=NOON - DAY, now=NOON)

    assert [one.state for one in found] == [UP, OFFLINE, UP]


states = st.sampled_from(list(ShownState))
times = st.integers(min_value=-90_000_000, max_value=0).map(
    lambda before: NOON + timedelta(milliseconds=before)
)
tracks = st.lists(st.builds(Change, at=times, state=states), max_size=12).map(
    lambda changes: sorted(changes, key=lambda change: change.at)
)


@given(st.dictionaries(st.sampled_from(list(Source)), tracks))
def test_a_history_has_no_gaps_no_overlaps_and_no_equal_neighbours(
    changes: dict[Source, list[Change]],
) -> None:
    found = history(changes, since=NOON - DAY, now=NOON)

    assert found[0].start == NOON - DAY
    assert found[-1].end is None
    assert all(one.end == other.start for one, other in pairwise(found))
    assert all(one.state is not other.state for one, other in pairwise(found))
    assert sum(one.duration for one in found) == DAY.total_seconds()
    assert all(one.duration > 0 for one in found[:-1])


def rows(
    told: Change, *, last: Change, heard: datetime | None, continuous: bool = False
) -> list[Change]:
    return changes_to_record(
        last=last, heard=heard, told=told, continuous=continuous, timeout=TIMEOUT
    )


def test_a_state_that_is_told_again_adds_no_row() -> None:
    last = Change(at("09:00:00"), UP)

    assert rows(Change(at("09:01:00"), UP), last=last, heard=at("09:00:00")) == []


def test_a_silence_is_unknown_from_the_timeout_on() -> None:
    last = Change(at("09:00:00"), UP)

    found = rows(Change(at("11:00:00"), UP), last=last, heard=at("10:00:00"))

    assert found == [Change(at("10:03:00"), UNKNOWN), Change(at("11:00:00"), UP)]


def test_changes_made_while_the_server_was_away_are_filled_in_at_their_times() -> None:
    last = Change(at("09:00:00"), UP)

    found = rows(Change(at("11:00:00"), DOWN), last=last, heard=at("10:00:00"), continuous=True)

    assert found == [Change(at("11:00:00"), DOWN)]


def test_a_clock_that_jumps_back_does_not_turn_the_order_round() -> None:
    last = Change(at("09:00:00"), UP)

    found = rows(Change(at("08:59:59"), DOWN), last=last, heard=at("09:00:00"))

    assert found == [Change(at("09:00:00"), DOWN)]


def test_an_end_that_fell_silent_is_unknown_now() -> None:
    changes = [Change(at("09:00:00"), UP)]

    found = fresh(changes, heard=at("11:00:00"), now=NOON, timeout=TIMEOUT)

    assert found == [*changes, Change(at("11:03:00"), UNKNOWN)]


def test_an_end_that_was_just_heard_is_what_it_said() -> None:
    changes = [Change(at("09:00:00"), UP)]

    assert fresh(changes, heard=at("11:58:00"), now=NOON, timeout=TIMEOUT) == changes

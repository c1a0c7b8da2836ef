"""When alarms open and close, on the clock alone (behaviour 3.10)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.server.measurement.rules.alarms import (
    LIMITS,
    AlarmKind,
    Finding,
    Limits,
    Track,
    next_track,
    of_flaps,
    of_mtu,
    of_speeds,
)

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIVE_FIVE = Limits(5 * MINUTE, 5 * MINUTE)
LETTERS = {"b": Finding.BAD, "f": Finding.FIT, "n": Finding.NEITHER}


def run(looks: str, *, limits: Limits = FIVE_FIVE, may_open: bool = True) -> list[str]:
    """Look once a minute; return what stood after each look, one word each."""
    track: Track | None = None
    seen = []
    for minute, letter in enumerate(looks):
        if track is not None and track.closed is not None:
            track = None
        track = next_track(
            track,
            LETTERS[letter],
            limits=limits,
            may_open=may_open,
            now=NOON + minute * MINUTE,
        )
        seen.append(word_of(track))
    return seen


def word_of(track: Track | None) -> str:
    if track is None:
        return "-"
    if track.closed is not None:
        return "closed"
    return "open" if track.opened is not None else "waits"


@pytest.mark.parametrize(
    ("looks", "ends_as"),
    [
        pytest.param("bbbbb", "waits", id="four minutes are no alarm"),
        pytest.param("bbbbbb", "open", id="five minutes are"),
        pytest.param("bbbfbb", "waits", id="a fit moment starts over"),
        pytest.param("bbnnbb", "open", id="on its way is not fit: the time goes on"),
        pytest.param("bbbbbn", "waits", id="it opens on a bad look only"),
        pytest.param("bbbbbbfffff", "open", id="four minutes of fitness close nothing"),
        pytest.param("bbbbbbffffff", "closed", id="five do"),
        pytest.param("bbbbbbfffnfffff", "open", id="five in a row"),
        pytest.param("n", "-", id="nothing known, nothing watched"),
    ],
)
def test_a_leg_down_for_five_minutes(looks: str, ends_as: str) -> None:
    assert run(looks)[-1] == ends_as


def test_nothing_opens_under_test_and_what_waited_is_forgotten() -> None:
    assert set(run("bbbbbbbbbb", may_open=False)) == {"-"}


def test_an_open_alarm_stays_open_under_test() -> None:
    opened = Track(since=NOON, opened=NOON)

    kept = next_track(opened, Finding.BAD, limits=FIVE_FIVE, may_open=False, now=NOON + MINUTE)

    assert kept == opened


@given(st.text(alphabet="bfn", max_size=60), st.sampled_from(AlarmKind))
def test_only_a_bad_look_opens_and_only_a_fit_look_closes(looks: str, kind: AlarmKind) -> None:
    seen = ["-", *run(looks, limits=LIMITS[kind])]

    for letter, before, after in zip(looks, seen, seen[1:], strict=False):
        if after == "open" and before != "open":
            assert letter == "b"
        if after == "closed":
            assert letter == "f"


@pytest.mark.parametrize(
    ("mtus", "finding"),
    [
        ((None, None), Finding.FIT),
        ((1500, 1279), Finding.BAD),
        ((1280, None), Finding.FIT),
    ],
)
def test_the_path_mtu(mtus: tuple[int | None, int | None], finding: Finding) -> None:
    assert of_mtu(mtus) is finding


@pytest.mark.parametrize(
    ("adapted", "finding"),
    [
        pytest.param((None, None), Finding.FIT, id="not lowered"),
        pytest.param((4_900, None), Finding.BAD, id="below half"),
        pytest.param((5_500, None), Finding.NEITHER, id="between"),
        pytest.param((6_100, 900), Finding.FIT, id="above six tenths"),
        pytest.param((9_000, 490), Finding.BAD, id="the worse direction counts"),
    ],
)
def test_adapted_speeds(adapted: tuple[int | None, int | None], finding: Finding) -> None:
    assert of_speeds((10_000, 1_000), adapted) is finding


def test_a_direction_that_is_switched_off_is_not_slow() -> None:
    assert of_speeds((10_000, 0), (None, 0)) is Finding.FIT


@pytest.mark.parametrize(
    ("minutes_ago", "finding"),
    [
        pytest.param([1, 2, 3, 4], Finding.BAD, id="four in five minutes"),
        pytest.param([1, 2, 3, 6], Finding.NEITHER, id="one of them is too old"),
        pytest.param([31, 32, 33, 34], Finding.FIT, id="half an hour of calm"),
        pytest.param([], Finding.FIT, id="never"),
    ],
)
def test_flapping(minutes_ago: list[int], finding: Finding) -> None:
    downs = [NOON - minutes * MINUTE for minutes in minutes_ago]

    assert of_flaps(downs, threshold=4, window=5 * MINUTE, now=NOON) is finding

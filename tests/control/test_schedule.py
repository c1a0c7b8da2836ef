from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from openbond.server.control.schedule import Every, Nightly, is_due

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
NIGHT = Nightly(time(2, 0))
HOUR = timedelta(hours=1)


def test_what_never_ran_is_due() -> None:
    assert is_due(NIGHT, last=None, now=NOON, zone=UTC)
    assert is_due(Every(HOUR), last=None, now=NOON, zone=UTC)


@pytest.mark.parametrize(("ago", "due"), [(59, False), (60, True), (600, True)])
def test_every_hour(ago: int, due: bool) -> None:
    last = NOON - timedelta(minutes=ago)

    assert is_due(Every(HOUR), last=last, now=NOON, zone=UTC) is due


@pytest.mark.parametrize(
    ("last", "due"),
    [
        pytest.param(NOON.replace(hour=2, second=31), False, id="ran this night"),
        pytest.param(NOON.replace(hour=1), True, id="ran in the evening before"),
        pytest.param(NOON - timedelta(days=9), True, id="missed many nights: once"),
    ],
)
def test_nightly(last: datetime, due: bool) -> None:
    assert is_due(NIGHT, last=last, now=NOON, zone=UTC) is due


def test_made_up_for_it_waits_for_the_next_night() -> None:
    assert not is_due(NIGHT, last=NOON, now=NOON + 13 * HOUR, zone=UTC)
    assert is_due(NIGHT, last=NOON, now=NOON + 14 * HOUR, zone=UTC)


def test_the_night_is_that_of_the_installation() -> None:
    toronto = ZoneInfo("America/Toronto")  # five hours behind
    last = NOON - timedelta(days=1)

    assert not is_due(NIGHT, last=last, now=NOON.replace(hour=6, minute=59), zone=toronto)
    assert is_due(NIGHT, last=last, now=NOON.replace(hour=7), zone=toronto)


def test_a_night_that_loses_an_hour_has_its_run() -> None:
    amsterdam = ZoneInfo("Europe/Amsterdam")  # 02:00 to 03:00 does not exist on 29 March 2026
    evening = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
    morning = datetime(2026, 3, 29, 6, 0, tzinfo=UTC)

    assert is_due(NIGHT, last=evening, now=morning, zone=amsterdam)
    assert not is_due(NIGHT, last=morning, now=morning + HOUR, zone=amsterdam)

"""Samples to minutes to hours: each once, whenever it comes; and what was kept long enough goes."""

import random

import pytest

from openbond.server.telemetry.models import Hours, Minutes, Samples, Subject
from openbond.server.telemetry.rules import roll_ups
from openbond.server.telemetry.rules.gathering import Gathering
from openbond.server.telemetry.rules.roll_ups import RollUps
from openbond.server.telemetry.rules.series import ITSELF, Told
from openbond.server.telemetry.services import rolling_up
from openbond.server.telemetry.services.pruning import prune
from openbond.server.telemetry.services.rolling_up import (
    SETTLED_MS,
    roll_up_hours,
    roll_up_minutes,
)

from .telling import DAY_MS, HOUR_MS, MINUTE_MS, NOON_MS, Teller

pytestmark = pytest.mark.django_db(databases=["telemetry"])

DOWN = (ITSELF, 1)


def rows(model: type[Minutes] | type[Hours]) -> list[RollUps]:
    subject = Subject.objects.get(told=Told.BOND_BY_BONDER)
    found = model.objects.filter(subject_id=subject.pk).order_by("at")
    return [roll_ups.decoded(bytes(row.packed)) for row in found]


def total(model: type[Minutes] | type[Hours], *, step_s: int, days: int = 30) -> tuple[int, int]:
    """Return how many samples of `down` stand in roll-ups, and their sum."""
    gathering = Gathering(
        start_s=NOON_MS // 1000 - days * 86_400, step_s=step_s, length=2 * days * 86_400 // step_s
    )
    for row in rows(model):
        gathering.add_roll_ups(row)
    cells = gathering.cells.get(DOWN)
    return (sum(cells.counts), sum(cells.sums)) if cells else (0, 0)


def roll_all(now_ms: int) -> None:
    """Roll up whatever is due, as the job does turn by turn."""
    while roll_up_minutes(now_ms=now_ms):
        pass
    while roll_up_hours(now_ms=now_ms):
        pass


def test_an_hour_of_samples_becomes_sixty_cells() -> None:
    teller = Teller()
    for minute in range(60):
        teller.tell_minute(NOON_MS + minute * MINUTE_MS, minute)

    roll_up_minutes(now_ms=NOON_MS + 3 * HOUR_MS)

    (row,) = rows(Minutes)
    assert (row.step_s, row.start_s, row.length) == (60, NOON_MS // 1000, 60)
    assert total(Minutes, step_s=60) == (360, 6 * sum(range(60)))


def test_what_may_still_be_on_its_way_waits_for_the_next_pass() -> None:
    teller = Teller()
    teller.tell_minute(NOON_MS, 1)
    now = NOON_MS + 3 * HOUR_MS
    teller.tell_minute(now - 2 * MINUTE_MS, 5)

    roll_up_minutes(now_ms=now)
    early = total(Minutes, step_s=60)
    roll_up_minutes(now_ms=now + HOUR_MS + SETTLED_MS)

    assert early == (6, 6)
    assert total(Minutes, step_s=60) == (12, 36)


def test_a_late_sample_amends_a_roll_up_that_was_final() -> None:
    teller = Teller()
    teller.tell_minute(NOON_MS, 10)
    roll_all(NOON_MS + 3 * DAY_MS)

    teller.tell_minute(NOON_MS, 30, now_ms=NOON_MS + 5 * DAY_MS)
    roll_all(NOON_MS + 7 * DAY_MS)

    assert total(Minutes, step_s=60) == (12, 240)
    (hours,) = rows(Hours)
    assert total(Hours, step_s=3600) == (12, 240)
    assert hours.step_s == 3600


def test_rolling_up_twice_counts_nothing_twice() -> None:
    teller = Teller()
    teller.tell_minute(NOON_MS, 7)

    for _ in range(3):
        roll_all(NOON_MS + 3 * DAY_MS)

    assert total(Minutes, step_s=60) == (6, 42)
    assert total(Hours, step_s=3600) == (6, 42)


def test_another_server_that_was_quicker_is_not_repeated() -> None:
    teller = Teller()
    teller.tell_minute(NOON_MS, 7)
    stale = list(Subject.objects.order_by("pk"))
    roll_up_minutes(now_ms=NOON_MS + 3 * HOUR_MS)

    rolling_up._roll_up_minutes(stale, NOON_MS + 4 * HOUR_MS)

    assert total(Minutes, step_s=60) == (6, 42)


def test_every_sample_stands_in_the_roll_ups_once_whenever_it_came() -> None:
    """Ten days of reports in disorder: lost for a while, sent twice, late by up to seven days."""
    dice, teller = random.Random(7), Teller()
    sent = told = 0
    arrivals = []
    for minute in range(0, 10 * 24 * 60, 37):
        begin, value = NOON_MS + minute * MINUTE_MS, dice.randrange(1000)
        late = dice.choice([0, 0, 0, 3 * HOUR_MS, dice.randrange(7 * DAY_MS)])
        arrivals.append((begin + MINUTE_MS + late, begin, value))
        sent, told = sent + 6, told + 6 * value
    clock = NOON_MS
    for arrival, begin, value in sorted(arrivals):
        while clock + 6 * HOUR_MS < arrival:
            clock += 6 * HOUR_MS
            roll_all(clock)
            prune(now_ms=clock)
        teller.tell_minute(begin, value, now_ms=arrival)
        if dice.random() < 0.2:
            teller.tell(teller.sent[-1], now_ms=arrival + 1000)

    for _ in range(10):
        clock += DAY_MS
        roll_all(clock)

    assert total(Hours, step_s=3600) == (sent, told)


# ---------------------------------------------------------------------------------------- pruning


def test_samples_stay_for_two_days_minutes_for_fifteen_and_hours_for_three_years() -> None:
    Teller().tell_minute(NOON_MS, 7)
    roll_all(NOON_MS + 2 * DAY_MS - 1)

    def left(now_ms: int) -> list[int]:
        prune(now_ms=now_ms)
        return [model.objects.count() for model in (Samples, Minutes, Hours)]

    assert left(NOON_MS + 2 * DAY_MS) == [2, 2, 2]
    assert left(NOON_MS + 2 * DAY_MS + HOUR_MS) == [0, 2, 2]
    assert left(NOON_MS + 18 * DAY_MS) == [0, 0, 2]
    assert left(NOON_MS + 3 * 365 * DAY_MS - DAY_MS) == [0, 0, 2]
    assert left(NOON_MS + (3 * 365 + 60) * DAY_MS) == [0, 0, 0]


def test_nothing_goes_before_it_is_rolled_up() -> None:
    Teller().tell_minute(NOON_MS, 7)

    prune(now_ms=NOON_MS + 10 * DAY_MS)

    assert Samples.objects.count() == 2


def test_pruning_stops_in_time_and_goes_on_later() -> None:
    teller = Teller()
    for minute in range(30):
        teller.tell_minute(NOON_MS + minute * MINUTE_MS, 7)
    roll_all(NOON_MS + DAY_MS)

    gone = prune(now_ms=NOON_MS + 4 * DAY_MS, most=1)

    assert gone == 60

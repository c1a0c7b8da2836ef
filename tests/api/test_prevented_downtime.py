"""Prevented downtime over the API, from histories that are stored (05-performance.md, 4).

Every figure is worked out by hand in the table beside it. Time is that of the tests: Django's clock
is set to the moment of the request.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.bonds.services import create_leg, delete_leg
from openbond.server.measurement.models import FixedPeriod, LegChange
from openbond.server.measurement.rules import Source
from openbond.server.measurement.selectors import downtime_prevented
from openbond.server.measurement.services import fix_prevented_downtime
from openbond.server.system.actors import SERVER
from openbond.server.system.services import update_settings
from openbond.wire.states import LegType, ShownState
from tests.world import World

UP, DOWN, IDLE = ShownState.UP, ShownState.DOWN, ShownState.IDLE
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)

Ask = Callable[..., dict[str, Any]]


def moment(text: str) -> datetime:
    """Read `2024-05-15 10:00`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def ask(world: World, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return what a bond prevented, as it is shown at a moment."""

    def asked(now: str, path: str = "", user: str = "ana") -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr("django.utils.timezone.now", lambda: moment(now))
            LegReport.objects.update(bonder_reported=moment(now), aggregator_reported=moment(now))
            path = path or f"/api/v3/bonds/{world.bond.pk}/downtime_prevented/"
            answer = world.client(user).get(path)
            assert answer.status_code == 200, answer.content
            found: dict[str, Any] = answer.json()
            return found

    return asked


def begin(leg: Leg, *, on_duty: bool = True) -> None:
    """Let a leg be up at both ends since long ago, the only history it has."""
    LegChange.objects.filter(leg=leg).delete()
    for source, state in (
        (Source.DUTY, UP if on_duty else IDLE),
        (Source.BONDER, UP),
        (Source.AGGREGATOR, UP),
    ):
        LegChange.objects.create(leg=leg, source=source, state=state, start=LONG_AGO)


def down(leg: Leg, since: str, until: str) -> None:
    """Let the bonder have seen a leg down."""
    for state, at in ((DOWN, since), (UP, until)):
        LegChange.objects.create(leg=leg, source=Source.BONDER, state=state, start=moment(at))


def figures(period: dict[str, Any]) -> tuple[int, int]:
    return period["count"], period["duration"]


@pytest.fixture
def script(world: World) -> World:
    """Two legs on duty and a failover leg, through an eventful month of May 2024.

    | when                              | leg | of May 12-19 | of May 19-26 | of April | of May |
    | Apr 30, 23:00 to May 1, 01:00     | A   |              |              | 3600     | 3600   |
    | May 15, 08:00:00 to 08:00:29      | A   | too short    |              |          |        |
    | May 15, 09:00:00 to 09:00:30      | A   | 30           |              |          | 30     |
    | May 15, 10:00 to 11:00, with      | A   | 3600         |              |          | 3600   |
    | May 15, 10:30 to 11:30: one count | B   | 3600         |              |          | 3600   |
    | May 15, 10:45 to 10:50            | F   | (none left)  |              |          |        |
    | May 15, 12:00 to 13:00            | F   | no outage    |              |          |        |
    | May 15, 13:00 to 13:10            | A   | 600          |              |          | 600    |
    | May 15, 13:10 to 13:20: not one   | B   | 600          |              |          | 600    |
    | May 15, 23:50 to May 16, 00:10    | A   | 1200         |              |          | 1200   |
    | May 18, 23:59:50 to 19, 00:00:20  | B   | 10           | 20           |          | 30     |
    | sum                               |     | 9640         | 20           | 3600     | 13260  |
    | count                             |     | 6            | 1            | 1        | 7      |
    """
    a, b, failover = world.dhcp_leg, world.static_leg, world.pppoe_leg
    for leg in (a, b):
        begin(leg)
    begin(failover, on_duty=False)
    down(a, "2024-04-30 23:00", "2024-05-01 01:00")
    down(a, "2024-05-15 08:00:00", "2024-05-15 08:00:29")
    down(a, "2024-05-15 09:00:00", "2024-05-15 09:00:30")
    down(a, "2024-05-15 10:00", "2024-05-15 11:00")
    down(b, "2024-05-15 10:30", "2024-05-15 11:30")
    down(failover, "2024-05-15 10:45", "2024-05-15 10:50")
    down(failover, "2024-05-15 12:00", "2024-05-15 13:00")
    down(a, "2024-05-15 13:00", "2024-05-15 13:10")
    down(b, "2024-05-15 13:10", "2024-05-15 13:20")
    down(a, "2024-05-15 23:50", "2024-05-16 00:10")
    down(b, "2024-05-18 23:59:50", "2024-05-19 00:00:20")
    return world


def test_a_scripted_day_gives_the_numbers_worked_out_by_hand(script: World, ask: Ask) -> None:
    in_the_week_after = ask("2024-05-22 12:00")
    a_week_later = ask("2024-05-29 12:00")
    in_june = ask("2024-06-05 12:00")

    assert in_the_week_after["week"] == {
        "start": "2024-05-12T00:00:00Z",
        "end": "2024-05-19T00:00:00Z",
        "count": 6,
        "duration": 9640,
    }
    assert figures(in_the_week_after["month"]) == (1, 3600), "April's part"
    assert figures(a_week_later["week"]) == (1, 20)
    assert in_june["month"] == {
        "start": "2024-05-01T00:00:00Z",
        "end": "2024-06-01T00:00:00Z",
        "count": 7,
        "duration": 13_260,
    }
    assert figures(in_june["week"]) == (0, 0)


def test_of_that_day_no_leg_was_left_for_five_minutes(script: World) -> None:
    now = moment("2024-05-22 12:00")
    LegReport.objects.update(bonder_reported=now, aggregator_reported=now)
    week, _ = downtime_prevented(Bond.objects.all(), now=now)

    assert week.prevented.none_left == 300


def test_the_system_adds_up_the_bonds_in_reach(script: World, ask: Ask) -> None:
    other = create_leg(
        by=SERVER,
        bond=script.globex_bond,
        type=LegType.DHCP,
        interface="eth1",
        down_kbps=1000,
        up_kbps=1000,
    )
    begin(other)
    down(other, "2024-05-15 10:00", "2024-05-15 10:01")
    path = "/api/v3/system/status/downtime_prevented/"

    of_ana = ask("2024-05-22 12:00", path, "ana")
    of_gil = ask("2024-05-22 12:00", path, "gil")
    of_all = ask("2024-05-22 12:00", path, "admin")

    assert figures(of_ana["week"]) == (6, 9640)
    assert figures(of_gil["week"]) == (1, 60)
    assert figures(of_all["week"]) == (7, 9700), "two bonds at the same time are two"


@pytest.mark.parametrize(
    ("day", "start", "end", "hours"),
    [
        ("2024-03-18 12:00", "2024-03-10T05:00:00Z", "2024-03-17T04:00:00Z", 167),
        ("2024-11-12 12:00", "2024-11-03T04:00:00Z", "2024-11-10T05:00:00Z", 169),
    ],
)
def test_a_week_of_daylight_saving_has_167_or_169_hours(
    day: str, start: str, end: str, hours: int, world: World, ask: Ask
) -> None:
    update_settings(by=SERVER, timezone="America/New_York")
    begin(world.dhcp_leg)
    down(world.dhcp_leg, "2024-01-10 00:00", "2024-12-24 00:00")

    week = ask(day)["week"]

    assert (week["start"], week["end"]) == (start, end)
    assert figures(week) == (1, hours * 3600)


def test_previous_is_judged_in_the_zone_at_the_moment_of_the_request(
    world: World, ask: Ask
) -> None:
    update_settings(by=SERVER, timezone="America/New_York")
    begin(world.dhcp_leg)
    down(world.dhcp_leg, "2024-02-01 04:59:00", "2024-02-01 05:01:00")

    still_february = ask("2024-03-01 02:00")["month"]
    march = ask("2024-03-01 06:00")["month"]

    assert still_february["start"] == "2024-01-01T05:00:00Z"
    assert still_february["end"] == "2024-02-01T05:00:00Z"
    assert figures(still_february) == figures(march) == (1, 60)


def test_late_reports_count_for_seven_days_and_then_no_more(script: World, ask: Ask) -> None:
    before = figures(ask("2024-05-05 12:00")["month"])
    down(script.static_leg, "2024-04-10 10:00", "2024-04-10 10:10")
    fix_prevented_downtime(now=moment("2024-05-07 23:59"))
    in_time = figures(ask("2024-05-07 23:59")["month"])

    fix_prevented_downtime(now=moment("2024-05-08 00:30"))
    fix_prevented_downtime(now=moment("2024-05-08 01:30"))
    down(script.dhcp_leg, "2024-04-20 10:00", "2024-04-20 10:10")
    down(script.static_leg, "2024-05-15 14:00", "2024-05-15 14:01")

    assert (before, in_time) == ((1, 3600), (2, 4200))
    assert figures(ask("2024-05-22 12:00")["month"]) == (2, 4200), "April is fixed"
    assert figures(ask("2024-05-22 12:00")["week"]) == (7, 9700), "a week is not yet"
    assert FixedPeriod.objects.count() == 1


def test_of_a_fixed_month_deleted_legs_no_longer_count(script: World, ask: Ask) -> None:
    down(script.static_leg, "2024-04-10 10:00", "2024-04-10 10:10")
    fix_prevented_downtime(now=moment("2024-05-08 00:30"))

    delete_leg(by=SERVER, leg=script.dhcp_leg)

    assert figures(ask("2024-05-22 12:00")["month"]) == (1, 600)


def test_a_bond_without_an_outage_keeps_none_once_the_month_is_fixed(
    script: World, ask: Ask
) -> None:
    begin(script.dhcp_leg)
    fix_prevented_downtime(now=moment("2024-05-08 00:30"))

    down(script.dhcp_leg, "2024-04-20 10:00", "2024-04-20 10:10")

    assert figures(ask("2024-05-22 12:00")["month"]) == (0, 0)


def test_an_outage_that_lasts_counts_up_to_the_end_of_the_period(world: World, ask: Ask) -> None:
    begin(world.dhcp_leg)
    since = moment("2024-05-17 12:00")
    LegChange.objects.create(leg=world.dhcp_leg, source=Source.BONDER, state=DOWN, start=since)

    week = ask("2024-05-22 12:00")["week"]

    assert figures(week) == (1, int(timedelta(hours=36).total_seconds()))

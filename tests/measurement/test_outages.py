"""Prevented downtime: the table of behaviour 4.9, row by row, and its periods."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.measurement.models import LegChange
from openbond.server.measurement.rules import Change, Source
from openbond.server.measurement.rules.outages import (
    Outage,
    Period,
    outages,
    prevented,
    previous_month,
    previous_week,
)
from openbond.server.measurement.selectors import downtime_prevented
from openbond.wire.states import ShownState
from tests.world import World

DAY = datetime(2024, 5, 15, tzinfo=UTC)
PERIOD = Period(datetime(2024, 5, 12, tzinfo=UTC), datetime(2024, 5, 19, tzinfo=UTC))
SHORTEST = timedelta(seconds=30)


def at(clock: str) -> datetime:
    parts = [float(part) for part in clock.split(":")] + [0.0]
    return DAY + timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2])


def down(*spans: str) -> list[Outage]:
    """Read `10:00-11:00` as one leg's outages."""
    pairs = [span.split("-") for span in spans]
    return [Outage(at(start), at(end)) for start, end in pairs]


@pytest.mark.parametrize(
    ("legs", "count", "duration"),
    [
        pytest.param([down("10:00:00-10:00:29")], 0, 0, id="1: 29 s is too short"),
        pytest.param([down("10:00:00-10:00:30")], 1, 30, id="2: 30 s counts"),
        pytest.param([down("10:00:00-10:00:29.999")], 0, 0, id="2: to the millisecond"),
        pytest.param(
            [down("10:00:00-10:00:29", "10:00:30-10:00:59")], 0, 0, id="3: not joined over a gap"
        ),
        pytest.param([down("10:00-11:00"), down("10:30-11:30")], 1, 7200, id="4"),
        pytest.param(
            [down("10:00-10:10"), down("10:05-10:20"), down("10:15-10:30")], 1, 2400, id="5: chain"
        ),
        pytest.param([down("10:00-10:10"), down("10:10-10:20")], 2, 1200, id="6: half-open"),
        pytest.param([down("10:00-10:10"), down("10:05:00-10:05:20")], 1, 600, id="7"),
        pytest.param([down("10:00-10:40"), down("10:30-10:50")], 1, 3600, id="9"),
        pytest.param([down("10:00-11:00"), down("10:00-11:00")], 1, 7200, id="11"),
        pytest.param([down("10:00-11:00"), down("10:20:00-10:20:20")], 1, 3600, id="12"),
        pytest.param([down("10:00-11:00")], 1, 3600, id="13"),
    ],
)
def test_the_table(legs: list[list[Outage]], count: int, duration: int) -> None:
    found = prevented(legs, period=PERIOD, shortest=SHORTEST)

    assert (found.count, found.duration) == (count, duration)


def test_rows_14_to_16_an_outage_is_cut_to_each_period_it_touches() -> None:
    edge = PERIOD.end
    across = [Outage(edge - timedelta(seconds=10), edge + timedelta(seconds=20))]
    following = Period(edge, edge + timedelta(days=7))
    lasting = [Outage(datetime(2024, 5, 17, 12, tzinfo=UTC), datetime(2024, 5, 22, tzinfo=UTC))]

    def seconds(legs: list[Outage], period: Period) -> int:
        return prevented([legs], period=period, shortest=SHORTEST).duration

    assert seconds(across, PERIOD) == 10
    assert seconds(across, following) == 20
    assert seconds(lasting, PERIOD) == 129_600


def track(*said: tuple[str, ShownState]) -> list[Change]:
    return [Change(at(clock), state) for clock, state in said]


def seen(**tracks: list[Change]) -> list[tuple[float, float]]:
    """Return outages in hours of the day; on duty and not offline unless said."""
    changes = {Source(name): changes for name, changes in tracks.items()}
    changes.setdefault(Source.DUTY, track(("0:00", ShownState.UP)))
    found = outages(changes, since=DAY, until=DAY + timedelta(days=1))
    return [
        ((one.start - DAY).total_seconds() / 3600, (one.end - DAY).total_seconds() / 3600)
        for one in found
    ]


UP, DOWN, IDLE = ShownState.UP, ShownState.DOWN, ShownState.IDLE


def test_an_outage_is_down_and_nothing_else() -> None:
    assert seen(bonder=track(("10:00", DOWN), ("11:00", UP))) == [(10, 11)]
    for other in (ShownState.REMOVED, ShownState.TESTING, ShownState.UNKNOWN):
        assert seen(bonder=track(("10:00", other), ("11:00", UP))) == []


def test_one_that_lasts_ends_where_the_view_ends() -> None:
    assert seen(bonder=track(("10:00", DOWN))) == [(10, 24)]


def test_a_failover_or_idle_leg_has_none_and_going_off_duty_ends_one() -> None:
    down_all_morning = track(("8:00", DOWN), ("12:00", UP))

    assert seen(bonder=down_all_morning, duty=track(("0:00", IDLE))) == []
    assert seen(bonder=down_all_morning, duty=track(("0:00", UP), ("9:00", IDLE))) == [(8, 9)]


def test_offline_ends_an_outage() -> None:
    changes = track(("0:00", UP), ("10:30", ShownState.OFFLINE))

    assert seen(bonder=track(("10:00", DOWN)), mode=changes) == [(10, 10.5)]


def test_the_previous_week_runs_from_sunday_to_sunday() -> None:
    week = previous_week(datetime(2026, 3, 5, 12, tzinfo=UTC), ZoneInfo("UTC"))

    assert (week.start, week.end) == (
        datetime(2026, 2, 22, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
    )


def test_a_week_with_a_change_of_clocks_is_an_hour_shorter_or_longer() -> None:
    zone = ZoneInfo("America/Toronto")

    def hours(day: datetime) -> float:
        week = previous_week(day, zone)
        return (week.end.astimezone(UTC) - week.start.astimezone(UTC)).total_seconds() / 3600

    assert hours(datetime(2024, 3, 18, 12, tzinfo=UTC)) == 167
    assert hours(datetime(2024, 11, 11, 12, tzinfo=UTC)) == 169


def test_previous_is_judged_in_the_zone_of_the_installation() -> None:
    month = previous_month(datetime(2024, 3, 1, 2, tzinfo=UTC), ZoneInfo("America/New_York"))

    assert month.start.astimezone(UTC) == datetime(2024, 1, 1, 5, tzinfo=UTC)
    assert month.end.astimezone(UTC) == datetime(2024, 2, 1, 5, tzinfo=UTC)


def test_stored_histories_are_summed_over_bonds(world: World) -> None:
    now = datetime(2024, 5, 22, 12, tzinfo=UTC)
    Leg.objects.update(created=DAY - timedelta(days=30))
    LegReport.objects.update(bonder_reported=now, aggregator_reported=now)
    for leg in (world.dhcp_leg, world.static_leg):
        for source, state, hour in (
            (Source.DUTY, UP, -48),
            (Source.BONDER, UP, -48),
            (Source.BONDER, DOWN, 10),
            (Source.BONDER, UP, 11),
        ):
            LegChange.objects.create(
                leg=leg, source=source, state=state, start=DAY + timedelta(hours=hour)
            )

    week, month = downtime_prevented(Bond.objects.all(), now=now)

    assert (week.prevented.count, week.prevented.duration) == (1, 7200)
    assert (month.prevented.count, month.prevented.duration) == (0, 0)
    elsewhere, _ = downtime_prevented(Bond.objects.filter(pk=world.globex_bond.pk), now=now)
    assert elsewhere.prevented.count == 0

"""Prevented downtime: the table of behaviour 4.9, row by row, and its periods."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.measurement.models import LegChange
from openbond.server.measurement.rules import Change, Source, changes_to_record
from openbond.server.measurement.rules.outages import (
    LegTimes,
    Period,
    Prevented,
    fit_times,
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


def span(text: str) -> tuple[datetime, datetime]:
    """Read `10:00-11:00`; hours past 24 are days later."""
    start, end = text.split("-")
    return at(start), at(end)


@dataclass(frozen=True)
class Line:
    """One leg: up but for the times given; on duty unless it is a failover or an idle leg."""

    down: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    on_duty: bool = True

    def times(self, period: Period) -> LegTimes:
        duty = ShownState.UP if self.on_duty else ShownState.IDLE
        start = period.start - timedelta(days=7)
        track = [Change(start, ShownState.UP)]
        for spans, state in (self.down, ShownState.DOWN), (self.removed, ShownState.REMOVED):
            for began, ended in map(span, spans):
                track += [Change(began, state), Change(ended, ShownState.UP)]
        changes = {
            Source.DUTY: [Change(start, duty)],
            Source.BONDER: track,
            Source.AGGREGATOR: [Change(start, ShownState.UP)],
        }
        view = {"since": start, "until": period.end + timedelta(days=7)}
        return LegTimes(outages(changes, **view), fit_times(changes, **view))


def down(*spans: str) -> Line:
    return Line(down=spans)


UP_ALL_TIME = Line()
FOLLOWING = Period(PERIOD.end, PERIOD.end + timedelta(days=7))
# From Wednesday's midnight: Saturday 23:59:50 to Sunday 00:00:20, and Friday 12:00 to Wednesday.
OVER_THE_EDGE = down("95:59:50-96:00:20")
LASTING = down("60:00-180:00")


@pytest.mark.parametrize(
    ("legs", "count", "duration", "none_left"),
    [
        pytest.param([down("10:00:00-10:00:29"), UP_ALL_TIME], 0, 0, 0, id="1: 29 s"),
        pytest.param([down("10:00:00-10:00:30"), UP_ALL_TIME], 1, 30, 0, id="2: 30 s"),
        pytest.param([down("10:00:00-10:00:29.999"), UP_ALL_TIME], 0, 0, 0, id="2: to the ms"),
        pytest.param(
            [down("10:00:00-10:00:29", "10:00:30-10:00:59"), UP_ALL_TIME],
            0,
            0,
            0,
            id="3: not joined over a gap",
        ),
        pytest.param(
            [down("10:00-11:00"), down("10:30-11:30"), UP_ALL_TIME], 1, 7200, 0, id="4: overlap"
        ),
        pytest.param(
            [down("10:00-10:10"), down("10:05-10:20"), down("10:15-10:30"), UP_ALL_TIME],
            1,
            2400,
            0,
            id="5: chain",
        ),
        pytest.param(
            [down("10:00-10:10"), down("10:10-10:20"), UP_ALL_TIME], 2, 1200, 0, id="6: half-open"
        ),
        pytest.param(
            [down("10:00-10:10"), down("10:05:00-10:05:20"), UP_ALL_TIME],
            1,
            600,
            0,
            id="7: a short one beside",
        ),
        pytest.param(
            [Line(("10:00-11:00",), on_duty=False), UP_ALL_TIME], 0, 0, 0, id="8: failover leg"
        ),
        pytest.param([down("10:00-10:40"), down("10:30-10:50")], 1, 3600, 600, id="9: both down"),
        pytest.param(
            [down("10:00-10:40"), down("10:30-10:50"), Line(on_duty=False)],
            1,
            3600,
            0,
            id="10: and a failover leg up",
        ),
        pytest.param([down("10:00-11:00"), down("10:00-11:00")], 1, 7200, 3600, id="11: all down"),
        pytest.param(
            [down("10:00-11:00"), down("10:20:00-10:20:20")], 1, 3600, 20, id="12: for 20 s"
        ),
        pytest.param([down("10:00-11:00")], 1, 3600, 3600, id="13: the only leg"),
        pytest.param([OVER_THE_EDGE, UP_ALL_TIME], 1, 10, 0, id="14: the first week"),
        pytest.param([LASTING, UP_ALL_TIME], 1, 129_600, 0, id="16: still down"),
        pytest.param([UP_ALL_TIME, UP_ALL_TIME], 0, 0, 0, id="17: legs that worked"),
        pytest.param([down("10:00-11:00"), down("10:00-11:00")], 1, 7200, 3600, id="18: no power"),
        pytest.param(
            [Line(removed=("10:00-11:00",)), UP_ALL_TIME], 0, 0, 0, id="19: removed for loss"
        ),
        pytest.param(
            [Line(("10:00-11:00",), on_duty=False), UP_ALL_TIME], 0, 0, 0, id="20: mode idle"
        ),
    ],
)
def test_the_table(legs: list[Line], count: int, duration: int, none_left: int) -> None:
    found = figure(legs, PERIOD)

    assert (found.count, found.duration, found.none_left) == (count, duration, none_left)


def figure(legs: list[Line], period: Period) -> Prevented:
    return prevented([leg.times(PERIOD) for leg in legs], period=period, shortest=SHORTEST)


def test_row_15_the_second_week_of_an_outage_over_the_edge() -> None:
    found = figure([OVER_THE_EDGE, UP_ALL_TIME], FOLLOWING)

    assert (found.count, found.duration, found.none_left) == (1, 20, 0)


def test_row_17_reports_filled_in_later_leave_no_outage() -> None:
    before = Change(at("9:00"), ShownState.UP)
    later = Change(at("11:00"), ShownState.UP)
    timeout = timedelta(minutes=3)

    rows = changes_to_record(
        last=before, heard=at("9:00"), told=later, continuous=True, timeout=timeout
    )

    assert rows == []


def test_a_removed_leg_is_not_fit_beside_one_that_is_down() -> None:
    found = figure([down("10:00-11:00"), Line(removed=("10:30-10:45",))], PERIOD)

    assert (found.duration, found.none_left) == (3600, 900)


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

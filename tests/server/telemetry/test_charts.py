"""Charts over every span: each sample in its bucket, once, whatever row it stands in by now."""

from datetime import UTC, datetime

import pytest

from openbond.server.bonds.models import Leg
from openbond.server.spaces.viewer import Viewer
from openbond.server.telemetry.models import Samples
from openbond.server.telemetry.rules.charts import CHARTS, SPANS
from openbond.server.telemetry.selectors.charts import BondChart, bond_chart
from openbond.server.telemetry.services.rolling_up import roll_up_hours, roll_up_minutes
from openbond.wire.metrics import RollUp
from tests.world import World

from .telling import HOUR_MS, MINUTE_MS, NOON_MS, Teller, far_end

pytestmark = pytest.mark.django_db(databases=["default", "telemetry"])


def at(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1000, UTC)


@pytest.fixture
def near(world: World) -> Teller:
    legs = [world.dhcp_leg.pk, world.static_leg.pk]
    return Teller(node_id=world.bonder.pk, bond_id=world.bond.pk, leg_ids=legs)


@pytest.fixture
def far(world: World, near: Teller) -> Teller:
    teller = far_end()
    teller.node_id, teller.bond_id, teller.leg_ids = world.home.pk, near.bond_id, near.leg_ids
    return teller


def chart(
    world: World, name: str, span: str, now_ms: int, *, rolled_up: RollUp | None = None
) -> BondChart:
    found = bond_chart(
        world.viewer("ana"),
        bond_id=world.bond.pk,
        chart=name,
        span=span,
        now=at(now_ms),
        rolled_up=rolled_up,
    )
    assert found is not None
    return found


def known(chart: BondChart, line: int = 0) -> dict[int, float]:
    """Return the points of a line that are no gaps, by the seconds at which their bucket begins."""
    return {
        chart.start_s + number * chart.span.bucket_s: value
        for number, value in enumerate(chart.lines[line].values)
        if value is not None
    }


def test_a_chart_of_minutes_shows_each_sample(world: World, near: Teller) -> None:
    times = [NOON_MS + 5_000 + 10_000 * number for number in range(6)]
    report = near.measure(times, bond={"up": [1, 2, None, 4, 5, 6], "down": [7]})
    near.tell(report, now_ms=NOON_MS + MINUTE_MS)

    drawn = chart(world, "tunnel_traffic", "15min", NOON_MS + MINUTE_MS)

    noon = NOON_MS // 1000
    assert known(drawn) == {noon: 1, noon + 10: 2, noon + 30: 4, noon + 40: 5, noon + 50: 6}
    assert known(drawn, 1) == {noon + 10 * number: 7 for number in range(6)}
    assert len(drawn.lines[0].values) == 90
    assert [(line.line.name, line.line.axis) for line in drawn.lines] == [
        ("up", "above"),
        ("down", "below"),
    ]


@pytest.mark.parametrize("span", list(SPANS))
def test_every_span_shows_all_samples_before_and_after_they_are_rolled_up(
    world: World, near: Teller, span: str
) -> None:
    seconds = SPANS[span].bucket_s * SPANS[span].points
    now = NOON_MS + HOUR_MS
    # Thirty minutes over the span: half of it older than any pass, one minute just now.
    begins = sorted(
        {now - (number * seconds * 1000 // 31) // MINUTE_MS * MINUTE_MS for number in range(1, 30)}
    )
    for begin in begins:
        near.tell_minute(begin, 60)
        roll_up_minutes(now_ms=begin + 2 * MINUTE_MS)
        roll_up_hours(now_ms=begin + 2 * MINUTE_MS)
    before = chart(world, "tunnel_traffic", span, now)
    while roll_up_minutes(now_ms=now + 2 * HOUR_MS) or roll_up_hours(now_ms=now + 2 * HOUR_MS):
        pass

    after = chart(world, "tunnel_traffic", span, now)

    assert known(before) == known(after)
    assert set(known(after).values()) == {60}
    buckets = {begin // 1000 // SPANS[span].bucket_s for begin in begins}
    assert len(known(after)) >= len(buckets)


def test_the_mean_is_that_of_all_samples_of_a_bucket_and_the_greatest_is_kept(
    world: World, near: Teller
) -> None:
    for minute, value in enumerate((10, 20, 30, 60)):
        near.tell_minute(NOON_MS + minute * MINUTE_MS, value)
    roll_up_minutes(now_ms=NOON_MS + 3 * HOUR_MS)

    now = NOON_MS + 3 * HOUR_MS
    mean = chart(world, "tunnel_traffic", "day", now)
    highest = chart(world, "tunnel_traffic", "day", now, rolled_up=RollUp.MAX)

    assert known(mean) == {NOON_MS // 1000: 30}
    assert known(highest) == {NOON_MS // 1000: 60}


def test_legs_are_stacked_in_their_order_and_each_end_tells_its_losses(
    world: World, near: Teller, far: Teller
) -> None:
    far.tell_minute(NOON_MS, 12)

    drawn = chart(world, "leg_loss", "1h", NOON_MS + MINUTE_MS)

    shown = [(line.leg.interface if line.leg else "", line.line.name) for line in drawn.lines]
    assert shown == [(i, way) for i in ("eth1", "eth2", "eth3") for way in ("up", "down")]
    assert known(drawn, 0) == {}
    assert set(known(drawn, 1).values()) == {1.2}
    assert known(drawn, 5) == {}
    assert drawn.unit == "%"


def test_the_processor_is_that_of_the_bonder(world: World, near: Teller) -> None:
    near.tell_minute(NOON_MS, 250)

    drawn = chart(world, "cpu", "1h", NOON_MS + MINUTE_MS)

    assert set(known(drawn).values()) == {25.0}


def test_changes_of_state_are_counted(world: World, near: Teller) -> None:
    leg = world.dhcp_leg.pk
    for minute in range(3):
        times = [NOON_MS + minute * MINUTE_MS + 5_000, NOON_MS + minute * MINUTE_MS + 15_000]
        report = near.measure(times, legs={leg: {"state_changes": [1, 2]}})
        near.tell(report, now_ms=times[-1])

    drawn = chart(world, "leg_state_changes", "day", NOON_MS + HOUR_MS)

    assert known(drawn) == {NOON_MS // 1000: 9}


def test_a_chart_of_nothing_is_all_gaps(world: World) -> None:
    for name in CHARTS:
        drawn = chart(world, name, "day", NOON_MS)
        assert all(value is None for line in drawn.lines for value in line.values)


def test_ten_minutes_without_a_server_are_there_afterwards_once(world: World, near: Teller) -> None:
    """The node tells ten reports at once, and the request comes twice."""
    for minute in range(5):
        near.tell_minute(NOON_MS + minute * MINUTE_MS, 40)
    back = NOON_MS + 15 * MINUTE_MS
    waiting = [
        near.measure(
            [NOON_MS + minute * MINUTE_MS + 5_000 + 10_000 * number for number in range(6)],
            bond={"up": [40], "down": [40]},
        )
        for minute in range(5, 15)
    ]
    near.tell(*waiting, now_ms=back)
    near.tell(*waiting, now_ms=back + 3_000)

    drawn = chart(world, "tunnel_traffic", "15min", back - 1_000)

    assert drawn.lines[0].values == [40] * 90


def test_the_chart_of_another_spaces_bond_does_not_exist(world: World) -> None:
    def of(viewer: Viewer) -> BondChart | None:
        return bond_chart(
            viewer, bond_id=world.globex_bond.pk, chart="cpu", span="day", now=at(NOON_MS)
        )

    assert of(world.viewer("ana")) is None
    assert of(world.viewer("gil")) is not None


def test_a_row_that_is_damaged_is_a_gap(world: World, near: Teller) -> None:
    near.tell_minute(NOON_MS, 40)
    Samples.objects.update(packed=b"\xc1")

    drawn = chart(world, "tunnel_traffic", "15min", NOON_MS + MINUTE_MS)

    assert known(drawn) == {}


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_a_leg_that_was_deleted_is_drawn_as_long_as_it_was_measured(
    world: World, near: Teller, is_rolled_up: bool
) -> None:
    near.tell_minute(NOON_MS, 60)
    if is_rolled_up:
        roll_up_minutes(now_ms=NOON_MS + 3 * HOUR_MS)
    gone = world.dhcp_leg.pk
    Leg.objects.filter(pk=gone).delete()

    of_day = chart(world, "leg_traffic", "day", NOON_MS + HOUR_MS)
    of_minutes = chart(world, "leg_traffic", "15min", NOON_MS + HOUR_MS)

    drawn = [line.leg for line in of_day.lines if line.leg]
    assert [(leg.id, leg.type) for leg in drawn][-1] == (gone, "deleted")
    assert 60 in known(of_day, len(of_day.lines) - 1).values()
    assert gone not in {line.leg.id for line in of_minutes.lines if line.leg}
    assert "deleted" not in {line.leg.type for line in of_minutes.lines if line.leg}


def test_a_chart_of_the_bond_has_no_lines_of_legs(world: World, near: Teller) -> None:
    near.tell_minute(NOON_MS, 60)

    drawn = chart(world, "tunnel_traffic", "15min", NOON_MS + MINUTE_MS)

    assert [line.leg for line in drawn.lines] == [None, None]

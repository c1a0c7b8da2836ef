"""Alarms of legs and bonds: they open, are shown and close by themselves (behaviour 3.10)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.measurement.models import Alarm, LegChange, SpeedTest
from openbond.server.measurement.services import (
    begin_maintenance,
    end_maintenance,
    watch_alarms,
)
from openbond.server.system.actors import SERVER
from openbond.server.system.models import Alert, Mail
from openbond.server.system.services import update_settings
from tests.queries import queries_of
from tests.world import World

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
UP, DOWN = "up", "down"


class Deleting:
    """Deletes a leg, once, when the next transaction begins: somebody else did just before it."""

    def __init__(self, leg: Leg) -> None:
        self.leg_id: int | None = leg.pk

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.startswith("SAVEPOINT") and self.leg_id is not None:
            leg_id, self.leg_id = self.leg_id, None
            Leg.objects.filter(pk=leg_id).delete()
        return execute(sql, params, many, context)


class Watch:
    """The clock of the job, and what both ends say meanwhile."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now: datetime = world.now
        self.says: dict[int, tuple[str, str]] = {}
        for leg in (world.dhcp_leg, world.static_leg, world.pppoe_leg):
            self.say(leg, UP)

    def say(self, leg: Leg, state: str, aggregator: str = "") -> None:
        self.says[leg.pk] = (state, aggregator or state)

    def watch(self, span: timedelta) -> None:
        """Let time pass, the job running now and then and the ends repeating themselves."""
        until, step = self.now + span, span / 12
        while self.now < until:
            self.now += step
            for leg_id, (bonder, aggregator) in self.says.items():
                LegReport.objects.filter(pk=leg_id).update(
                    bonder_state=bonder,
                    bonder_reported=self.now,
                    aggregator_state=aggregator,
                    aggregator_reported=self.now,
                )
            watch_alarms(now=self.now)

    def open(self) -> list[tuple[str, int | None]]:
        rows = Alarm.objects.filter(opened__isnull=False, closed__isnull=True)
        return list(rows.order_by("id").values_list("kind", "leg_id"))


@pytest.fixture
def watch(world: World) -> Watch:
    return Watch(world)


def test_a_dead_leg_behind_a_healthy_bond_raises_an_alarm(world: World, watch: Watch) -> None:
    watch.say(world.static_leg, DOWN)

    watch.watch(4 * MINUTE)
    before = watch.open()
    watch.watch(2 * MINUTE)

    assert before == []
    assert watch.open() == [("leg_down", world.static_leg.pk)]
    alert = Alert.objects.get(code="leg_down")
    assert alert.about == f"leg {world.static_leg.pk}"
    assert "eth2" in alert.text
    assert "site-1" in alert.text


def test_an_alarm_closes_by_itself_five_minutes_after_the_leg_is_back(
    world: World, watch: Watch
) -> None:
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)
    watch.say(world.static_leg, UP)

    watch.watch(4 * MINUTE)
    meanwhile = watch.open()
    watch.watch(2 * MINUTE)

    assert meanwhile == [("leg_down", world.static_leg.pk)]
    assert watch.open() == []
    assert Alarm.objects.get().closed is not None
    assert Alert.objects.filter(code="leg_down").count() == 1


def test_a_bond_without_any_leg_is_one_alarm(world: World, watch: Watch) -> None:
    for leg in (world.dhcp_leg, world.static_leg, world.pppoe_leg):
        watch.say(leg, DOWN)

    watch.watch(10 * MINUTE)

    assert watch.open() == [("bond_down", None)]


def test_one_end_that_sees_no_leg_is_enough(world: World, watch: Watch) -> None:
    for leg in (world.dhcp_leg, world.static_leg, world.pppoe_leg):
        watch.say(leg, UP, aggregator=DOWN)

    watch.watch(2 * MINUTE)

    assert watch.open() == [("bond_down", None)]


def test_a_leg_taken_out_of_use_raises_none(world: World, watch: Watch) -> None:
    Leg.objects.filter(pk=world.static_leg.pk).update(link_mode="idle")
    watch.say(world.static_leg, DOWN)

    watch.watch(10 * MINUTE)

    assert watch.open() == []


def test_a_leg_under_a_speed_test_raises_none(world: World, watch: Watch) -> None:
    SpeedTest.objects.create(
        bond=world.bond,
        leg=world.static_leg,
        description="leg",
        status="running",
        submitted=world.now,
    )
    watch.say(world.static_leg, "testing")
    watch.say(world.dhcp_leg, DOWN)

    watch.watch(10 * MINUTE)

    assert watch.open() == []


def test_a_failover_leg_that_carries_the_traffic_raises_one(world: World, watch: Watch) -> None:
    Leg.objects.filter(pk=world.pppoe_leg.pk).update(failover=True)
    watch.say(world.pppoe_leg, "failover")

    watch.watch(10 * MINUTE)
    standing_by = watch.open()
    watch.say(world.dhcp_leg, DOWN)
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)

    assert standing_by == []
    assert ("failover_in_use", world.pppoe_leg.pk) in watch.open()


def test_a_leg_that_goes_down_again_and_again_raises_one(world: World, watch: Watch) -> None:
    for minutes in (1, 2, 3, 4):
        LegChange.objects.create(
            leg=world.dhcp_leg, source="bonder", state=DOWN, start=world.now - minutes * MINUTE
        )

    watch.watch(10 * SECOND)
    at_once = watch.open()
    watch.watch(25 * MINUTE)
    later = watch.open()
    watch.watch(10 * MINUTE)

    assert at_once == later == [("leg_flapping", world.dhcp_leg.pk)]
    assert watch.open() == []


def test_a_path_mtu_below_1280_raises_one_until_it_is_not(world: World, watch: Watch) -> None:
    LegReport.objects.filter(pk=world.dhcp_leg.pk).update(up_mtu=1200, down_mtu=1500)
    watch.watch(10 * SECOND)
    low = watch.open()

    LegReport.objects.filter(pk=world.dhcp_leg.pk).update(up_mtu=1280)
    watch.watch(10 * SECOND)

    assert low == [("mtu_low", world.dhcp_leg.pk)]
    assert watch.open() == []


def test_a_leg_slowed_below_half_for_an_hour_raises_one(world: World, watch: Watch) -> None:
    LegReport.objects.filter(pk=world.dhcp_leg.pk).update(adapted_down_kbps=20_000)

    watch.watch(12 * SECOND)
    watch.watch(59 * MINUTE)
    before = watch.open()
    watch.watch(2 * MINUTE)

    assert before == []
    assert watch.open() == [("speed_adjusted", world.dhcp_leg.pk)]


def test_nodes_that_nobody_hears_raise_no_alarm_of_legs(world: World, watch: Watch) -> None:
    watch.says.clear()

    watch.watch(10 * MINUTE)

    assert watch.open() == []


def test_open_alarms_are_shown_on_leg_and_bond(world: World, watch: Watch) -> None:
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)

    bond: dict[str, Any] = world.client("ana").get(f"/api/v3/bonds/{world.bond.pk}/").json()
    leg = next(one for one in bond["leg_list"] if one["id"] == world.static_leg.pk)

    assert [alarm["alarm"] for alarm in leg["alarms"]] == ["leg_down"]
    assert bond["alarms"] == [{**leg["alarms"][0], "leg": leg["url"]}]
    others = [one for one in bond["leg_list"] if one["id"] != world.static_leg.pk]
    assert all(one["alarms"] == [] for one in others)


def test_an_alarm_leaves_the_etag_of_its_bond_alone(world: World, watch: Watch) -> None:
    def etag() -> str:
        tag: str = world.client("ana").get(f"/api/v3/bonds/{world.bond.pk}/")["ETag"]
        return tag

    before = etag()
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)

    assert etag() == before


def test_a_closed_alarm_is_shown_no_more(world: World, watch: Watch) -> None:
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)
    watch.say(world.static_leg, UP)
    watch.watch(6 * MINUTE)

    bond = world.client("ana").get(f"/api/v3/bonds/{world.bond.pk}/").json()

    assert bond["alarms"] == []


def test_a_look_costs_as_many_queries_for_one_leg_in_trouble_as_for_three(
    world: World, watch: Watch
) -> None:
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)
    one = len(queries_of(lambda: watch_alarms(now=watch.now + SECOND)))
    LegReport.objects.update(up_mtu=1200)
    watch.watch(MINUTE)

    three = len(queries_of(lambda: watch_alarms(now=watch.now + SECOND)))

    assert one == three


def test_alarms_go_with_their_leg(world: World, watch: Watch) -> None:
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)

    Leg.objects.filter(pk=world.static_leg.pk).delete()
    watch.says.pop(world.static_leg.pk)
    watch.watch(MINUTE)

    assert Alarm.objects.count() == 0


def test_an_alarm_is_mailed_when_it_opens_and_when_it_closes(world: World, watch: Watch) -> None:
    update_settings(
        by=SERVER, email_from="openbond@example.net", email_recipients=["noc@example.net"]
    )
    watch.say(world.static_leg, DOWN)
    watch.watch(6 * MINUTE)
    watch.say(world.static_leg, UP)
    watch.watch(6 * MINUTE)

    opened, closed = Mail.objects.order_by("id")
    about = f"Leg {world.static_leg.pk}: leg down (site-1)"
    assert (opened.subject, closed.subject) == (about, f"Over: {about}")
    assert "What to do: Look at its line and its modem." in opened.text
    assert f"/api/v3/bonds/{world.bond.pk}/" in opened.text


@pytest.mark.parametrize("subject", ["bond", "acme", "root"])
def test_no_alarm_opens_while_people_work_at_the_bond_and_then_it_waits_anew(
    world: World, watch: Watch, subject: str
) -> None:
    begin_maintenance(
        by=SERVER, subject=getattr(world, subject), now=watch.now, ends=watch.now + 20 * MINUTE
    )
    watch.say(world.static_leg, DOWN)
    watch.watch(19 * MINUTE)
    meanwhile = watch.open()
    watch.watch(5 * MINUTE)
    just_after = watch.open()

    watch.watch(3 * MINUTE)

    assert (meanwhile, just_after) == ([], [])
    assert watch.open() == [("leg_down", world.static_leg.pk)]


def test_maintenance_of_another_space_silences_nothing_and_may_end_early(
    world: World, watch: Watch
) -> None:
    ends = watch.now + timedelta(hours=2)
    begin_maintenance(by=SERVER, subject=world.globex, now=watch.now, ends=ends)
    begin_maintenance(by=SERVER, subject=world.acme_east, now=watch.now, ends=ends)
    begin_maintenance(by=SERVER, subject=world.bond, now=watch.now, ends=ends)
    ended = end_maintenance(by=SERVER, subject=world.bond, now=watch.now)
    again = end_maintenance(by=SERVER, subject=world.bond, now=watch.now)
    watch.say(world.static_leg, DOWN)

    watch.watch(7 * MINUTE)

    assert (ended, again) == (True, False)
    assert watch.open() == [("leg_down", world.static_leg.pk)]


def test_a_leg_that_is_deleted_while_it_is_looked_at_gets_no_alarm(
    world: World, watch: Watch
) -> None:
    watch.say(world.static_leg, DOWN)
    watch.watch(4 * MINUTE)

    deleting = Deleting(world.static_leg)
    with connection.execute_wrapper(deleting):
        watch.watch(2 * MINUTE)

    assert deleting.leg_id is None
    assert not Alarm.objects.filter(leg_id=world.static_leg.pk).exists()

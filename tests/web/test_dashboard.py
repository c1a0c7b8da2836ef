"""The dashboard: what hurts, first, from where one looks, and for how many queries."""

import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.bonds.services import create_bond, create_leg
from openbond.server.fleet.models import Aggregator, ConfigUpdate, Node
from openbond.server.measurement.selectors.overview import Overview
from openbond.server.measurement.services import create_speed_test
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType
from tests.queries import queries_of
from tests.web.signed_in import signed_in
from tests.world import World, settle_updates

MOST_QUERIES = 10


def say(leg: Leg, state: str, at: datetime | None = None) -> None:
    """Both ends report a state of a leg, now."""
    at = at or timezone.now()
    LegReport.objects.filter(leg=leg).update(
        bonder_state=state, bonder_reported=at, aggregator_state=state, aggregator_reported=at
    )
    Node.objects.filter(bonder__bond=leg.bond).update(last_connected=at)


def look(world: World, name: str) -> Overview:
    found: Overview = signed_in(world, name).get("/").context["look"]
    return found


@pytest.fixture
def one_leg_down(world: World) -> World:
    for leg in (world.dhcp_leg, world.static_leg):
        say(leg, "up")
    say(world.pppoe_leg, "down")
    return world


def test_a_leg_down_behind_a_healthy_bond_is_shown_first(one_leg_down: World) -> None:
    world = one_leg_down
    lonely = create_leg(
        by=SERVER,
        bond=world.globex_bond,
        type=LegType.DHCP,
        down_kbps=1000,
        up_kbps=1000,
        interface="eth9",
    )
    say(lonely, "down")

    seen = look(world, "admin")

    assert [(leg.id, leg.is_noticed) for leg in seen.legs_down] == [
        (world.pppoe_leg.pk, False),
        (lonely.pk, True),
    ]
    assert seen.legs_down_count == 2
    assert (seen.bonds["up"], seen.bonds["down"], seen.bonds["all"]) == (1, 1, 2)
    assert (seen.legs["up"], seen.legs["down"]) == (2, 2)


def test_a_leg_that_people_took_out_does_not_hurt(one_leg_down: World) -> None:
    Leg.objects.filter(pk=one_leg_down.pppoe_leg.pk).update(link_mode="idle")

    assert look(one_leg_down, "admin").legs_down == ()


def test_a_report_that_is_too_old_says_nothing(one_leg_down: World) -> None:
    say(one_leg_down.pppoe_leg, "down", timezone.now() - timedelta(hours=1))

    seen = look(one_leg_down, "admin")

    assert seen.legs_down == ()
    assert seen.legs["unknown"] == 1


@pytest.mark.parametrize("name", ["ana", "gil"])
def test_nobody_sees_what_belongs_to_another_space(name: str, one_leg_down: World) -> None:
    world = one_leg_down
    page = signed_in(world, name).get("/").content.decode()

    seen = look(world, name)

    is_anas = name == "ana"
    assert seen.bonds["all"] == 1
    assert len(seen.legs_down) == (1 if is_anas else 0)
    assert ("site-1" in page) is is_anas


def test_a_switch_of_space_narrows_it(one_leg_down: World) -> None:
    world = one_leg_down
    admin = signed_in(world, "admin")

    admin.post("/switch-space/", {"space": world.globex.pk})

    assert admin.get("/").context["look"].bonds["all"] == 1
    assert admin.get("/").context["look"].legs_down == ()


def test_what_one_may_not_see_is_not_there(one_leg_down: World) -> None:
    one_leg_down.restrict("ana", "view_bond")

    seen = look(one_leg_down, "ana")

    assert seen.bonds["all"] == 1
    for part in (seen.legs, seen.legs_down, seen.aggregators, seen.updates, seen.tests):
        assert not part


def test_aggregators_updates_and_tests_are_counted(world: World) -> None:
    settle_updates()
    Aggregator.objects.filter(pk=world.home.pk).update(failed=True, last_connected=world.now)
    for status in ("pending", "pending", "failed"):
        ConfigUpdate.objects.create(node=world.home, status=status, created=world.now)
    create_speed_test(by=SERVER, bond=world.bond)

    seen = look(world, "admin")

    assert (seen.aggregators["all"], seen.aggregators["failed"], seen.aggregators["up"]) == (
        2,
        1,
        1,
    )
    assert (seen.updates["pending"], seen.updates["failed"]) == (2, 1)
    assert seen.tests == {"queued": 1, "all": 1}


def test_a_new_installation_is_told_what_to_do_first(world: World) -> None:
    page = signed_in(world, "eve").get("/").content.decode()

    assert "Three steps to the first bond" in page


@pytest.mark.parametrize("switched", [False, True])
@pytest.mark.parametrize("name", ["admin", "ana"])
def test_it_costs_as_many_queries_for_many_bonds_as_for_few(
    name: str, switched: bool, one_leg_down: World
) -> None:
    world = one_leg_down
    client = signed_in(world, name)
    if switched:
        client.post("/switch-space/", {"space": world.acme_east.pk})

    few = len(queries_of(lambda: client.get("/")))
    for number in range(20):
        create_bond(by=SERVER, aggregator=world.home, space=world.acme_east, name=f"b{number}")
    many = len(queries_of(lambda: client.get("/")))

    assert few == many
    assert many <= MOST_QUERIES


def test_names_are_text_and_no_markup(one_leg_down: World) -> None:
    Node.objects.filter(bonder__bond=one_leg_down.bond).update(name="<script>alert(1)</script>")

    page = signed_in(one_leg_down, "ana").get("/").content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_prevented_downtime_comes_by_itself(world: World) -> None:
    part = signed_in(world, "ana").get("/dashboard/prevented/")

    assert part.status_code == 200
    assert re.search(r"0 s</p>.*last week", part.content.decode())

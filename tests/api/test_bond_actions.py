"""POST restart/, detect_leg_mtus/, restore_to_primary_agg/ (02-bonds.md, 4)."""

from openbond.server.bonds.models import Bond, Leg
from openbond.server.fleet.models import Aggregator, ConfigUpdate
from tests.world import World, nodes_to_update, settle_updates


def url(world: World, action: str) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/{action}/"


def test_restart_is_queued_for_both_ends(world: World) -> None:
    settle_updates()

    response = world.client("ana").post(url(world, "restart"), "ignored", "text/plain")

    assert response.status_code == 202
    assert response.json() == {"status": "queued", "detail": "Restart queued."}
    assert nodes_to_update() == {"site-1", "home"}


def test_a_second_restart_is_merged_with_one_that_waits(world: World) -> None:
    settle_updates()
    client = world.client("ana")

    answers = [client.post(url(world, "restart")).status_code for _ in range(2)]

    assert answers == [202, 202]
    assert Bond.objects.get(pk=world.bond.pk).restart_count == 1
    assert ConfigUpdate.objects.count() == 2


def test_mtu_detection_names_the_active_legs(world: World) -> None:
    Leg.objects.filter(pk=world.static_leg.pk).update(link_mode="idle")

    response = world.client("ana").post(url(world, "detect_leg_mtus"))

    legs = [world.dhcp_leg.pk, world.pppoe_leg.pk]
    assert response.status_code == 202
    assert response.json() == {
        "status": "queued",
        "detail": "MTU detection queued for 2 legs.",
        "legs": legs,
    }


def test_mtu_detection_needs_an_active_leg(world: World) -> None:
    Leg.objects.filter(bond=world.bond).update(link_mode="idle")

    response = world.client("ana").post(url(world, "detect_leg_mtus"))

    assert (response.status_code, response.json()["code"]) == (400, "no_active_legs")


def test_restore_moves_the_bond_home_and_tells_every_node_concerned(world: World) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(current_aggregator=world.away)
    settle_updates()

    response = world.client("ana").post(url(world, "restore_to_primary_agg"))

    assert response.status_code == 200
    assert response.json()["current_aggregator"] == response.json()["aggregator"]
    assert "ETag" in response
    assert nodes_to_update() == {"home", "away", "site-1"}


def test_restore_is_refused_while_the_primary_is_still_failed(world: World) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(current_aggregator=world.away)
    Aggregator.objects.filter(pk=world.home.pk).update(failed=True)
    settle_updates()

    response = world.client("ana").post(url(world, "restore_to_primary_agg"))

    assert response.status_code == 400
    assert response.json() == {
        "code": "primary_failed",
        "detail": "The primary aggregator is still failed.",
    }
    assert Bond.objects.get(pk=world.bond.pk).current_aggregator == world.away
    assert nodes_to_update() == set()


def test_restore_of_a_bond_at_home_is_harmless(world: World) -> None:
    settle_updates()

    response = world.client("ana").post(url(world, "restore_to_primary_agg"))

    assert response.status_code == 200
    assert nodes_to_update() == set()


def test_a_bond_of_another_space_does_not_exist(world: World) -> None:
    settle_updates()

    for action in ("restart", "detect_leg_mtus", "restore_to_primary_agg"):
        assert world.client("gil").post(url(world, action)).status_code == 404
    assert nodes_to_update() == set()


def test_nobody_gets_nothing(world: World) -> None:
    for action in ("restart", "detect_leg_mtus", "restore_to_primary_agg"):
        assert world.nobody().post(url(world, action)).status_code == 401

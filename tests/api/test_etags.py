"""ETag and If-Match: nobody writes over what another has changed (00-general.md, 7.4)."""

from typing import Any

import pytest

from openbond.server.bonds.models import Bond, LegReport
from openbond.server.bonds.services import update_bond, update_bonder
from openbond.server.system.actors import SERVER
from tests.world import World

JSON = "application/json"


def bond(world: World) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/"


def leg(world: World) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/dhcp_legs/{world.dhcp_leg.pk}/"


def etag(world: World, url: str, **more: Any) -> str:
    return world.client("ana").get(url, **more)["ETag"]


def test_single_objects_carry_a_strong_etag_and_lists_none(world: World) -> None:
    client = world.client("ana")
    created = client.post("/api/v3/bonds/", {"aggregator": world.home.pk}, JSON)

    assert created["ETag"] == etag(world, created["Location"])
    assert created["ETag"].startswith('"')
    assert "ETag" not in client.get("/api/v3/bonds/")
    assert client.head(bond(world))["ETag"] == etag(world, bond(world))


def test_it_follows_writable_fields_and_nothing_else(world: World) -> None:
    before = etag(world, leg(world))

    LegReport.objects.filter(leg=world.dhcp_leg).update(
        bonder_state="up", bonder_reported=world.now, ip="192.0.2.7", prefix=24, down_mtu=1400
    )
    measured = etag(world, leg(world))
    world.client("ana").patch(leg(world), {"note": "x"}, JSON)
    written = etag(world, leg(world))
    world.client("ana").patch(leg(world), {"note": ""}, JSON)

    assert measured == before
    assert written != before
    assert etag(world, leg(world)) == before


def test_a_secret_that_the_reader_may_not_see_counts_too(world: World) -> None:
    url = f"/api/v3/bonders/{world.bonder.pk}/"
    world.restrict("ana", "view_bonder")
    before = etag(world, url)

    update_bonder(by=SERVER, bonder=world.bonder, password="another")

    assert "password" not in world.client("ana").get(url).json()
    assert etag(world, url) != before


def test_it_is_the_same_by_whatever_name_the_server_is_reached(world: World) -> None:
    assert etag(world, bond(world)) == etag(world, bond(world), HTTP_HOST="other.example:8443")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_write_on_an_old_state_is_412_and_changes_nothing(method: str, world: World) -> None:
    old = etag(world, bond(world))
    update_bond(by=SERVER, bond=world.bond, note="changed")

    response = world.client("ana").generic(
        method,
        bond(world),
        f'{{"aggregator": {world.home.pk}, "note": "mine"}}',
        content_type=JSON,
        headers={"If-Match": old},
    )

    assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")
    assert Bond.objects.get(pk=world.bond.pk).note == "changed"


@pytest.mark.parametrize("template", ["{etag}", '"x", {etag}', "*", '"x",*'])
def test_a_write_on_the_present_state_is_done(template: str, world: World) -> None:
    header = template.format(etag=etag(world, bond(world)))

    response = world.client("ana").patch(
        bond(world), {"note": "mine"}, JSON, headers={"If-Match": header}
    )

    assert response.status_code == 200
    assert response["ETag"] == etag(world, bond(world))


def test_other_conditional_headers_are_ignored(world: World) -> None:
    headers = {"If-None-Match": etag(world, bond(world))}

    assert world.client("ana").get(bond(world), headers=headers).status_code == 200


def test_a_leg_has_the_same_by_its_generic_and_its_typed_address(world: World) -> None:
    client = world.client("ana")

    for kind, row, change in (
        ("static", world.static_leg, {"ip": "198.51.100.85", "gateway": "198.51.100.86"}),
        ("pppoe", world.pppoe_leg, {"password": "new"}),
        ("dhcp", world.dhcp_leg, {"note": "new"}),
    ):
        generic = f"{bond(world)}legs/{row.pk}/"
        typed = f"{bond(world)}{kind}_legs/{row.pk}/"
        before = etag(world, generic)
        assert before == etag(world, typed)
        # A client may read the generic leg and write the typed one.
        written = client.patch(typed, change, JSON, headers={"If-Match": before})
        assert written.status_code == 200, written.json()
        assert etag(world, generic) == written["ETag"] != before


def test_that_of_a_node_follows_its_aggregator(world: World) -> None:
    client, url = world.client("admin"), f"/api/v3/aggregators/{world.away.pk}/"
    node = f"/api/v3/nodes/{world.away.pk}/"
    seen = [client.get(node)["ETag"]]

    for change in ({"name": "renamed"}, {"password": "x"}, {"debug": True}):
        client.patch(url, change, JSON)
        seen.append(client.get(node)["ETag"])

    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("header", ['W/"{}"', "{}", "", '"{}x"', '"*"'])
def test_what_is_not_the_strong_etag_does_not_match(header: str, world: World) -> None:
    given = header.format(etag(world, bond(world)).strip('"'))

    response = world.client("ana").patch(bond(world), "{}", JSON, headers={"If-Match": given})

    assert response.status_code == 412

"""Spaces and their statistics (07-people-spaces.md, 4 and 5)."""

from datetime import timedelta
from typing import Any

import pytest

from openbond.server.bonds.models import LegReport
from openbond.server.bonds.services import (
    create_bond,
    create_cpe_nat_ip,
    create_route,
    update_leg,
)
from openbond.server.fleet.models import Node
from openbond.server.measurement.services import create_speed_test
from openbond.server.qos.rules import ClassSpec
from openbond.server.qos.services import create_qos_profile
from openbond.server.spaces.models import Space
from openbond.server.spaces.services import update_user
from openbond.server.system.actors import SERVER
from tests.server.bonds.routing_world import connect, create_networks
from tests.world import World

SPACES = "/api/v3/spaces/"
JSON = "application/json"


def test_an_empty_post_names_all_that_is_needed(world: World) -> None:
    response = world.client("ana").post(SPACES, "", JSON)

    required = ["This field is required."]
    assert response.json() == {"name": required, "key": required, "parent": required}


def test_a_space_is_made_by_a_multipart_form(world: World) -> None:
    sent = {"name": "West", "key": "west", "parent": "acme"}

    response = world.client("ana").post(SPACES, sent)

    assert response.status_code == 201, response.json()
    assert response.json()["level"] == 2
    assert response.json()["branding"] == {"product_name": "", "logo_url": "", "color": ""}


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"key": "ACME"}, {"key": ["Key must be unique."]}),
        ({"key": "123"}, {"key": ["Use letters, digits, - and _, and not digits only."]}),
        ({"key": "a b"}, {"key": ["Use letters, digits, - and _, and not digits only."]}),
        ({"parent": "globex"}, {"parent": ["Invalid hyperlink - Object does not exist."]}),
        ({"parent": None}, {"parent": ["This field may not be null."]}),
        ({"branding": {"color": "red"}}, {"branding": {"color": ["Enter a color as #rrggbb."]}}),
        ({"support": "x"}, None),
    ],
)
def test_what_cannot_be_is_refused(
    fields: dict[str, Any], answer: dict[str, Any] | None, world: World
) -> None:
    sent = {"name": "West", "key": "west", "parent": "acme"} | fields

    response = world.client("ana").post(SPACES, sent, JSON)

    assert response.status_code == 400
    assert answer is None or response.json() == answer
    assert list(response.json()) == list(fields)


def test_id_and_key_name_the_same_space(world: World) -> None:
    client = world.client("ana")

    by_id = client.get(f"{SPACES}{world.acme.pk}/").json()

    assert client.get(f"{SPACES}acme/").json() == by_id
    assert client.get(f"{SPACES}ACME/").json() == by_id
    assert by_id["url"].endswith(f"/spaces/{world.acme.pk}/")


def test_the_home_space_hides_its_parent_and_may_be_put_back(world: World) -> None:
    client = world.client("ana")
    acme = client.get(f"{SPACES}acme/").json()
    assert acme["parent"] is None
    assert [space["key"] for space in client.get(SPACES).json()] == ["acme", "acme-east"]

    assert client.put(f"{SPACES}acme/", acme, JSON).json() == acme


def test_a_space_is_never_moved(world: World) -> None:
    client = world.client("admin")

    moved = client.patch(f"{SPACES}acme-east/", {"parent": "globex"}, JSON)
    repeated = client.patch(f"{SPACES}acme-east/", {"parent": "acme"}, JSON)

    assert moved.json() == {"parent": ["A space cannot be moved."]}
    assert repeated.status_code == 200


def test_looks_may_be_sent_in_part_and_need_their_own_code(world: World) -> None:
    client, url = world.client("ana"), f"{SPACES}acme/"
    client.patch(url, {"branding": {"product_name": "Acme Net"}}, JSON)
    world.restrict("ana", "change_space_branding")

    looks = client.patch(url, {"branding": {"color": "#204060"}}, JSON)
    name = client.patch(url, {"name": "Other"}, JSON)
    same = client.patch(url, {"name": "Acme"}, JSON)

    assert looks.json()["branding"]["product_name"] == "Acme Net"
    assert looks.json()["branding"]["color"] == "#204060"
    assert (name.status_code, same.status_code) == (403, 200)


def test_switches_belong_to_whoever_reaches_the_parent(world: World) -> None:
    sent = {"use_parent_qos_profiles": False}

    own = world.client("ana").patch(f"{SPACES}acme/", sent, JSON)
    above = world.client("admin").patch(f"{SPACES}acme/", sent, JSON)

    assert (own.status_code, own.json()["code"]) == (403, "permission_denied")
    assert above.json()["use_parent_qos_profiles"] is False


def test_a_switch_that_a_bond_depends_on_stays_on(world: World) -> None:
    response = world.client("admin").patch(
        f"{SPACES}acme/", {"use_parent_aggregators": False}, JSON
    )

    assert response.json() == {"use_parent_aggregators": ["In use."]}


def test_delete(world: World) -> None:
    client = world.client("admin")
    empty = client.post(SPACES, {"name": "E", "key": "e", "parent": "acme"}, JSON).json()

    assert client.delete(empty["url"]).status_code == 204
    assert client.delete(empty["url"]).status_code == 404
    assert client.delete(f"{SPACES}acme/").json()["code"] == "in_use"
    assert client.delete(f"{SPACES}root/").json()["code"] == "protected"
    assert Space.objects.count() == 4


def test_counts_are_of_own_objects(world: World) -> None:
    counts = world.client("ana").get(f"{SPACES}acme/").json()["related_object_counts"]

    assert counts == {
        "bonds": 1,
        "aggregators": 0,
        "users": 1,
        "spaces": 1,
        "routing_groups": 0,
        "ip_allocations": 0,
        "qos_profiles": 0,
        "mobile_provider_profiles": 0,
    }


def test_another_space_does_not_exist(world: World) -> None:
    gil = world.client("gil")

    for path in ("acme/", "acme/statistics/", "acme/statistics/users/", "acme/ip_allocations/"):
        assert gil.get(f"{SPACES}{path}").status_code == 404
    assert gil.patch(f"{SPACES}acme/", {"name": "x"}, JSON).status_code == 404


def statistics(world: World, name: str, space: str = "acme") -> Any:
    response = world.client("admin").get(f"{SPACES}{space}/statistics/{name}/")
    assert response.status_code == 200
    return response.json()


def test_the_index_names_the_ten(world: World) -> None:
    index = world.client("ana").get(f"{SPACES}acme/statistics/").json()

    assert len(index) == 10
    for url in index.values():
        assert world.client("ana").get(url).status_code == 200


def test_statistics_count_a_space_alone_and_with_all_below(world: World) -> None:
    Node.objects.filter(pk=world.bonder.pk).update(last_connected=world.now)

    assert statistics(world, "users") == {
        "local": {"count": 1, "active": 1},
        "including_child_spaces": {"count": 2, "active": 2},
    }
    assert statistics(world, "bonds", "root")["local"] == {"count": 0}
    assert statistics(world, "bonds", "root")["including_child_spaces"] == {"count": 2}
    assert statistics(world, "bonders")["local"] == {"count": 1, "recent": 1}
    assert statistics(world, "aggregators", "root")["local"] == {"count": 2, "recent": 0}
    assert statistics(world, "speed_tests")["local"] == {"count": 0, "leg": 0, "bond": 0}
    assert statistics(world, "connected_ips")["local"] == {"count": 0, "enabled": 0}
    for name in ("qos_profiles", "routes", "cpe_nat_ips"):
        assert set(statistics(world, name)["local"]) == {"count"}


def test_legs_are_counted_by_type_and_by_link_mode(world: World) -> None:
    counts = statistics(world, "legs")["local"]

    assert counts == {
        "count": 3,
        "dhcp": 1,
        "static": 1,
        "pppoe": 1,
        "mobilebroadband": 0,
        "link_mode": {"active": 3, "idle": 0, "offline": 0},
    }


def populate_acme_and_its_child(world: World) -> None:
    """Give Acme's bond one of each routing object and two tests, Acme East's bond the double."""
    east = create_bond(by=SERVER, aggregator=world.home, space=world.acme_east)
    create_networks(world)
    for bond, nets, number in ((world.bond, [0], 1), (east, [64, 80], 2)):
        connect(bond, "192.168.10.1", 24, "eth5")
        connect(bond, "192.168.11.1", 24, "eth6", enabled=False)
        for part in nets:
            network = f"203.0.113.{part}/29"
            create_route(by=SERVER, bond=bond, network=network, gateway="192.168.10.254")
            create_cpe_nat_ip(
                by=SERVER,
                bond=bond,
                ip=f"203.0.113.{part + 8}",
                dest_nat_ip=f"192.168.10.{part + 2}",
            )
        for _ in range(number):
            create_speed_test(by=SERVER, bond=bond)
    LegReport.objects.update(bonder_state="up", bonder_reported=world.now)
    create_speed_test(by=SERVER, bond=world.bond, leg=world.dhcp_leg)
    update_leg(by=SERVER, leg=world.static_leg, link_mode="idle")
    update_user(by=SERVER, user=world.user("eve"), active=False)
    only = ClassSpec(name="All", bandwidth=100, is_default=True)
    create_qos_profile(by=SERVER, name="East", space=world.acme_east, classes=[only])
    Node.objects.filter(pk=east.bonder_id).update(last_connected=world.now - timedelta(days=6))
    Node.objects.filter(pk=world.bonder.pk).update(last_connected=world.now - timedelta(days=8))


MODES = ("active", "idle", "offline")
LEGS = {"count": 3, "dhcp": 1, "static": 1, "pppoe": 1, "mobilebroadband": 0}
LEGS_OF_ACME = LEGS | {"link_mode": dict(zip(MODES, (2, 1, 0), strict=True))}
COUNTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "users": ({"count": 1, "active": 1}, {"count": 2, "active": 1}),
    "bonds": ({"count": 1}, {"count": 2}),
    "qos_profiles": ({"count": 0}, {"count": 1}),
    "speed_tests": ({"count": 2, "leg": 1, "bond": 1}, {"count": 4, "leg": 1, "bond": 3}),
    "aggregators": ({"count": 0, "recent": 0}, {"count": 0, "recent": 0}),
    "connected_ips": ({"count": 2, "enabled": 1}, {"count": 4, "enabled": 2}),
    "routes": ({"count": 1}, {"count": 3}),
    "cpe_nat_ips": ({"count": 1}, {"count": 3}),
    "legs": (LEGS_OF_ACME, LEGS_OF_ACME),
    "bonders": ({"count": 1, "recent": 0}, {"count": 2, "recent": 1}),
}


def test_each_of_the_ten_counts_a_space_alone_and_with_its_children(world: World) -> None:
    populate_acme_and_its_child(world)
    world.restrict("ana", "view_space")
    client = world.client("ana")

    index = client.get(f"{SPACES}acme/statistics/").json()

    assert set(index) == set(COUNTS)
    for name, (local, whole) in COUNTS.items():
        answer = client.get(index[name]).json()
        assert answer == {"local": local, "including_child_spaces": whole}, name
    for space in ("root", "globex"):
        assert client.get(f"{SPACES}{space}/statistics/users/").status_code == 404
    world.restrict("ana", "view_user", "view_bond", "view_leg")
    assert client.get(index["users"]).json()["code"] == "permission_denied"

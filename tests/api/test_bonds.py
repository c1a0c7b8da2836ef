"""Bonds (02-bonds.md)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from openbond.server.bonds.models import Bond, BondReport, LegReport
from openbond.server.bonds.services import create_bond, create_connected_ip, create_leg
from openbond.server.fleet.models import Aggregator, Bonder
from openbond.server.system.actors import SERVER
from openbond.server.system.models import Settings
from openbond.server.system.services import update_settings
from openbond.wire.states import LegType
from tests.world import World, nodes_to_update, settle_updates

BONDS = "/api/v3/bonds/"
JSON = "application/json"


def url(world: World) -> str:
    return f"{BONDS}{world.bond.pk}/"


def patch(world: World, **fields: Any) -> Any:
    return world.client("ana").patch(url(world), fields, JSON)


def test_the_least_body_makes_a_bond_with_its_bonder(world: World) -> None:
    settle_updates()

    response = world.client("ana").post(BONDS, {"aggregator": world.home.pk}, JSON)

    bond = response.json()
    assert response.status_code == 201
    assert response["Location"] == bond["url"]
    assert bond["name"].startswith("default-")
    assert len(bond["name"]) == len("default-") + 8
    assert bond["bonder"]["name"] == bond["name"]
    assert bond["space"].endswith(f"/spaces/{world.acme.pk}/")
    assert bond["current_aggregator"] == bond["aggregator"]
    assert bond["tunnel_subnet"] == f"{bond['tunnel_bonder_ip']}/31"
    assert (bond["leg_list"], bond["connectedips"], bond["cpenatips"], bond["routes"]) == (
        [],
        [],
        [],
        [],
    )
    assert nodes_to_update() == {bond["name"], "home"}


def test_it_starts_on_the_secondary_while_the_primary_is_failed(world: World) -> None:
    Aggregator.objects.filter(pk=world.home.pk).update(failed=True)
    body = {"aggregator": world.home.pk, "secondary_aggregator": world.away.pk}

    bond = world.client("ana").post(BONDS, body, JSON).json()

    assert bond["current_aggregator"] == bond["secondary_aggregator"]


def test_what_is_inside_is_what_its_own_resource_shows(world: World) -> None:
    create_connected_ip(by=SERVER, bond=world.bond, interface="eth0", ip="192.168.10.1", prefix=24)
    client = world.client("ana")

    bond = client.get(url(world)).json()

    assert bond["leg_list"] == client.get(f"{url(world)}legs/").json()
    assert [leg["type"] for leg in bond["leg_list"]] == ["dhcp", "static", "pppoe"]
    assert bond["connectedips"] == client.get(f"{url(world)}connected_ips/").json()
    bonder = client.get(bond["bonder"]["url"]).json()
    assert bond["bonder"] == {name: bonder[name] for name in bond["bonder"]}


def test_what_is_inside_needs_view_bond_alone(world: World) -> None:
    world.restrict("ana", "view_bond")

    assert len(world.client("ana").get(url(world)).json()["leg_list"]) == 3


def test_a_name_may_be_written_by_who_may_change_bonds(world: World) -> None:
    world.restrict("ana", "change_bond")

    assert patch(world, name="renamed").json()["name"] == "renamed"
    assert Bonder.objects.get(pk=world.bonder.pk).name == "renamed"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"secondary_aggregator": "home"}, "secondary_aggregator"),
        ({"ping_interval": 2000}, "ping_interval"),
        ({"ping_timeout": 900}, "ping_timeout"),
        ({"tcp_proxy": True, "tcp_proxy_ports": ""}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "80,80"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "0"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "80,"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "80, 443"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "+80"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "080"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": "65536"}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": [True]}, "tcp_proxy_ports"),
        ({"tcp_proxy_ports": list(range(1, 40))}, "tcp_proxy_ports"),
        ({"encryption_handshake_interval": 30}, "encryption_handshake_interval"),
        ({"packet_loss_threshold": 0.15}, "packet_loss_threshold"),
        ({"qos_profile": 4711}, "qos_profile"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    fields: dict[str, Any], field: str, world: World
) -> None:
    if fields.get("secondary_aggregator") == "home":
        fields = {"secondary_aggregator": world.home.pk}
    before = world.client("ana").get(url(world)).json()

    response = patch(world, note="changed", **fields)

    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert world.client("ana").get(url(world)).json() == before


def test_an_interval_of_0_turns_rekeying_off(world: World) -> None:
    assert patch(world, encryption_handshake_interval=0).status_code == 200


def test_a_change_of_the_tunnel_is_told_to_both_ends_and_a_note_to_nobody(world: World) -> None:
    settle_updates()
    patch(world, note="for people")
    assert nodes_to_update() == set()

    patch(world, compression=True)

    assert nodes_to_update() == {"site-1", "home"}


def test_writing_the_same_value_changes_nothing(world: World) -> None:
    before = world.client("ana").get(url(world)).json()
    settle_updates()

    after = patch(world, compression=False, note="").json()

    assert after == before
    assert nodes_to_update() == set()


def test_an_aggregator_out_of_reach_is_no_aggregator(world: World) -> None:
    hidden = create_bond(by=SERVER, aggregator=world.home, space=world.globex).aggregator
    Aggregator.objects.filter(pk=hidden.pk).update(space=world.globex)

    response = patch(world, aggregator=hidden.pk)

    assert response.json() == {"aggregator": ["Invalid hyperlink - Object does not exist."]}


def test_changing_the_primary_moves_a_bond_that_runs_on_it(world: World) -> None:
    response = patch(world, aggregator=world.away.pk, secondary_aggregator=None)

    assert response.json()["current_aggregator"].endswith(f"/aggregators/{world.away.pk}/")


def test_status_is_up_while_a_leg_carries_traffic(world: World) -> None:
    def status() -> tuple[str, int]:
        shown = world.client("ana").get(url(world)).json()["status"]
        return shown, len(world.client("ana").get(f"{BONDS}?status={shown}").json())

    never = status()
    Bonder.objects.filter(pk=world.bonder.pk).update(last_connected=world.now)
    without = status()
    LegReport.objects.filter(leg=world.dhcp_leg).update(
        bonder_state="up", bonder_reported=world.now
    )
    carrying = status()
    LegReport.objects.filter(leg=world.dhcp_leg).update(
        aggregator_state="down", aggregator_reported=world.now
    )
    down = status()

    assert (never, without, carrying, down) == (
        ("unknown", 1),
        ("down", 1),
        ("up", 1),
        ("down", 1),
    )


def test_rates_count_while_they_are_fresh(world: World) -> None:
    BondReport.objects.filter(bond=world.bond).update(
        download_rate=18_350_400, upload_rate=912_300, reported=world.now
    )
    fresh = world.client("ana").get(url(world)).json()
    BondReport.objects.filter(bond=world.bond).update(reported=world.now - timedelta(hours=1))
    stale = world.client("ana").get(url(world)).json()

    assert (fresh["download_rate"], fresh["upload_rate"]) == (18_350_400, 912_300)
    assert (stale["download_rate"], stale["upload_rate"]) == (0, 0)


def test_delete_takes_the_bonder_along_and_again_is_404(world: World) -> None:
    client = world.client("ana")

    first, second = client.delete(url(world)), client.delete(url(world))

    assert (first.status_code, first.content, second.status_code) == (204, b"", 404)
    assert not Bond.objects.filter(pk=world.bond.pk).exists()
    assert not Bonder.objects.filter(pk=world.bonder.pk).exists()


def test_a_tuning_locks_the_bond(world: World) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=True)
    client = world.client("ana")

    for method, path in (
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "restart/"),
        ("POST", "detect_leg_mtus/"),
        ("POST", "restore_to_primary_agg/"),
        ("POST", f"legs/{world.dhcp_leg.pk}/detect_mtus/"),
        ("POST", f"dhcp_legs/{world.dhcp_leg.pk}/renew/"),
        ("DELETE", f"dhcp_legs/{world.dhcp_leg.pk}/"),
    ):
        body = f'{{"aggregator": {world.home.pk}, "note": "x"}}'
        response = client.generic(method, f"{url(world)}{path}", body, content_type=JSON)
        answer = (response.status_code, response.json().get("code"))
        assert answer == (400, "tuning_in_progress"), (method, path)


def test_another_space_s_bond_does_not_exist(world: World) -> None:
    gil = world.client("gil")

    for method in ("GET", "PUT", "PATCH", "DELETE"):
        response = gil.generic(method, url(world), "{}", content_type=JSON)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert [bond["name"] for bond in gil.get(BONDS).json()] == ["globex-1"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "", "view_bond"),
        ("PUT", "", "change_bond"),
        ("PATCH", "", "change_bond"),
        ("DELETE", "", "delete_bond"),
        ("POST", "restart/", "change_bond"),
        ("POST", "detect_leg_mtus/", "change_leg"),
        ("POST", "restore_to_primary_agg/", "change_bond"),
    ],
)
def test_each_method_needs_its_code_and_no_other(
    method: str, path: str, code: str, world: World
) -> None:
    body = f'{{"aggregator": {world.home.pk}}}'
    world.restrict("ana", code)

    allowed = world.client("ana").generic(method, f"{url(world)}{path}", body, content_type=JSON)

    assert allowed.status_code < 300
    others = world.user("ana").groups.get()
    others.grants.update(code="view_user")
    refused = world.client("ana").generic(method, f"{url(world)}{path}", body, content_type=JSON)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_a_list_costs_the_same_queries_for_any_number_of_bonds(world: World) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert world.client("ana").get(BONDS).status_code == 200
        return len(captured)

    queries()
    few = queries()
    for number in range(12):
        bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
        create_leg(
            by=SERVER,
            bond=bond,
            type=LegType.DHCP,
            down_kbps=1000,
            up_kbps=1000,
            interface="eth1",
        )
        create_connected_ip(
            by=SERVER, bond=bond, interface="eth0", ip=f"10.{number}.0.1", prefix=24
        )

    assert queries() == few


def test_what_a_tuning_does_not_lock(world: World) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=True)
    client = world.client("ana")

    renamed = client.patch(f"/api/v3/bonders/{world.bonder.pk}/", {"name": "renamed"}, JSON)
    routed = client.post(
        f"{url(world)}connected_ips/", {"interface": "eth0", "ip": "192.168.10.1/24"}, JSON
    )
    tested = client.post(f"{url(world)}speedtests/", {}, JSON)

    assert [renamed.status_code, routed.status_code, tested.status_code] == [200, 201, 201]


def test_a_full_tunnel_network_takes_no_more_bonds(world: World) -> None:
    update_settings(by=SERVER)
    Settings.objects.update(tunnel_network="240.0.0.0/30")
    bonds = Bond.objects.count()

    response = world.client("ana").post(BONDS, {"aggregator": world.home.pk}, JSON)

    assert (response.status_code, response.json()["code"]) == (400, "no_tunnel_subnet")
    assert Bond.objects.count() == bonds
    assert Bonder.objects.count() == bonds


def test_names_are_unique_among_the_bonders_of_a_space_whatever_the_case(world: World) -> None:
    taken = {"aggregator": world.home.pk, "name": "SITE-1"}

    here = world.client("ana").post(BONDS, taken, JSON)
    elsewhere = world.client("gil").post(BONDS, taken, JSON)

    assert here.json() == {"name": ["Name must be unique."]}
    assert elsewhere.status_code == 201
    assert nodes_to_update() >= {"SITE-1"}

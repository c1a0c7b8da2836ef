"""Legs of four types, and what may be asked of them (03-legs.md)."""

import json
from datetime import timedelta
from typing import Any

import pytest

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.bonds.services import create_mobile_provider_profile
from openbond.server.system.actors import SERVER
from tests.world import World, nodes_to_update, settle_updates

JSON = "application/json"


def legs(world: World, collection: str = "legs") -> str:
    return f"/api/v3/bonds/{world.bond.pk}/{collection}/"


def dhcp(world: World) -> str:
    return f"{legs(world, 'dhcp_legs')}{world.dhcp_leg.pk}/"


def static(world: World) -> str:
    return f"{legs(world, 'static_legs')}{world.static_leg.pk}/"


def body(**more: Any) -> dict[str, Any]:
    return {"interface": "eth7", "down_speed": 15, "up_speed": 2.125, **more}


def test_the_generic_leg_shows_its_typed_address_and_no_more_than_every_leg_has(
    world: World,
) -> None:
    client = world.client("ana")

    generic = client.get(f"{legs(world)}{world.dhcp_leg.pk}/").json()
    typed = client.get(generic["url"]).json()

    assert generic["url"] == f"http://testserver{dhcp(world)}"
    assert set(typed) - set(generic) == {"dhcp_server", "lease_obtained", "lease_expires"}
    assert generic == {name: typed[name] for name in generic}


def test_a_leg_of_another_type_or_bond_is_404(world: World) -> None:
    client = world.client("admin")
    other = f"/api/v3/bonds/{world.globex_bond.pk}/"

    for path in (
        f"{legs(world, 'static_legs')}{world.dhcp_leg.pk}/",
        f"{legs(world, 'static_legs')}{world.dhcp_leg.pk}/state_history/",
        f"{other}dhcp_legs/{world.dhcp_leg.pk}/",
        f"{other}legs/{world.dhcp_leg.pk}/",
        f"{other}legs/{world.dhcp_leg.pk}/state_history/",
    ):
        assert client.get(path).status_code == 404, path
    assert client.post(f"{other}legs/{world.dhcp_leg.pk}/detect_mtus/").status_code == 404


def test_a_static_leg_is_made_as_the_contract_shows_it(world: World) -> None:
    settle_updates()
    sent = {
        "interface": "eth4.20",
        "ip": "198.51.100.90",
        "netmask": "30",
        "gateway": "198.51.100.89",
        "down_speed": 15,
        "up_speed": 2,
        "failover": True,
    }

    response = world.client("ana").post(legs(world, "static_legs"), sent, JSON)

    made = response.json()
    assert response.status_code == 201
    assert response["Location"] == made["url"]
    assert made["netmask"] == "255.255.255.252"
    assert (made["down_speed"], made["up_speed"]) == (15, 2)
    assert made["tunnel_port"] == 2000 + made["id"]
    assert made["state"] == "unknown"
    assert nodes_to_update() == {"site-1", "home"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ip": "198.51.100.0", "netmask": 24, "gateway": "198.51.100.1"}, "ip"),
        ({"ip": "198.51.100.255", "netmask": 24, "gateway": "198.51.100.1"}, "ip"),
        ({"ip": "224.0.0.1"}, "ip"),
        ({"ip": "::1"}, "ip"),
        ({"netmask": "255.0.255.0"}, "netmask"),
        ({"netmask": "0.0.0.255"}, "netmask"),
        ({"netmask": "0"}, "netmask"),
        ({"netmask": "32"}, "netmask"),
        ({"netmask": "x"}, "netmask"),
        ({"gateway": "198.51.101.1"}, "gateway"),
        ({"gateway": "198.51.100.86"}, "gateway"),
        ({"interface": "eth1"}, "interface"),
        ({"interface": "lo"}, "interface"),
        ({"interface": "lo.5"}, "interface"),
        ({"interface": "tun5"}, "interface"),
        ({"interface": "mtun5"}, "interface"),
        ({"interface": "1eth"}, "interface"),
        ({"interface": "eth1.4095"}, "interface"),
        ({"interface": "eth1.0"}, "interface"),
        ({"interface": "a-name-too-long.1"}, "interface"),
        ({"interface_mac": "01:00:00:00:00:01"}, "interface_mac"),
        ({"interface_mac": "00:00:00:00:00:00"}, "interface_mac"),
        ({"interface_mac": "x"}, "interface_mac"),
        ({"interface_mac": ""}, "interface_mac"),
        ({"interface_mtu": 575}, "interface_mtu"),
        ({"down_speed": -1}, "down_speed"),
        ({"down_speed": 100001}, "down_speed"),
        ({"up_speed": 1.0005}, "up_speed"),
        ({"link_mode": "on"}, "link_mode"),
    ],
)
def test_values_that_cannot_be_are_refused(
    fields: dict[str, Any], field: str, world: World
) -> None:
    before = world.client("ana").get(static(world)).json()

    response = world.client("ana").patch(static(world), fields, JSON)

    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert world.client("ana").get(static(world)).json() == before


def test_values_are_shown_in_one_form(world: World) -> None:
    response = world.client("ana").patch(
        static(world),
        {
            "netmask": "255.255.255.0",
            "interface_mac": "02-AB-cd-00-00-01",
            "down_speed": "9.500",
            "up_speed": 0,
        },
        JSON,
    )

    shown = response.json()
    assert shown["netmask"] == "255.255.255.0"
    assert shown["interface_mac"] == "02:ab:cd:00:00:01"
    assert (shown["down_speed"], shown["up_speed"]) == (9.5, 0)


def test_patch_of_link_mode_alone_passes_whatever_else_is_wrong(world: World) -> None:
    Leg.objects.filter(pk=world.static_leg.pk).update(gateway="203.0.113.1")

    response = world.client("ana").patch(static(world), {"link_mode": "idle"}, JSON)

    assert response.json()["link_mode"] == "idle"


def test_offline_is_seen_at_once_and_unknown_after_it(world: World) -> None:
    LegReport.objects.filter(leg=world.dhcp_leg).update(
        bonder_state="up",
        bonder_reported=world.now,
        aggregator_state="up",
        aggregator_reported=world.now,
    )

    def states(link_mode: str) -> set[str]:
        shown = world.client("ana").patch(dhcp(world), {"link_mode": link_mode}, JSON).json()
        return {shown[name] for name in ("state", "bonder_state", "aggregator_state")}

    assert states("active") == {"up"}
    assert states("offline") == {"offline"}
    assert states("active") == {"unknown"}


@pytest.mark.parametrize(
    ("bonder", "aggregator", "shown"),
    [
        (("up", 0), ("up", 0), "up"),
        (("up", 0), ("down", 0), "down"),
        (("adjusted", 0), ("up", 0), "adjusted"),
        (("removed", 0), ("testing", 0), "removed"),
        (("idle", 0), ("up", 0), "idle"),
        (("up", 0), ("down", 3600), "up"),
        (("up", 3600), ("up", 3600), "unknown"),
        (("unknown", 0), ("failover", 0), "failover"),
    ],
)
def test_state_combines_both_ends_and_lists_find_it(
    bonder: tuple[str, int], aggregator: tuple[str, int], shown: str, world: World
) -> None:
    LegReport.objects.filter(leg=world.dhcp_leg).update(
        bonder_state=bonder[0],
        bonder_reported=world.now - timedelta(seconds=bonder[1]),
        aggregator_state=aggregator[0],
        aggregator_reported=world.now - timedelta(seconds=aggregator[1]),
    )
    client = world.client("ana")

    assert client.get(dhcp(world)).json()["state"] == shown
    found = client.get(f"{legs(world)}?state={shown}").json()
    assert world.dhcp_leg.pk in [leg["id"] for leg in found]
    by_state = [leg["state"] for leg in client.get(f"{legs(world)}?ordering=state").json()]
    assert by_state == sorted(by_state)


def test_a_lent_address_is_shown_and_found(world: World) -> None:
    LegReport.objects.filter(leg=world.dhcp_leg).update(
        ip="192.0.2.77",
        ip_key=b"",
        prefix=24,
        gateway="192.0.2.1",
        down_mtu=1492,
        up_mtu=1480,
        adapted_down_kbps=41_200,
        lease_obtained=world.now,
    )
    client = world.client("ana")

    leg = client.get(dhcp(world)).json()

    assert (leg["ip"], leg["netmask"], leg["gateway"]) == (
        "192.0.2.77",
        "255.255.255.0",
        "192.0.2.1",
    )
    assert (leg["mtu"], leg["adapted_down_speed"]) == (1480, 41.2)
    assert leg["lease_obtained"].endswith("Z")
    assert [one["id"] for one in client.get(f"{legs(world)}?search=2.77").json()] == [leg["id"]]
    assert client.get(f"{legs(world)}?ordering=mtu").json()[0]["id"] == leg["id"]


def test_a_pppoe_password_is_written_by_all_and_read_with_its_code(world: World) -> None:
    url = f"{legs(world, 'pppoe_legs')}{world.pppoe_leg.pk}/"
    world.restrict("ana", "view_leg", "change_leg")
    client = world.client("ana")

    response = client.patch(url, {"password": "new"}, JSON)

    assert response.status_code == 200
    assert "password" not in response.json()
    assert Leg.objects.get(pk=world.pppoe_leg.pk).password == "new"
    assert world.client("admin").get(url).json()["password"] == "new"


def test_a_mobile_leg_needs_a_profile_usable_in_the_bond_s_space(world: World) -> None:
    profile = create_mobile_provider_profile(
        by=SERVER, space=world.root, name="Example", apn="internet.example"
    )
    foreign = create_mobile_provider_profile(
        by=SERVER, space=world.globex, name="Foreign", apn="internet.example"
    )
    client, path = world.client("ana"), legs(world, "mobilebroadband_legs")
    speeds = {"down_speed": 15, "up_speed": 5}

    made = client.post(path, {"provider_profile": profile.pk, **speeds}, JSON)
    refused = client.post(path, {"provider_profile": foreign.pk, **speeds}, JSON)

    assert made.status_code == 201
    assert made.json()["interface"] is None
    assert made.json()["provider_profile"].endswith(f"/mobileproviderprofiles/{profile.pk}/")
    assert list(refused.json()) == ["provider_profile"]


def test_mtu_detection_is_queued_and_merged(world: World) -> None:
    settle_updates()
    client = world.client("ana")

    for path in (f"{legs(world)}{world.dhcp_leg.pk}/", dhcp(world)):
        response = client.post(f"{path}detect_mtus/")
        assert response.status_code == 202
        assert response.json() == {
            "status": "queued",
            "detail": f"MTU detection queued for leg {world.dhcp_leg.pk}.",
        }
    assert Leg.objects.get(pk=world.dhcp_leg.pk).detect_mtu_count == 1
    assert nodes_to_update() == {"site-1", "home"}


def test_renewal_is_told_to_the_bonder(world: World) -> None:
    settle_updates()

    response = world.client("ana").post(f"{dhcp(world)}renew/")

    assert response.status_code == 202
    assert Leg.objects.get(pk=world.dhcp_leg.pk).renew_count == 1
    assert nodes_to_update() == {"site-1"}


def test_an_offline_leg_is_neither_measured_nor_renewed(world: World) -> None:
    Leg.objects.filter(pk=world.dhcp_leg.pk).update(link_mode="offline")

    for action in ("detect_mtus", "renew"):
        response = world.client("ana").post(f"{dhcp(world)}{action}/")
        assert response.json() == {"code": "leg_offline", "detail": "The leg is offline."}


def test_delete_removes_the_leg_alone(world: World) -> None:
    client = world.client("ana")

    assert client.delete(dhcp(world)).status_code == 204
    assert client.delete(dhcp(world)).status_code == 404
    assert len(client.get(legs(world)).json()) == 2


def test_another_space_s_legs_do_not_exist(world: World) -> None:
    gil = world.client("gil")

    for path in (
        legs(world),
        legs(world, "dhcp_legs"),
        dhcp(world),
        f"{dhcp(world)}state_history/",
    ):
        assert gil.get(path).status_code == 404
    assert gil.post(legs(world, "dhcp_legs"), body(), JSON).status_code == 404
    assert gil.patch(dhcp(world), {"note": "x"}, JSON).status_code == 404
    assert gil.post(f"{dhcp(world)}detect_mtus/").status_code == 404
    assert gil.post(f"{dhcp(world)}renew/").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "legs/", "view_leg"),
        ("GET", "dhcp_legs/{leg}/", "view_leg"),
        ("GET", "dhcp_legs/{leg}/state_history/", "view_leg"),
        ("POST", "dhcp_legs/", "add_leg"),
        ("PATCH", "dhcp_legs/{leg}/", "change_leg"),
        ("DELETE", "dhcp_legs/{leg}/", "delete_leg"),
        ("POST", "legs/{leg}/detect_mtus/", "change_leg"),
        ("POST", "dhcp_legs/{leg}/renew/", "change_leg"),
    ],
)
def test_each_method_needs_its_code_and_no_code_of_the_bond(
    method: str, path: str, code: str, world: World
) -> None:
    url = f"/api/v3/bonds/{world.bond.pk}/{path.format(leg=world.dhcp_leg.pk)}"
    sent = '{"interface": "eth7", "down_speed": 1, "up_speed": 1}'
    world.restrict("ana", code)

    allowed = world.client("ana").generic(method, url, sent, content_type=JSON)

    assert allowed.status_code < 300, allowed.content
    world.user("ana").groups.get().grants.update(code="view_bond")
    refused = world.client("ana").generic(method, url, sent, content_type=JSON)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_all_that_is_wrong_is_told_at_once_and_before_the_tuning_lock(world: World) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=True)
    taken = body(interface="eth1", ip="10.0.0.1", netmask=24, gateway="10.0.1.1")

    wrong = world.client("ana").post(legs(world, "static_legs"), taken, JSON)
    right = world.client("ana").post(legs(world, "dhcp_legs"), body(), JSON)

    assert set(wrong.json()) == {"interface", "gateway"}
    assert right.json()["code"] == "tuning_in_progress"


def test_an_interface_and_a_modem_are_one_leg_s_in_a_bond_but_not_elsewhere(world: World) -> None:
    profile = create_mobile_provider_profile(
        by=SERVER, space=world.root, name="Example", apn="internet.example"
    )
    client = world.client("admin")
    other = f"/api/v3/bonds/{world.globex_bond.pk}/"
    mobile = {"provider_profile": profile.pk, "down_speed": 1, "up_speed": 1}
    path = legs(world, "mobilebroadband_legs")

    assert client.post(path, mobile | {"modem": "1-1"}, JSON).status_code == 201
    assert list(client.post(path, mobile | {"modem": "1-1"}, JSON).json()) == ["modem"]
    assert client.post(path, mobile, JSON).status_code == 201
    assert client.post(path, mobile, JSON).status_code == 201
    assert client.post(f"{other}dhcp_legs/", body(interface="eth1"), JSON).status_code == 201
    assert client.post(f"{other}mobilebroadband_legs/", mobile | {"modem": "1-1"}, JSON)


@pytest.mark.parametrize("kind", ["dhcp", "static", "pppoe"])
def test_a_tuning_locks_legs_of_every_type(kind: str, world: World) -> None:
    row = getattr(world, f"{kind}_leg")
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=True)
    client, url = world.client("ana"), f"{legs(world, f'{kind}_legs')}{row.pk}/"
    before = client.get(url).json()

    for method, path in (
        ("PUT", url),
        ("PATCH", url),
        ("DELETE", url),
        ("POST", f"{url}detect_mtus/"),
        ("POST", f"{legs(world)}{row.pk}/detect_mtus/"),
        ("POST", f"{legs(world)}{row.pk}/tuners/"),
    ):
        sent = before | {"note": "x"} if path == url else {}
        response = client.generic(method, path, json.dumps(sent), content_type=JSON)
        assert response.json().get("code") == "tuning_in_progress", (method, path)
    assert client.get(url).json() == before


def test_a_static_leg_in_a_network_of_two_uses_both(world: World) -> None:
    for ip, gateway in (("192.0.2.0", "192.0.2.1"), ("192.0.2.1", "192.0.2.0")):
        sent = {"ip": ip, "netmask": "31", "gateway": gateway}
        response = world.client("ana").patch(static(world), sent, JSON)
        assert (response.status_code, response.json()["netmask"]) == (200, "255.255.255.254")


def test_search_and_filters_of_the_types(world: World) -> None:
    client = world.client("ana")

    def found(path: str) -> list[int]:
        return [leg["id"] for leg in client.get(f"/api/v3/bonds/{world.bond.pk}/{path}").json()]

    assert found("pppoe_legs/?search=LINE7") == [world.pppoe_leg.pk]
    assert found("legs/?type=static") == [world.static_leg.pk]
    assert found("legs/?search=198.51") == [world.static_leg.pk]
    assert found("legs/?interface=eth3&link_mode=active&failover=false") == [world.pppoe_leg.pk]
    assert found("legs/?ordering=-down_speed")[0] == world.dhcp_leg.pk
    assert found("legs/?ordering=ip")[0] == world.static_leg.pk
    assert found("legs/?ordering=-ip")[-1] == world.static_leg.pk
    assert client.get(f"{legs(world)}?type=x").json() == {"type": ['"x" is not a valid choice.']}

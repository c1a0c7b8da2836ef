"""Connected IPs (04-routing.md, 1 and 2)."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from openbond.server.bonds.models import ConnectedIP
from openbond.server.bonds.services import create_connected_ip, create_route
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.system.actors import SERVER
from tests.world import World, nodes_to_update, settle_updates

JSON = "application/json"


def path(world: World) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/connected_ips/"


def post(world: World, **fields: Any) -> Any:
    return world.client("ana").post(path(world), {"interface": "eth0", **fields}, JSON)


def private(world: World) -> str:
    row = create_connected_ip(
        by=SERVER, bond=world.bond, interface="eth0", ip="192.168.10.1", prefix=24
    )
    return f"{path(world)}{row.pk}/"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (
            {"ip": "192.168.10.1", "netmask": "255.255.255.0"},
            ("192.168.10.1", "255.255.255.0", "192.168.10.0/24"),
        ),
        ({"ip": "192.168.10.1/24"}, ("192.168.10.1", "255.255.255.0", "192.168.10.0/24")),
        (
            {"ip": "192.168.10.1", "netmask": 24},
            ("192.168.10.1", "255.255.255.0", "192.168.10.0/24"),
        ),
        (
            {"ip": "192.168.10.1/24", "netmask": "24"},
            ("192.168.10.1", "255.255.255.0", "192.168.10.0/24"),
        ),
        ({"ip": "10.0.0.0/31"}, ("10.0.0.0", "255.255.255.254", "10.0.0.0/31")),
        ({"ip": "10.0.0.9/32"}, ("10.0.0.9", "255.255.255.255", "10.0.0.9/32")),
        ({"ip": "2001:DB8::0001/64"}, ("2001:db8::1", "64", "2001:db8::/64")),
        ({"ip": "fd00::1", "netmask": "48"}, ("fd00::1", "48", "fd00::/48")),
    ],
)
def test_an_address_and_its_network_may_be_written_in_several_forms(
    fields: dict[str, Any], shown: tuple[str, str, str], world: World
) -> None:
    settle_updates()

    response = post(world, **fields)

    assert response.status_code == 201, response.json()
    made = response.json()
    assert (made["ip"], made["netmask"], made["network"]) == shown
    assert response["Location"] == made["url"]
    assert nodes_to_update() == {"site-1", "home"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ip": "192.168.10.1"}, "netmask"),
        ({"ip": "192.168.10.1/24", "netmask": "25"}, "netmask"),
        ({"ip": "192.168.10.1", "netmask": "0"}, "netmask"),
        ({"ip": "192.168.10.1", "netmask": "33"}, "netmask"),
        ({"ip": "192.168.10.1", "netmask": "255.0.255.0"}, "netmask"),
        ({"ip": "fd00::1", "netmask": "255.255.255.0"}, "netmask"),
        ({"ip": "192.168.10.0/24"}, "ip"),
        ({"ip": "192.168.10.255/24"}, "ip"),
        ({"ip": "127.0.0.1/8"}, "ip"),
        ({"ip": "224.0.0.1/24"}, "ip"),
        ({"ip": "::1/128"}, "ip"),
        ({"ip": "ff02::1/64"}, "ip"),
        ({"ip": "nonsense/24"}, "ip"),
        ({"ip": "10.0.0.1/33"}, "ip"),
        ({"ip": "10.0.0.1/"}, "ip"),
        ({"ip": "fe80::1%eth0/64"}, "ip"),
        ({"ip": "10.0.0.1/24", "interface": "lo"}, "interface"),
        ({"ip": "10.0.0.1/24", "interface": "eth1"}, "interface"),
        ({"ip": "10.0.0.1/24", "agg_routing": "sometimes"}, "agg_routing"),
        ({"ip": "203.0.113.1/30"}, "ip"),
    ],
)
def test_what_cannot_be_an_address_of_the_bonder_is_refused(
    fields: dict[str, Any], field: str, world: World
) -> None:
    response = post(world, **fields)

    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert not ConnectedIP.objects.exists()


def test_patch_of_the_address_keeps_the_netmask_and_of_the_netmask_the_address(
    world: World,
) -> None:
    url = private(world)
    client = world.client("ana")

    moved = client.patch(url, {"ip": "192.168.11.1"}, JSON).json()
    wider = client.patch(url, {"netmask": "16"}, JSON).json()
    other = client.patch(url, {"ip": "fd00::1"}, JSON)

    assert moved["network"] == "192.168.11.0/24"
    assert (wider["ip"], wider["network"]) == ("192.168.11.1", "192.168.0.0/16")
    assert list(other.json()) == ["netmask"]


def test_a_public_address_must_lie_in_a_network_its_space_holds(world: World) -> None:
    whole, part = IPv4Network("203.0.113.0/24"), IPv4Network("203.0.113.0/28")
    refused = post(world, ip="203.0.113.1/30")
    allocation = create_allocation(by=SERVER, space=world.root, network=whole)
    of_the_root = post(world, ip="203.0.113.1/30")
    create_delegation(by=SERVER, space=world.acme, parent=allocation, network=part)
    valid_nowhere = post(world, ip="203.0.113.1/30")
    assign_routing_group(by=SERVER, allocation=allocation, routing_group=world.group)

    made = post(world, ip="203.0.113.1/30")

    assert [list(one.json()) for one in (refused, of_the_root, valid_nowhere)] == [["ip"]] * 3
    assert made.status_code == 201


def test_disabling_never_fails_and_twice_is_harmless(world: World) -> None:
    url = private(world)
    ConnectedIP.objects.update(interface="lo")
    client = world.client("ana")

    for _ in range(2):
        response = client.patch(url, {"enabled": False}, JSON)
        assert (response.status_code, response.json()["enabled"]) == (200, False)


def test_the_same_address_is_enabled_once_on_a_bond(world: World) -> None:
    private(world)

    enabled = post(world, ip="192.168.10.1/24")
    disabled = post(world, ip="192.168.10.1/24", enabled=False)

    assert list(enabled.json()) == ["enabled"]
    assert disabled.status_code == 201


def test_networks_of_different_interfaces_do_not_overlap_while_enabled(world: World) -> None:
    private(world)

    assert list(post(world, interface="eth9", ip="192.168.0.1/16").json()) == ["enabled"]
    assert post(world, ip="192.168.0.1/16").status_code == 201


def test_what_a_gateway_lies_in_may_not_go(world: World) -> None:
    url = private(world)
    create_route(
        by=SERVER,
        bond=world.bond,
        network="192.168.20.0/24",
        gateway="192.168.10.254",
        enabled=False,
    )
    client = world.client("ana")

    for response in (client.delete(url), client.patch(url, {"ip": "10.0.0.1"}, JSON)):
        assert (response.status_code, response.json()["code"]) == (400, "in_use")


def test_it_is_not_locked_by_a_tuning(world: World) -> None:
    world.bond.tuning_in_progress = True
    world.bond.save()

    assert post(world, ip="192.168.10.1/24").status_code == 201


def test_another_space_s_connected_ips_do_not_exist(world: World) -> None:
    url = private(world)
    gil = world.client("gil")

    for client_path in (url, path(world)):
        assert gil.get(client_path).status_code == 404
    assert gil.patch(url, {"enabled": False}, JSON).status_code == 404
    assert gil.delete(url).status_code == 404
    assert (
        gil.post(path(world), {"interface": "eth0", "ip": "10.0.0.1/24"}, JSON).status_code == 404
    )
    other = f"/api/v3/bonds/{world.globex_bond.pk}/connected_ips/{url.split('/')[-2]}/"
    assert world.client("admin").get(other).status_code == 404


def test_delete_and_again_is_404(world: World) -> None:
    url = private(world)

    assert world.client("ana").delete(url).status_code == 204
    assert world.client("ana").delete(url).status_code == 404

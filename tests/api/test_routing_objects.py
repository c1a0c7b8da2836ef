"""CPE NAT IPs and routes (04-routing.md, 1, 3 and 4)."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import create_bond, create_connected_ip
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.system.actors import SERVER
from tests.world import World, nodes_to_update, settle_updates

JSON = "application/json"


@pytest.fixture
def site(world: World) -> World:
    """The world with a LAN on both of Acme's bonds and a public network that Acme holds."""
    whole = IPv4Network("203.0.113.0/24")
    allocation = create_allocation(by=SERVER, space=world.root, network=whole)
    assign_routing_group(by=SERVER, allocation=allocation, routing_group=world.group)
    create_delegation(by=SERVER, parent=allocation, space=world.acme, network=whole)
    create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="site-2")
    for bond in Bond.objects.filter(space=world.acme):
        create_connected_ip(by=SERVER, bond=bond, interface="eth0", ip="192.168.10.1", prefix=24)
    return world


def path(world: World, collection: str, name: str = "site-1") -> str:
    return f"/api/v3/bonds/{Bond.objects.get(bonder__name=name).pk}/{collection}/"


def post(world: World, collection: str, name: str = "site-1", **fields: Any) -> Any:
    return world.client("ana").post(path(world, collection, name), fields, JSON)


NAT = {"ip": "203.0.113.9", "dest_nat_ip": "192.168.10.2"}
ROUTE = {"network": "192.168.20.0/24", "gateway": "192.168.10.254"}


def test_a_cpe_nat_ip_shows_the_netmask_of_the_network_it_serves(site: World) -> None:
    settle_updates()

    response = post(site, "cpe_nat_ips", **NAT)

    assert response.status_code == 201, response.json()
    assert response.json()["dest_nat_netmask"] == "255.255.255.0"
    assert nodes_to_update() == {"site-1", "home"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"ip": "10.0.0.1"}, "ip"),
        ({"ip": "198.18.0.1"}, "ip"),
        ({"ip": "fd00::1"}, "ip"),
        ({"dest_nat_ip": "192.168.11.2"}, "dest_nat_ip"),
        ({"dest_nat_ip": "192.168.10.1"}, "dest_nat_ip"),
        ({"dest_nat_ip": "192.168.10.0"}, "dest_nat_ip"),
        ({"dest_nat_ip": "203.0.113.1"}, "dest_nat_ip"),
    ],
)
def test_addresses_that_cannot_be_translated(
    fields: dict[str, Any], field: str, site: World
) -> None:
    response = post(site, "cpe_nat_ips", **(NAT | fields))

    assert (response.status_code, list(response.json())) == (400, [field])


@pytest.mark.parametrize(
    ("fields", "network"),
    [
        ({}, "192.168.20.0/24"),
        ({"network": "192.168.20.0", "netmask": "255.255.255.0"}, "192.168.20.0/24"),
        ({"network": "192.168.20.0/24", "netmask": 24}, "192.168.20.0/24"),
        ({"network": "192.168.20.7"}, "192.168.20.7/32"),
        ({"interface": "eth0"}, "192.168.20.0/24"),
    ],
)
def test_a_route_may_be_written_in_several_forms(
    fields: dict[str, Any], network: str, site: World
) -> None:
    response = post(site, "routes", **(ROUTE | fields))

    assert response.status_code == 201, response.json()
    assert response.json()["network"] == network


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"network": "192.168.20.1/24"}, "network"),
        ({"network": "0.0.0.0/0"}, "network"),
        ({"network": "224.0.0.0/4"}, "network"),
        ({"network": "198.51.100.0/24"}, "network"),
        ({"network": "192.168.20.0/24", "netmask": "25"}, "netmask"),
        ({"gateway": "192.168.11.1"}, "gateway"),
        ({"gateway": "192.168.10.1"}, "gateway"),
        ({"gateway": "fd00::1"}, "gateway"),
        ({"gateway": "x"}, "gateway"),
        ({"interface": "eth9"}, "interface"),
    ],
)
def test_routes_that_lead_nowhere(fields: dict[str, Any], field: str, site: World) -> None:
    response = post(site, "routes", **(ROUTE | fields))

    assert (response.status_code, list(response.json())) == (400, [field])


@pytest.mark.parametrize(
    ("collection", "body"),
    [
        ("connected_ips", {"interface": "eth0", "ip": "203.0.113.65/28"}),
        ("cpe_nat_ips", NAT),
        ("routes", ROUTE | {"network": "203.0.113.128/28"}),
    ],
)
def test_a_site_pair_switches_over_in_the_documented_order(
    collection: str, body: dict[str, Any], site: World
) -> None:
    """The same object on two bonds, enabled on one: off there, then on here, at each step fine."""
    one = post(site, collection, **body).json()["url"]
    clash = post(site, collection, "site-2", **body)
    other = post(site, collection, "site-2", **(body | {"enabled": False})).json()["url"]
    site.restrict("ana", "change_connectedip", "change_cpenatip", "change_route")
    client = site.client("ana")

    def enable(url: str, *, on: bool) -> tuple[int, Any]:
        response = client.patch(url, {"enabled": on}, JSON)
        return response.status_code, response.json().get("enabled")

    assert list(clash.json()) == ["enabled"]
    assert enable(other, on=True)[0] == 400
    assert enable(one, on=False) == (200, False)
    assert enable(one, on=False) == (200, False)
    assert enable(other, on=True) == (200, True)
    assert enable(other, on=True) == (200, True)
    assert enable(one, on=True)[0] == 400
    assert enable(other, on=False) == (200, False)
    assert enable(one, on=True) == (200, True)


def test_another_space_s_objects_do_not_exist(site: World) -> None:
    for collection, body in (("cpe_nat_ips", NAT), ("routes", ROUTE)):
        url = post(site, collection, **body).json()["url"]
        gil = site.client("gil")
        assert gil.get(url).status_code == 404
        assert gil.get(path(site, collection)).status_code == 404
        assert gil.patch(url, {"enabled": False}, JSON).status_code == 404
        assert gil.delete(url).status_code == 404
        assert gil.post(path(site, collection), body, JSON).status_code == 404


def test_each_method_needs_its_code_and_none_of_the_bond(site: World) -> None:
    for collection, noun, body in (("cpe_nat_ips", "cpenatip", NAT), ("routes", "route", ROUTE)):
        site.restrict("ana", f"add_{noun}", f"view_{noun}", f"delete_{noun}")
        made = post(site, collection, **body)
        assert made.status_code == 201
        client = site.client("ana")
        assert client.get(made.json()["url"]).status_code == 200
        assert client.patch(made.json()["url"], {}, JSON).status_code == 403
        assert client.delete(made.json()["url"]).status_code == 204
        assert client.delete(made.json()["url"]).status_code == 404

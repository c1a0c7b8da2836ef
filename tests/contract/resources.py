"""Where the contract's resources live, and what makes one with nothing but what it must have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from openbond.server.bonds.services import create_connected_ip, create_mobile_provider_profile
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.system.actors import SERVER
from tests.world import World

Body = dict[str, Any]


def nothing(world: World) -> Body:
    return {}


@dataclass(frozen=True)
class Resource:
    """A resource by its name in `v3_fields.tsv`. `least` is None where nothing can be made."""

    name: str
    path: str
    least: Callable[[World], Body] | None = None
    # Fields that differ by the way the object was made, so that no default can be asked of them.
    undefaulted: frozenset[str] = field(default_factory=frozenset)

    # Made by POST and never changed by a client after that.
    is_written_once: bool = False

    def collection(self, world: World) -> str:
        return f"/api/v3/{self.path.format(bond=world.bond.pk, leg=world.dhcp_leg.pk)}"


def leg(**more: object) -> Callable[[World], Body]:
    return lambda world: {"interface": "eth7", "down_speed": 5, "up_speed": 1, **more}


def mobile_leg(world: World) -> Body:
    profile = create_mobile_provider_profile(
        by=SERVER, space=world.root, name="Example Mobile", apn="internet.example"
    )
    return {"provider_profile": profile.pk, "down_speed": 5, "up_speed": 1}


def connected(world: World) -> None:
    create_connected_ip(by=SERVER, bond=world.bond, interface="eth0", ip="192.168.10.1", prefix=24)


def cpe_nat_ip(world: World) -> Body:
    connected(world)
    network = IPv4Network("203.0.113.0/24")
    whole = create_allocation(by=SERVER, space=world.root, network=network)
    assign_routing_group(by=SERVER, allocation=whole, routing_group=world.group)
    create_delegation(by=SERVER, parent=whole, space=world.acme, network=network)
    return {"ip": "203.0.113.9", "dest_nat_ip": "192.168.10.2"}


def route(world: World) -> Body:
    connected(world)
    return {"network": "192.168.20.0/24", "gateway": "192.168.10.254"}


def allocation(world: World) -> Body:
    return {"network": "203.0.113.0/24", "space": world.root.pk}


def always(body: Body) -> Callable[[World], Body]:
    return lambda world: body


RESOURCES = [
    Resource("node", "nodes/"),
    Resource("aggregator", "aggregators/", always({"name": "agg-9", "ip": "203.0.113.9"})),
    Resource("bonder", "bonders/"),
    Resource("routinggroup", "routinggroups/", always({"name": "Toronto"})),
    Resource("bond", "bonds/", lambda world: {"aggregator": world.home.pk}),
    Resource("leg", "bonds/{bond}/legs/"),
    Resource("dhcp_leg", "bonds/{bond}/dhcp_legs/", leg()),
    Resource(
        "static_leg",
        "bonds/{bond}/static_legs/",
        leg(ip="192.0.2.2", netmask="30", gateway="192.0.2.1"),
    ),
    Resource("pppoe_leg", "bonds/{bond}/pppoe_legs/", leg(username="line9", password="secret")),
    Resource("mobilebroadband_leg", "bonds/{bond}/mobilebroadband_legs/", mobile_leg),
    Resource(
        "connected_ip",
        "bonds/{bond}/connected_ips/",
        always({"interface": "eth0", "ip": "192.168.10.1", "netmask": "255.255.255.0"}),
    ),
    Resource("cpe_nat_ip", "bonds/{bond}/cpe_nat_ips/", cpe_nat_ip),
    Resource("route", "bonds/{bond}/routes/", route, frozenset({"netmask"})),
    Resource("ipallocation", "ipallocations/", allocation),
    Resource(
        "speedtest",
        "bonds/{bond}/speedtests/",
        always({}),
        frozenset({"bond_configuration"}),
        is_written_once=True,
    ),
    Resource("bond_tuner", "bonds/{bond}/tuners/", always({}), is_written_once=True),
    Resource("leg_tuner", "bonds/{bond}/legs/{leg}/tuners/", always({}), is_written_once=True),
    Resource("qos", "qos/"),
    Resource("mobileproviderprofile", "mobileproviderprofiles/", always({"name": "A", "apn": "a"})),
    Resource(
        "user",
        "users/",
        lambda world: {"email": "new@example.net", "space": world.acme.pk},
        frozenset({"timezone"}),
    ),
    Resource("group", "groups/", always({"name": "New"})),
    Resource("space", "spaces/", lambda world: {"name": "N", "key": "n", "parent": world.acme.pk}),
]

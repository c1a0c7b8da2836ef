"""Where the contract's resources live, and what makes one with nothing but what it must have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openbond.server.bonds.services import create_mobile_provider_profile
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

    def collection(self, world: World) -> str:
        return f"/api/v3/{self.path.format(bond=world.bond.pk)}"


def leg(**more: object) -> Callable[[World], Body]:
    return lambda world: {"interface": "eth7", "down_speed": 5, "up_speed": 1, **more}


def mobile_leg(world: World) -> Body:
    profile = create_mobile_provider_profile(
        by=SERVER, space=world.root, name="Example Mobile", apn="internet.example"
    )
    return {"provider_profile": profile.pk, "down_speed": 5, "up_speed": 1}


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
]

"""Public networks for the tests of routing objects.

203.0.113.0/24   allocation of Root, valid at the default group
├── .0/25        delegated to Acme
│   └── .64/26   delegated on to Acme East
└── .128/25      delegated to Globex
"""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from openbond.server.bonds.models import Bond, ConnectedIP
from openbond.server.bonds.services import create_connected_ip
from openbond.server.ipam.models import IPAllocation
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.system.actors import SERVER
from tests.world import World, settle_updates


@dataclass
class Networks:
    whole: IPAllocation
    acme: IPAllocation
    acme_east: IPAllocation
    globex: IPAllocation


def create_networks(world: World) -> Networks:
    whole = create_allocation(by=SERVER, space=world.root, network=net("203.0.113.0/24"))
    assign_routing_group(by=SERVER, allocation=whole, routing_group=world.group)
    acme = create_delegation(
        by=SERVER, parent=whole, space=world.acme, network=net("203.0.113.0/25")
    )
    east = create_delegation(
        by=SERVER, parent=acme, space=world.acme_east, network=net("203.0.113.64/26")
    )
    globex = create_delegation(
        by=SERVER, parent=whole, space=world.globex, network=net("203.0.113.128/25")
    )
    settle_updates()
    return Networks(whole=whole, acme=acme, acme_east=east, globex=globex)


def net(text: str) -> IPv4Network:
    return IPv4Network(text)


def connect(bond: Bond, ip: str, prefix: int, interface: str = "eth0", **more: Any) -> ConnectedIP:
    return create_connected_ip(
        by=SERVER,
        bond=bond,
        interface=interface,
        ip=ip,
        prefix=prefix,
        **more,
    )

"""One of each thing in a space, marked so that a trace of it in a body can be told."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from openbond.server.bonds.models import Bond, Leg, MobileProviderProfile
from openbond.server.bonds.services import (
    create_bond,
    create_connected_ip,
    create_cpe_nat_ip,
    create_leg,
    create_mobile_provider_profile,
    create_route,
)
from openbond.server.fleet.models import Aggregator, RoutingGroup
from openbond.server.fleet.services import create_aggregator, create_routing_group
from openbond.server.ipam.models import IPAllocation
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.measurement.services import cancel_tuning, create_speed_test, create_tuning
from openbond.server.qos.rules import ClassSpec
from openbond.server.qos.services import create_qos_profile
from openbond.server.spaces.models import Group, Space
from openbond.server.spaces.services import create_user
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType
from tests.world import World

# What is only ever in a bond or below it, and what may be shared downwards.
OWN, SHARED = "own", "shared"


@dataclass(frozen=True)
class Things:
    """The ids to put into paths, by the word before them, and words that only these things say."""

    space: Space
    ids: dict[str, int]
    secrets: tuple[str, ...]
    own_mark: str
    shared_mark: str


def things_of_acme(world: World) -> dict[str, int]:
    """Make one of each thing in Acme, and what the root shares; return the ids for paths."""
    create_mobile_provider_profile(by=SERVER, space=world.root, name="Of all", apn="a.example")
    network = IPv4Network("203.0.113.0/24")
    whole = create_allocation(by=SERVER, space=world.root, network=network)
    assign_routing_group(by=SERVER, allocation=whole, routing_group=world.group)
    made = make_things(
        world, space=world.acme, mark="acme", held_from=whole, part="203.0.113.0/25", number=1
    )
    return made.ids


def make_things(
    world: World, *, space: Space, mark: str, held_from: IPAllocation, part: str, number: int
) -> Things:
    """Make one of each in `space`. `part` of `held_from` is delegated to it; `number` is free."""
    group = create_routing_group(by=SERVER, name=f"{mark}-{SHARED}-group", space=space)
    aggregator = create_aggregator(
        by=SERVER,
        name=f"{mark}-{SHARED}-agg",
        ip=f"100.64.0.{number}",
        space=space,
        routing_group=group,
        failover_monitoring=True,
        password=f"{mark}-{OWN}-password",
    )
    # In the group of the root, whose count of members others see.
    create_aggregator(
        by=SERVER, name=f"{mark}-{SHARED}-agg-2", ip=f"100.64.1.{number}", space=space
    )
    holdings = _holdings(space, group, held_from, part, number)
    bond = _bond(world, space=space, mark=mark, aggregator=aggregator)
    person = create_user(
        by=SERVER,
        email=f"{mark}-{OWN}@example.net",
        space=space,
        groups=[Group.objects.get(name="View")],
    )
    ids = {
        "nodes": aggregator.pk,
        "aggregators": aggregator.pk,
        "routinggroups": group.pk,
        "assigned_routing_groups": group.pk,
        "users": person.pk,
        "spaces": space.pk,
        **holdings,
        **_profiles(space, mark, bond),
    }
    ids |= _below(bond, mark, held=IPv4Network(part), profile_id=ids["mobileproviderprofiles"])
    secrets = (aggregator.key, bond.bonder.key, f"{mark}-{OWN}-password")
    return Things(
        space=space,
        ids=ids,
        secrets=secrets,
        own_mark=f"{mark}-{OWN}",
        shared_mark=f"{mark}-{SHARED}",
    )


def _holdings(
    space: Space, group: RoutingGroup, held_from: IPAllocation, part: str, number: int
) -> dict[str, int]:
    network = IPv4Network(f"192.0.2.{number}/32")
    allocation = create_allocation(by=SERVER, space=space, network=network)
    assign_routing_group(by=SERVER, allocation=allocation, routing_group=group)
    held = create_delegation(by=SERVER, parent=held_from, space=space, network=IPv4Network(part))
    return {
        "ipallocations": allocation.pk,
        "ip_allocations": allocation.pk,
        "delegated_ip_allocations": held.pk,
    }


def _bond(world: World, *, space: Space, mark: str, aggregator: Aggregator) -> Bond:
    # One bond names the space's own aggregator in every relation, the other that of the root.
    other = create_bond(by=SERVER, aggregator=aggregator, space=space, name=f"{mark}-{OWN}-bond-2")
    create_bond(
        by=SERVER,
        aggregator=world.home,
        secondary_aggregator=aggregator,
        space=space,
        name=f"{mark}-{OWN}-bond-3",
    )
    create_leg(
        by=SERVER,
        bond=other,
        type=LegType.MOBILEBROADBAND,
        down_kbps=1,
        up_kbps=1,
        provider_profile=MobileProviderProfile.objects.get(space=world.root),
    )
    return create_bond(
        by=SERVER,
        aggregator=world.home,
        space=space,
        name=f"{mark}-{OWN}-bond",
        note=f"{mark}-{OWN}-note",
    )


def _profiles(space: Space, mark: str, bond: Bond) -> dict[str, int]:
    mobile = create_mobile_provider_profile(
        by=SERVER,
        space=space,
        name=f"{mark}-{SHARED}-mobile",
        apn="a.example",
        password=f"{mark}-{OWN}-password",
    )
    qos = create_qos_profile(
        by=SERVER,
        name=f"{mark}-{SHARED}-qos",
        space=space,
        classes=[ClassSpec(name="All", bandwidth=100, is_default=True)],
    )
    Bond.objects.filter(pk=bond.pk).update(qos_profile=qos)
    return {"qos": qos.pk, "mobileproviderprofiles": mobile.pk}


def _below(bond: Bond, mark: str, *, held: IPv4Network, profile_id: int) -> dict[str, int]:
    legs = _legs(bond, profile_id)
    leg_tuning = create_tuning(by=SERVER, bond=bond, leg=legs[LegType.DHCP])
    cancel_tuning(by=SERVER, tuning=leg_tuning)
    lan = create_connected_ip(by=SERVER, bond=bond, interface="eth0", ip="192.168.10.1", prefix=24)
    nat = create_cpe_nat_ip(by=SERVER, bond=bond, ip=str(held[1]), dest_nat_ip="192.168.10.2")
    route = create_route(by=SERVER, bond=bond, network="192.168.20.0/24", gateway="192.168.10.254")
    test = create_speed_test(by=SERVER, bond=bond)
    tuning = create_tuning(by=SERVER, bond=bond)
    return {
        "bonders": bond.bonder_id,
        "bonds": bond.pk,
        "legs": legs[LegType.DHCP].pk,
        **{f"{kind.value}_legs": leg.pk for kind, leg in legs.items()},
        "connected_ips": lan.pk,
        "cpe_nat_ips": nat.pk,
        "routes": route.pk,
        "speedtests": test.pk,
        "tuners": tuning.pk,
        "leg_tuners": leg_tuning.pk,
    }


def _legs(bond: Bond, profile_id: int) -> dict[LegType, Leg]:
    of_type: dict[LegType, Any] = {
        LegType.DHCP: {"interface": "eth1"},
        LegType.STATIC: {
            "interface": "eth2",
            "ip": "198.51.100.86",
            "prefix": 30,
            "gateway": "198.51.100.85",
        },
        LegType.PPPOE: {"interface": "eth3", "username": "line", "password": "secret"},
        LegType.MOBILEBROADBAND: {
            "provider_profile": MobileProviderProfile.objects.get(pk=profile_id)
        },
    }
    return {
        kind: create_leg(by=SERVER, bond=bond, type=kind, down_kbps=1000, up_kbps=1000, **more)
        for kind, more in of_type.items()
    }

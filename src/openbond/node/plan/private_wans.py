"""Private WANs at an aggregator: a table a space, a VXLAN to the others (behaviour 5.8). Pure.

What a bond sends from a network that takes part is marked by the packet filter (ruleset.py) and
looked up in the space's table alone, which ends in "unreachable": it never falls through to the
core, and the main table does not know these networks, so no packet of the core enters.
"""

from ipaddress import ip_address, ip_interface, ip_network

from openbond.wire.config import NodeContent, PrivateNetworkConfig, PrivateWanConfig, TrunkConfig

from .facts import Facts
from .legs import ALL_IPV4, fallback
from .numbers import (
    FROM_SPACE,
    IPV6_METRIC,
    VXLAN_OVERHEAD,
    device_of,
    space_device_of,
    space_mark,
    space_table,
)
from .trunks import far_address, trunk_bond
from .tunnels import inner_mtu
from .values import Address, FarEnd, IpAddress, LinkMtu, LinkUp, Route, Rule, Sysctl, Vxlan
from .wishes import Wishes

ALL_IPV6 = ip_network("::/0")
# In a VXLAN, aggregators are 252.0.0.0/8 plus their id; tunnel networks never get that far.
STATIONS = ip_network("252.0.0.0/8")
FORWARDING = {"rp_filter": "0", "send_redirects": "0"}


def wish_private_wans(wishes: Wishes, content: NodeContent, facts: Facts) -> None:
    """Wish for the tables and VXLANs of all spaces that have bonds here."""
    here = {bond.id for bond in content.bonds}
    if content.private_wans:
        # What the kernel itself answers, "unreachable" or "too big", goes back the way of the
        # packet it answers, and not to the core.
        for family in ("ipv4", "ipv6"):
            wishes.setting(Sysctl(f"net.{family}.fwmark_reflect", "1"), "node")
    for wan in content.private_wans:
        _wish_private_wan(wishes, wan, content.trunks, here, facts)


def space_mtu(trunks: list[TrunkConfig], facts: Facts) -> int:
    """Return the MTU of a VXLAN that reaches through all of these trunks, in bytes."""
    return min(inner_mtu(trunk_bond(trunk), facts) for trunk in trunks) - VXLAN_OVERHEAD


def far_trunks(
    wan: PrivateWanConfig, trunks: list[TrunkConfig], here: set[int]
) -> list[TrunkConfig]:
    """Return the trunks to the other aggregators of a private WAN."""
    others = {found.node_id for found in wan.networks if found.bond_id not in here}
    return [trunk for trunk in trunks if trunk.node_id in others]


def _wish_private_wan(
    wishes: Wishes,
    wan: PrivateWanConfig,
    trunks: list[TrunkConfig],
    here: set[int],
    facts: Facts,
) -> None:
    about, table = f"private WAN of space {wan.space_id}", space_table(wan.space_id)
    far = far_trunks(wan, trunks, here)
    for everything in (ALL_IPV4, ALL_IPV6):
        wishes.route(fallback(everything, table), about)
        mark = space_mark(wan.space_id)
        wishes.rule(Rule(FROM_SPACE, table, family=everything.version, mark=mark), about)
    if far:
        _wish_vxlan(wishes, wan, far, facts, about)
    reached = {trunk.node_id for trunk in far}
    for found in wan.networks:
        if found.bond_id in here:
            _wish_near(wishes, found, table, facts)
        elif found.node_id in reached:
            _wish_far(wishes, found, table, space_device_of(wan.space_id), about)
        elif found.node_id != wan.node_id:
            wishes.warn(
                about,
                f"{found.network} is not reached: the server made no trunk to node "
                f"{found.node_id}, no port from 1024 to 1999 is free",
            )
    winners = {found.network: found.bond_id for found in wan.networks}
    for lost in wan.shadowed:
        wishes.warn(
            f"bond {lost.bond_id}",
            f"{lost.network} is on bond {winners[lost.network]} of the private WAN, too: "
            "packets go there",
        )


def _wish_vxlan(
    wishes: Wishes, wan: PrivateWanConfig, far: list[TrunkConfig], facts: Facts, about: str
) -> None:
    name, table = space_device_of(wan.space_id), space_table(wan.space_id)
    wishes.device(Vxlan(name), about)
    wishes.setting(LinkMtu(name, space_mtu(far, facts)), about)
    for key, value in FORWARDING.items():
        wishes.setting(Sysctl(f"net.ipv4.conf.{name}.{key}", value, name), about)
    wishes.setting(Sysctl(f"net.ipv6.conf.{name}.addr_gen_mode", "1", name), about)
    wishes.setting(Sysctl(f"net.ipv6.conf.{name}.accept_dad", "0", name), about)
    wishes.setting(LinkUp(name, True), about)
    for trunk in far:
        wishes.far_end(FarEnd(name, far_address(trunk)), about)
    for version, prefix in ((4, 32), (6, 64)):
        own = ip_interface(f"{station(wan.node_id, version)}/{prefix}")
        wishes.address(Address(name, own, has_network=False), about)
    wishes.route(Route(STATIONS, table, name), about)
    for family in (4, 6):
        wishes.rule(Rule(FROM_SPACE, table, family=family, arriving=name), about)


def station(node_id: int, version: int) -> IpAddress:
    """Return an aggregator's address in the VXLANs of private WANs."""
    if version == 6:
        return ip_address(f"fe80::{node_id >> 16:x}:{node_id & 0xFFFF:x}")
    return STATIONS[node_id % STATIONS.num_addresses]


def _wish_near(wishes: Wishes, found: PrivateNetworkConfig, table: int, facts: Facts) -> None:
    """A network behind a bond here; "unreachable" while its tunnel is down."""
    about, network = f"bond {found.bond_id}", ip_network(found.network)
    wishes.route(fallback(network, table), about)
    if found.bond_id not in facts.withdrawn:
        metric = IPV6_METRIC if network.version == 6 else 0
        wishes.route(Route(network, table, device_of(found.bond_id), metric=metric), about)


def _wish_far(
    wishes: Wishes, found: PrivateNetworkConfig, table: int, device: str, about: str
) -> None:
    network = ip_network(found.network)
    gateway = station(found.node_id, network.version)
    metric = IPV6_METRIC if network.version == 6 else 0
    wishes.route(Route(network, table, device, gateway, metric=metric), about)

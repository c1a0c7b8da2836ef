"""What a bonder shall have: its legs, and customers into the tunnel (behaviour 5.4)."""

from ipaddress import ip_address, ip_interface, ip_network

from openbond.wire.config import BondConfig

from .dhcp_server import wish_dhcp_server
from .facts import Facts
from .legs import ALL_IPV4, LINK_SYSCTLS, beside, fallback, wish_leg, wish_vlan
from .numbers import (
    FROM_SITE,
    FROM_TUNNEL,
    FROM_TUNNEL_ELSE,
    IPV6_METRIC,
    OWN_SOURCES,
    OWN_TRAFFIC,
    device_of,
    site_table,
)
from .values import (
    Address,
    IpInterface,
    LinkUp,
    Route,
    Rule,
    Sysctl,
)
from .wishes import Wishes

ALL_IPV6 = ip_network("::/0")


def wish_site(wishes: Wishes, bond: BondConfig, facts: Facts) -> None:
    """Wish for the legs of a bond and for the customer's side of it."""
    for leg in bond.legs:
        wish_leg(wishes, leg, facts)
    for interface in sorted({address.interface for address in bond.connected_ips}):
        _wish_customer_interface(wishes, bond, interface)
    for connected in bond.connected_ips:
        ip = ip_interface(f"{connected.ip}/{connected.prefix}")
        about = f"connected IP {connected.id}"
        wishes.address(Address(connected.interface, ip), about)
        wishes.route(beside(ip, connected.interface, site_table(bond.id)), about)
        wishes.rule(_own_source(ip, bond.id), about)
    for route in bond.routes:
        _wish_route(wishes, bond, route.id, route.network, route.gateway)
    _wish_way_out(wishes, bond)
    wish_dhcp_server(wishes, bond, facts)


# ----------------------------------------------------------------------------------- the customer


def _wish_customer_interface(wishes: Wishes, bond: BondConfig, interface: str) -> None:
    about = next(f"connected IP {c.id}" for c in bond.connected_ips if c.interface == interface)
    wish_vlan(wishes, interface, about)
    wishes.setting(LinkUp(interface, True), about)
    for key, value in LINK_SYSCTLS.items():
        wishes.setting(Sysctl(f"net.ipv4.conf.{interface}.{key}", value, interface), about)
    for family in (4, 6):
        rule = Rule(FROM_SITE, site_table(bond.id), family=family, arriving=interface)
        wishes.rule(rule, about)


def _wish_route(wishes: Wishes, bond: BondConfig, route_id: int, text: str, via: str) -> None:
    about, gateway = f"route {route_id}", ip_address(via)
    for connected in bond.connected_ips:
        if gateway in ip_interface(f"{connected.ip}/{connected.prefix}").network:
            network = ip_network(text)
            metric = IPV6_METRIC if network.version == 6 else 0
            route = Route(network, site_table(bond.id), connected.interface, gateway, metric=metric)
            wishes.route(route, about)
            return
    wishes.warn(about, f"waits: the connected IP of its gateway {via} is not enabled")


def _wish_way_out(wishes: Wishes, bond: BondConfig) -> None:
    """Into the tunnel or not at all; from the tunnel to the site or not at all."""
    about, device, table = f"bond {bond.id}", device_of(bond.id), site_table(bond.id)
    own = next((ip_address(c.ip) for c in bond.connected_ips if ":" not in c.ip), None)
    wishes.route(Route(ALL_IPV4, table, device, source=own), about)
    wishes.route(Route(ALL_IPV6, table, device, metric=IPV6_METRIC), about)
    subnet = ip_network(bond.tunnel_subnet)
    wishes.rule(Rule(OWN_SOURCES, table, source=ip_network(subnet[0])), about)
    for everything in (ALL_IPV4, ALL_IPV6):
        family = everything.version
        wishes.route(fallback(everything, table), about)
        wishes.rule(
            Rule(FROM_TUNNEL, table, family=family, arriving=device, is_only_networks=True), about
        )
        wishes.rule(Rule(FROM_TUNNEL_ELSE, None, family=family, arriving=device), about)
    wishes.rule(Rule(OWN_TRAFFIC, table), about)


def _own_source(ip: IpInterface, bond_id: int) -> Rule:
    return Rule(OWN_SOURCES, site_table(bond_id), family=ip.version, source=ip_network(ip.ip))

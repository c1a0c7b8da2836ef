"""What a bonder shall have: legs apart from each other, customers into the tunnel (§3.8, §5.4)."""

from ipaddress import ip_address, ip_interface, ip_network

from openbond.wire.config import BondConfig, DhcpAccess, LegConfig, StaticAccess
from openbond.wire.states import LinkMode

from .facts import Facts, Lease
from .numbers import (
    FALLBACK_METRIC,
    FALLBACK_PROTOCOL,
    FROM_SITE,
    FROM_TUNNEL,
    FROM_TUNNEL_ELSE,
    IPV6_METRIC,
    LEG_BY_INTERFACE,
    LEG_BY_SOURCE,
    OWN_SOURCES,
    OWN_TRAFFIC,
    device_of,
    leg_table,
    site_table,
)
from .values import (
    Address,
    IpAddress,
    IpInterface,
    IpNetwork,
    LinkMac,
    LinkMtu,
    LinkUp,
    Route,
    Rule,
    RunningProgram,
    Sysctl,
)
from .wishes import Wishes

ALL_IPV4 = ip_network("0.0.0.0/0")
ALL_IPV6 = ip_network("::/0")

# Loose: a packet may come by an interface that the kernel itself would not choose. Promote: the
# old address of an interface goes without taking the new one with it.
CUSTOMER_SYSCTLS = {"rp_filter": "2", "promote_secondaries": "1"}
# Legs may sit in equal networks: ARP only for the leg's own address.
LEG_SYSCTLS = {**CUSTOMER_SYSCTLS, "arp_ignore": "1", "arp_announce": "2"}


def wish_site(wishes: Wishes, bond: BondConfig, facts: Facts) -> None:
    """Wish for the legs of a bond and for the customer's side of it."""
    for leg in bond.legs:
        _wish_leg(wishes, leg, facts)
    for interface in sorted({address.interface for address in bond.connected_ips}):
        _wish_customer_interface(wishes, bond, interface)
    for connected in bond.connected_ips:
        ip = ip_interface(f"{connected.ip}/{connected.prefix}")
        about = f"connected IP {connected.id}"
        wishes.address(Address(connected.interface, ip), about)
        wishes.route(_beside(ip, connected.interface, site_table(bond.id)), about)
        wishes.rule(_own_source(ip, bond.id), about)
    for route in bond.routes:
        _wish_route(wishes, bond, route.id, route.network, route.gateway)
    _wish_way_out(wishes, bond)


def leg_source(leg: LegConfig, facts: Facts) -> str:
    """Return the leg's own address, "" while it has none."""
    address = leg_address(leg, facts)
    return str(address.ip) if address else ""


def leg_address(leg: LegConfig, facts: Facts) -> IpInterface | None:
    if isinstance(leg.access, StaticAccess):
        return ip_interface(f"{leg.access.ip}/{leg.access.prefix}")
    lease = facts.leases.get(leg.id)
    if isinstance(leg.access, DhcpAccess) and lease is not None:
        return ip_interface(f"{lease.ip}/{lease.prefix}")
    return None


def leg_gateway(leg: LegConfig, facts: Facts) -> IpAddress | None:
    lease = facts.leases.get(leg.id) or Lease(ip="", prefix=0, obtained=0, seconds=0)
    text = leg.access.gateway if isinstance(leg.access, StaticAccess) else lease.gateway
    return ip_address(text) if text else None


# ------------------------------------------------------------------------------------------ legs


def _wish_leg(wishes: Wishes, leg: LegConfig, facts: Facts) -> None:
    about = f"leg {leg.id}"
    if leg.link_mode is LinkMode.OFFLINE:
        wishes.setting(LinkUp(leg.interface, False), about)
        return
    _wish_leg_interface(wishes, leg, about)
    if isinstance(leg.access, DhcpAccess):
        wishes.program(_dhcp_client(leg, facts), about)
        if leg.id not in facts.leases:
            wishes.warn(about, "no lease yet: no DHCP server has answered on its interface")
    elif not isinstance(leg.access, StaticAccess):
        wishes.warn(about, f"legs of type {leg.type} are not built yet: use dhcp or static")
    address = leg_address(leg, facts)
    if address is not None:
        _wish_leg_addressing(wishes, leg, address, leg_gateway(leg, facts))


def _wish_leg_interface(wishes: Wishes, leg: LegConfig, about: str) -> None:
    name = leg.interface
    if leg.interface_mac:
        wishes.setting(LinkMac(name, leg.interface_mac.lower()), about)
    if leg.interface_mtu:
        wishes.setting(LinkMtu(name, leg.interface_mtu), about)
    wishes.setting(LinkUp(name, True), about)
    for key, value in LEG_SYSCTLS.items():
        wishes.setting(Sysctl(f"net.ipv4.conf.{name}.{key}", value, name), about)
    # A router's advertisement must not give the node a default route by a leg.
    wishes.setting(Sysctl(f"net.ipv6.conf.{name}.accept_ra", "0", name), about)


def _dhcp_client(leg: LegConfig, facts: Facts) -> RunningProgram:
    lease_file = f"{facts.machine.leases}/{leg.id}.json"
    client = ["udhcpc", "-f", "-i", leg.interface, "-s", facts.machine.dhcp_hook]
    asking = ["-t", "3", "-T", "2", "-A", "3"]
    environment = ["env", f"OPENBOND_LEASE={lease_file}"]
    return RunningProgram(f"dhcp-{leg.id}", (*environment, *client, *asking))


def _wish_leg_addressing(
    wishes: Wishes, leg: LegConfig, address: IpInterface, gateway: IpAddress | None
) -> None:
    about, table = f"leg {leg.id}", leg_table(leg.id)
    # No network route: in the main table two legs of equal networks would fight for it.
    wishes.address(Address(leg.interface, address, has_network=False), about)
    wishes.route(_beside(address, leg.interface, table), about)
    if gateway is None:
        wishes.warn(about, "has no gateway: only its own network is reachable")
    else:
        if gateway not in address.network:
            beside = ip_network(gateway)
            wishes.route(Route(beside, table, leg.interface, source=address.ip), about)
        wishes.route(
            Route(ALL_IPV4, table, leg.interface, gateway=gateway, source=address.ip), about
        )
    # Nothing of a leg leaves by another leg's interface, or by the tunnel.
    wishes.route(_fallback(ALL_IPV4, table), about)
    wishes.rule(Rule(LEG_BY_INTERFACE, table, leaving=leg.interface), about)
    wishes.rule(Rule(LEG_BY_SOURCE, table, source=ip_network(address.ip)), about)


# ----------------------------------------------------------------------------------- the customer


def _wish_customer_interface(wishes: Wishes, bond: BondConfig, interface: str) -> None:
    about = next(f"connected IP {c.id}" for c in bond.connected_ips if c.interface == interface)
    wishes.setting(LinkUp(interface, True), about)
    for key, value in CUSTOMER_SYSCTLS.items():
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
        wishes.route(_fallback(everything, table), about)
        wishes.rule(
            Rule(FROM_TUNNEL, table, family=family, arriving=device, is_only_networks=True), about
        )
        wishes.rule(Rule(FROM_TUNNEL_ELSE, None, family=family, arriving=device), about)
    wishes.rule(Rule(OWN_TRAFFIC, table), about)


def _own_source(ip: IpInterface, bond_id: int) -> Rule:
    return Rule(OWN_SOURCES, site_table(bond_id), family=ip.version, source=ip_network(ip.ip))


def _beside(ip: IpInterface, interface: str, table: int) -> Route:
    """Return the route to the network an address lies in."""
    if ip.version == 6:
        return Route(ip.network, table, interface, metric=IPV6_METRIC)
    return Route(ip.network, table, interface, source=ip.ip)


def _fallback(network: IpNetwork, table: int) -> Route:
    return Route(network, table, metric=FALLBACK_METRIC, protocol=FALLBACK_PROTOCOL)

"""What each leg of a bonder shall have: an interface, a client, a table of its own (§3.8). Pure."""

from ipaddress import ip_network

from openbond.wire.config import DhcpAccess, LegConfig, MobileAccess, PppoeAccess, StaticAccess
from openbond.wire.states import LinkMode

from .facts import Facts
from .lines import asks_by_dhcp, leg_address, leg_gateway, leg_interface
from .numbers import (
    FALLBACK_METRIC,
    FALLBACK_PROTOCOL,
    IPV6_METRIC,
    LEG_BY_INTERFACE,
    LEG_BY_SOURCE,
    leg_table,
)
from .ppp import pppd_options
from .values import (
    Address,
    ClientFile,
    EthernetMode,
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
    Vlan,
)
from .wishes import Wishes

ALL_IPV4 = ip_network("0.0.0.0/0")

# Loose: a packet may come by an interface that the kernel itself would not choose. Promote: the
# old address of an interface goes without taking the new one with it.
LINK_SYSCTLS = {"rp_filter": "2", "promote_secondaries": "1"}
# Legs may sit in equal networks: ARP only for the leg's own address.
LEG_SYSCTLS = {**LINK_SYSCTLS, "arp_ignore": "1", "arp_announce": "2"}


def wish_leg(wishes: Wishes, leg: LegConfig, facts: Facts) -> None:
    """Wish for all of one leg; of one in mode `offline` only that its interface is down."""
    about = f"leg {leg.id}"
    if leg.link_mode is LinkMode.OFFLINE:
        # A VLAN interface of ours goes away instead, and a modem has no interface then.
        if leg.interface and "." not in leg.interface:
            wishes.setting(LinkUp(leg.interface, False), about)
        return
    if leg.interface:
        _wish_hardware(wishes, leg, about)
    _CLIENTS[type(leg.access)](wishes, leg, facts)
    interface, address = leg_interface(leg, facts), leg_address(leg, facts)
    if asks_by_dhcp(leg, facts):
        wish_dhcp_client(wishes, leg.id, interface, facts, renewal=leg.renew_count)
    if address is None:
        return
    if interface != leg.interface:
        _wish_link(wishes, interface, about)
    if not isinstance(leg.access, PppoeAccess):
        # No network route: in the main table two legs of equal networks would fight for it. The
        # address of a PPP interface is pppd's work.
        wishes.address(Address(interface, address, has_network=False), about)
    is_alone = isinstance(leg.access, PppoeAccess | MobileAccess)
    gateway = _gateway(leg, facts)
    wish_own_table(wishes, leg.id, interface, address, gateway, has_one_peer=is_alone)


def _gateway(leg: LegConfig, facts: Facts) -> IpAddress | None:
    # A PPP interface leads to one peer: there is nothing to choose by a gateway.
    return None if isinstance(leg.access, PppoeAccess) else leg_gateway(leg, facts)


# ------------------------------------------------------------------------------------- interfaces


def _wish_hardware(wishes: Wishes, leg: LegConfig, about: str) -> None:
    """Wish for what the operator set of the leg's own interface."""
    name = leg.interface
    wish_vlan(wishes, name, about)
    if leg.interface_mac:
        wishes.setting(LinkMac(name, leg.interface_mac.lower()), about)
    # pppd sets it on the PPP interface; the one below must take eight bytes more.
    if leg.interface_mtu and not isinstance(leg.access, PppoeAccess):
        wishes.setting(LinkMtu(name, leg.interface_mtu), about)
    _wish_mode(wishes, name.partition(".")[0], leg.interface_mode, about)
    _wish_link(wishes, name, about)


def wish_vlan(wishes: Wishes, name: str, about: str) -> None:
    """Wish for the interface behind a name like `eth3.3`; others are the machine's own."""
    if "." in name:
        vlan = Vlan(name)
        wishes.device(vlan, about)
        wishes.setting(LinkUp(vlan.interface, True), about)


def _wish_mode(wishes: Wishes, name: str, mode: str, about: str) -> None:
    others = [item for item in wishes.settings if isinstance(item, EthernetMode)]
    if any(other.interface == name and other.mode != mode for other in others):
        wishes.warn(about, f"interface_mode {mode} is ignored: another leg on {name} has its own")
    else:
        wishes.setting(EthernetMode(name, mode), about)


def _wish_link(wishes: Wishes, name: str, about: str) -> None:
    wishes.setting(LinkUp(name, True), about)
    for key, value in LEG_SYSCTLS.items():
        wishes.setting(Sysctl(f"net.ipv4.conf.{name}.{key}", value, name), about)
    # A router's advertisement must not give the node a default route by a leg.
    wishes.setting(Sysctl(f"net.ipv6.conf.{name}.accept_ra", "0", name), about)


# ---------------------------------------------------------------------------------------- clients


def _wish_static(wishes: Wishes, leg: LegConfig, facts: Facts) -> None:
    """A static leg has what it needs in its config."""


def _wish_dhcp(wishes: Wishes, leg: LegConfig, facts: Facts) -> None:
    if leg.id not in facts.leases:
        wishes.warn(f"leg {leg.id}", "no lease yet: no DHCP server has answered on its interface")


def _wish_pppoe(wishes: Wishes, leg: LegConfig, facts: Facts) -> None:
    about = f"leg {leg.id}"
    options = pppd_options(leg, facts.machine.ppp_hook, f"{facts.machine.lines}/{leg.id}.json")
    wishes.client_file(ClientFile(f"ppp/{leg.id}.options", options), about)
    argv = (*facts.machine.ppp_argv, str(leg.id))
    wishes.program(RunningProgram(f"pppoe-{leg.id}", argv, leg.interface), about)
    _warn_of_line(wishes, leg, facts, "no PPPoE session yet: the dialer has just begun")


def _wish_mobile(wishes: Wishes, leg: LegConfig, facts: Facts) -> None:
    line = facts.lines.get(leg.id)
    if line is not None and leg.interface_mtu is None and line.mtu:
        wishes.setting(LinkMtu(line.interface, line.mtu), f"leg {leg.id}")
    elif line is not None and line.interface and leg.interface_mtu:
        wishes.setting(LinkMtu(line.interface, leg.interface_mtu), f"leg {leg.id}")
    if line is not None and line.interface and not line.ip:
        _wish_link(wishes, line.interface, f"leg {leg.id}")
    _warn_of_line(wishes, leg, facts, "no modem is connected yet")


def _warn_of_line(wishes: Wishes, leg: LegConfig, facts: Facts, first: str) -> None:
    line = facts.lines.get(leg.id)
    if line is None or line.trouble:
        wishes.warn(f"leg {leg.id}", line.trouble if line else first)


_CLIENTS = {
    StaticAccess: _wish_static,
    DhcpAccess: _wish_dhcp,
    PppoeAccess: _wish_pppoe,
    MobileAccess: _wish_mobile,
    type(None): _wish_static,
}


def wish_dhcp_client(
    wishes: Wishes, leg_id: int, interface: str, facts: Facts, *, renewal: int = 0
) -> None:
    """Wish for the DHCP client of a leg.

    `renewal`: the counter of the action `renew`. A new count means a new client, which asks
    at once: one that is told to renew waits 3 s when the server refuses it its old address.
    The lease of the one before counts until the new one has its own, or until it ends.
    """
    lease_file = f"{facts.machine.leases}/{leg_id}.json"
    environment = ["env", f"OPENBOND_LEASE={lease_file}", f"OPENBOND_RENEWAL={renewal}"]
    client = ["udhcpc", "-f", "-i", interface, "-s", facts.machine.dhcp_hook]
    asking = ["-t", "3", "-T", "2", "-A", "3"]
    argv = (*environment, *client, *asking)
    wishes.program(RunningProgram(f"dhcp-{leg_id}", argv, interface), f"leg {leg_id}")


# ----------------------------------------------------------------------------- a table of its own


def wish_own_table(
    wishes: Wishes,
    leg_id: int,
    interface: str,
    address: IpInterface,
    gateway: IpAddress | None,
    *,
    has_one_peer: bool = False,
) -> None:
    """Wish that what has a leg's address leaves by that leg's interface, or not at all.

    `has_one_peer`: the interface leads to one machine, which needs no gateway's name.
    """
    about, table = f"leg {leg_id}", leg_table(leg_id)
    wishes.route(beside(address, interface, table), about)
    if gateway is not None and gateway not in address.network:
        way = Route(ip_network(gateway), table, interface, source=address.ip)
        wishes.route(way, about)
    if gateway is not None or has_one_peer:
        default = Route(ALL_IPV4, table, interface, gateway=gateway, source=address.ip)
        wishes.route(default, about)
    else:
        wishes.warn(about, "has no gateway: only its own network is reachable")
    # Nothing of a leg leaves by another leg's interface, or by the tunnel.
    wishes.route(fallback(ALL_IPV4, table), about)
    wishes.rule(Rule(LEG_BY_INTERFACE, table, leaving=interface), about)
    wishes.rule(Rule(LEG_BY_SOURCE, table, source=ip_network(address.ip)), about)


def beside(ip: IpInterface, interface: str, table: int) -> Route:
    """Return the route to the network an address lies in."""
    if ip.version == 6:
        return Route(ip.network, table, interface, metric=IPV6_METRIC)
    return Route(ip.network, table, interface, source=ip.ip)


def fallback(network: IpNetwork, table: int) -> Route:
    return Route(network, table, metric=FALLBACK_METRIC, protocol=FALLBACK_PROTOCOL)

"""What a routing object may be, among those of its bond (api-v3 04-routing)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import NamedTuple

from openbond.server.system.addresses import (
    Address,
    Network,
    is_private,
    is_refused,
    network_of,
    overlap,
)

from .legs import NETWORK_ADDRESS, is_edge

# Of a DHCP server, in seconds: dnsmasq takes no shorter ones; a week.
LEASE_LEAST, LEASE_MOST = 120, 604_800
REFUSED = "{network} holds addresses that cannot be used."
NOT_PUBLIC = "Must be a public address."
NOT_PRIVATE = "Must be a private address."
NOT_CONNECTED = "Must lie in the network of a connected IP of the bond."
IS_CONNECTED_IP = "May not be the address of a connected IP."
OTHER_FAMILY = "Must be of the same IP version as the network."
WHOLE_INTERNET = "The prefix length must be at least 1."
WRONG_INTERFACE = (
    "Must be auto, or the interface of a connected IP of the bond whose network holds the gateway."
)
SAME_IP = "Another connected IP with this address is enabled on the bond."
SAME_DESTINATION = "Another CPE NAT IP with this destination is enabled on the bond."
SAME_NETWORK = "Another route to this network is enabled on the bond."
OVERLAPS_INTERFACE = (
    "An enabled connected IP on another interface of the bond overlaps this network."
)


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected IP as the rules see it: enabled or not, all count."""

    interface: str
    ip: Address
    network: Network


class Edges(NamedTuple):
    """A connected network by the keys of its first and last address, and its prefix length."""

    first: bytes
    last: bytes
    prefix: int


def connected(*, interface: str, ip: str, prefix: int) -> Connected:
    return Connected(interface=interface, ip=ip_address(ip), network=network_of(ip, prefix))


def fault_of_dhcp(ip: str, prefix: int, lease: int) -> str:
    """Return why a connected IP cannot have a DHCP server with leases of `lease` seconds."""
    if not lease:
        return ""
    if not LEASE_LEAST <= lease <= LEASE_MOST:
        return f"A lease is 0, for no DHCP server, or {LEASE_LEAST} to {LEASE_MOST} seconds."
    if ":" in ip or prefix > 30:
        return "A DHCP server needs an IPv4 network of four addresses or more."
    return ""


def fault_of_connected_ip(*, ip: str, prefix: int) -> str:
    """Return why an address cannot be a connected IP, or nothing."""
    network = network_of(ip, prefix)
    if is_refused(network):
        return REFUSED.format(network=network)
    address = ip_address(ip)
    edge = (
        isinstance(address, IPv4Address)
        and isinstance(network, IPv4Network)
        and is_edge(address, network)
    )
    return NETWORK_ADDRESS if edge else ""


def faults_of_cpe_nat_ip(
    *, ip: str, dest_nat_ip: str, connected_ips: Sequence[Connected]
) -> dict[str, list[str]]:
    """Return what is wrong with the two addresses of a CPE NAT IP (both IPv4)."""
    faults: dict[str, list[str]] = {}
    public = ip_network(ip)
    if is_refused(public):
        faults["ip"] = [REFUSED.format(network=ip)]
    elif is_private(public):
        faults["ip"] = [NOT_PUBLIC]
    fault = _fault_of_destination(ip_address(dest_nat_ip), connected_ips)
    return faults | ({"dest_nat_ip": [fault]} if fault else {})


def faults_of_route(
    *, network: str, gateway: str, interface: str, connected_ips: Sequence[Connected]
) -> dict[str, list[str]]:
    """Return what is wrong with a route."""
    faults: dict[str, list[str]] = {}
    target, hop = ip_network(network), ip_address(gateway)
    if target.prefixlen < 1:
        faults["network"] = [WHOLE_INTERNET]
    elif is_refused(target):
        faults["network"] = [REFUSED.format(network=network)]
    fault = _fault_of_hop(hop, target, connected_ips)
    if fault:
        faults["gateway"] = [fault]
    elif interface != "auto" and interface not in _interfaces(hop, connected_ips):
        faults["interface"] = [WRONG_INTERFACE]
    return faults


def serving_network(address: str, connected_ips: Iterable[Connected]) -> Network | None:
    """Return the connected network that holds `address`; of several, the longest prefix."""
    target = ip_address(address)
    holding = [one.network for one in connected_ips if target in one.network]
    return max(holding, key=lambda network: network.prefixlen, default=None)


def serving_prefix(key: bytes, networks: Iterable[Edges]) -> int | None:
    """Return the prefix length of `serving_network`, from keys alone: lists show thousands."""
    return max((one.prefix for one in networks if one.first <= key <= one.last), default=None)


def overlaps_other_interface(own: Connected, others: Iterable[Connected]) -> bool:
    """Report whether an enabled connected IP on another interface shares addresses with `own`."""
    return any(
        other.interface != own.interface and overlap(other.network, own.network) for other in others
    )


def _fault_of_destination(address: Address, connected_ips: Sequence[Connected]) -> str:
    if not is_private(ip_network(address)):
        return NOT_PRIVATE
    network = serving_network(str(address), connected_ips)
    if network is None:
        return NOT_CONNECTED
    if any(one.ip == address for one in connected_ips):
        return IS_CONNECTED_IP
    is_host = not (
        isinstance(address, IPv4Address)
        and isinstance(network, IPv4Network)
        and is_edge(address, network)
    )
    return "" if is_host else NETWORK_ADDRESS


def _fault_of_hop(hop: Address, target: Network, connected_ips: Sequence[Connected]) -> str:
    if hop.version != target.version:
        return OTHER_FAMILY
    if serving_network(str(hop), connected_ips) is None:
        return NOT_CONNECTED
    return IS_CONNECTED_IP if any(one.ip == hop for one in connected_ips) else ""


def _interfaces(hop: Address, connected_ips: Iterable[Connected]) -> set[str]:
    return {one.interface for one in connected_ips if hop in one.network}

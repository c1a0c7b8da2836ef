"""What a leg may be, and its port."""

import re
from ipaddress import IPv4Address, IPv4Network

from openbond.server.system.addresses import is_refused
from openbond.wire.states import ShownState

INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[1-9][0-9]{0,3})?")
INTERFACE_LENGTH = 15
LAST_VLAN = 4094
OWN_PREFIXES = ("tun", "mtun")

FIRST_PORT = 2000
LAST_PORT = 65535

NOT_AN_INTERFACE = (
    "Give an interface name such as eth1 or eth1.20: a letter, then letters, digits, - and _, "
    "a VLAN from 1 to 4094, at most 15 characters, not lo, tun… or mtun…."
)
NOT_A_HOST = "This address cannot be that of a host."
NETWORK_ADDRESS = "The network and the broadcast address cannot be that of a host."
GATEWAY_OUTSIDE = "The gateway must lie in the network {network}."
GATEWAY_IS_SELF = "The gateway may not be the leg's own address."

CARRYING = frozenset(
    {ShownState.UP, ShownState.ADJUSTED, ShownState.UNHEALTHY, ShownState.FAILOVER}
)

# The first of these that either end freshly reports is the state of the leg (api-v3 03-legs 4).
PRECEDENCE = (
    ShownState.DOWN,
    ShownState.REMOVED,
    ShownState.HANDSHAKING,
    ShownState.TESTING,
    ShownState.UNHEALTHY,
    ShownState.ADJUSTED,
    ShownState.FAILOVER,
    ShownState.IDLE,
    ShownState.UP,
)
_RANK = {state.value: rank for rank, state in enumerate(PRECEDENCE)}
_UNKNOWN, _OFFLINE = ShownState.UNKNOWN.value, ShownState.OFFLINE.value


def shown_states(
    *, is_offline: bool, bonder: str | None, aggregator: str | None
) -> tuple[str, str, str]:
    """Return the state of a leg, and what its bonder and its aggregator show of it.

    `bonder` and `aggregator` are what they reported, None if that is too old to count.
    """
    if is_offline:
        return _OFFLINE, _OFFLINE, _OFFLINE
    one, other = bonder or _UNKNOWN, aggregator or _UNKNOWN
    first = one if _RANK.get(one, len(_RANK)) <= _RANK.get(other, len(_RANK)) else other
    return (first if first in _RANK else _UNKNOWN), one, other


def is_interface(name: str) -> bool:
    """Report whether `name` can be a network interface of a leg or a connected IP."""
    if not INTERFACE.fullmatch(name) or len(name) > INTERFACE_LENGTH:
        return False
    device, _, vlan = name.partition(".")
    return device != "lo" and not name.startswith(OWN_PREFIXES) and int(vlan or 1) <= LAST_VLAN


def faults_of_static(*, ip: str, prefix: int, gateway: str) -> dict[str, list[str]]:
    """Return what is wrong with the addresses of a static leg (api-v3 03-legs 2)."""
    network = IPv4Network(f"{ip}/{prefix}", strict=False)
    faults: dict[str, list[str]] = {}
    if is_refused(IPv4Network(ip)):
        faults["ip"] = [NOT_A_HOST]
    elif is_edge(IPv4Address(ip), network):
        faults["ip"] = [NETWORK_ADDRESS]
    fault = _fault_of_gateway(IPv4Address(gateway), IPv4Address(ip), network)
    return faults | ({"gateway": [fault]} if fault else {})


def is_edge(address: IPv4Address, network: IPv4Network) -> bool:
    """Report whether it is the network or broadcast address; /31 and /32 have none."""
    return network.prefixlen < 31 and address in (network[0], network[-1])


def default_port(leg_id: int) -> int | None:
    """Return 2000 + id, or None where that is no port and one must be found."""
    port = FIRST_PORT + leg_id
    return port if port <= LAST_PORT else None


def lowest_free_port(taken: set[int]) -> int:
    """Return the lowest port from 2000 that is not taken. Raises StopIteration if all are."""
    return next(port for port in range(FIRST_PORT, LAST_PORT + 1) if port not in taken)


def _fault_of_gateway(gateway: IPv4Address, ip: IPv4Address, network: IPv4Network) -> str:
    if gateway == ip:
        return GATEWAY_IS_SELF
    if gateway not in network:
        return GATEWAY_OUTSIDE.format(network=network)
    return NETWORK_ADDRESS if is_edge(gateway, network) else ""

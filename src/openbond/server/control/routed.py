"""Which networks of a bond the aggregator routes, and which may come out of its tunnel. Pure.

Rules: behaviour 5.1 to 5.4; api-v3 04-routing 1.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from openbond.server.bonds.models import AggRouting, ConnectedIP, CpeNatIP, Route
from openbond.server.system.addresses import Network, is_private


# An aggregator's config has some hundred networks, each looked at several times, and nearly all of
# them as they were at its last change.
@lru_cache(maxsize=1 << 16)
def _network(text: str) -> Network:
    return ip_network(text)


@lru_cache(maxsize=1 << 16)
def _is_private(text: str) -> bool:
    return is_private(_network(text))


def networks_of(
    connected_ips: Iterable[ConnectedIP],
    routes: Iterable[Route],
    cpe_nat_ips: Iterable[CpeNatIP],
    *,
    private_wan: bool,
) -> list[str]:
    """Return the networks that core and tunnel reach each other by, in order of address.

    What takes part in a private WAN is not among them: no packet of the core enters it (§5.8).
    """
    objects = _in_force(list(connected_ips), routes)
    routed = [
        row.network
        for row in objects
        if _is_routed(row) and not (private_wan and row.include_private_wan)
    ]
    return _in_order([*routed, *_hosts(cpe_nat_ips)])


def private_networks_of(
    connected_ips: Iterable[ConnectedIP], routes: Iterable[Route], *, is_source: bool = False
) -> list[str]:
    """Return the networks of a bond that take part in its space's private WAN.

    `is_source`: also those that nobody is to reach by the aggregator; they may still send.
    """
    objects = _in_force(list(connected_ips), routes)
    return _in_order(
        row.network
        for row in objects
        if row.include_private_wan and (is_source or row.agg_routing != AggRouting.NEVER)
    )


def sources_of(
    connected_ips: Iterable[ConnectedIP],
    routes: Iterable[Route],
    cpe_nat_ips: Iterable[CpeNatIP],
) -> list[str]:
    """Return the networks whose addresses may come out of the tunnel: all enabled ones."""
    objects = _in_force(list(connected_ips), routes)
    return _in_order([*(row.network for row in objects), *_hosts(cpe_nat_ips)])


def is_loaded(route: Route, connected_ips: Iterable[ConnectedIP]) -> bool:
    """Report whether a route is in force: enabled, and its gateway in an enabled connected IP."""
    gateway = ip_address(route.gateway)
    return route.enabled and any(
        row.enabled and gateway in _network(row.network) for row in connected_ips
    )


def cpe_nat_network(row: CpeNatIP, connected_ips: Iterable[ConnectedIP]) -> str | None:
    """Return the network that a CPE NAT IP serves: the longest that holds its destination."""
    destination = ip_address(row.dest_nat_ip)
    holding = [
        network
        for network in (_network(connected.network) for connected in connected_ips)
        if destination in network
    ]
    return str(max(holding, key=lambda network: network.prefixlen)) if holding else None


def _is_routed(row: ConnectedIP | Route) -> bool:
    if row.agg_routing == AggRouting.AUTO:
        return not _is_private(row.network)
    return row.agg_routing == AggRouting.ALWAYS


def _in_force(
    connected_ips: list[ConnectedIP], routes: Iterable[Route]
) -> list[ConnectedIP | Route]:
    enabled: list[ConnectedIP | Route] = [row for row in connected_ips if row.enabled]
    return [*enabled, *(row for row in routes if is_loaded(row, connected_ips))]


def _hosts(cpe_nat_ips: Iterable[CpeNatIP]) -> list[str]:
    return [f"{row.ip}/32" for row in cpe_nat_ips if row.enabled]


def _in_order(networks: Iterable[str]) -> list[str]:
    def rank(network: Network) -> tuple[int, int, int]:
        return network.version, int(network.network_address), network.prefixlen

    return [str(network) for network in sorted({_network(text) for text in networks}, key=rank)]

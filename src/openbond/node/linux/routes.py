"""Routes of our own protocol numbers; routes of others are never looked at."""

from ipaddress import ip_address, ip_network

from openbond.node.plan.numbers import FALLBACK_PROTOCOL, PROTOCOL
from openbond.node.plan.values import IpNetwork, Route

from .links import index_of
from .netlink import Kernel, Message, explained

OURS = (PROTOCOL, FALLBACK_PROTOCOL)
FAMILIES = {2: 4, 10: 6}
ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


def observe_routes(kernel: Kernel, names: dict[int, str]) -> frozenset[Route]:
    """Return our routes of all tables. `names`: interfaces by number."""
    found = set()
    for family in FAMILIES:
        for message in kernel.get_routes(family=family):
            if message["proto"] in OURS:
                found.add(_route(message, names))
    return frozenset(found)


def _route(message: Message, names: dict[int, str]) -> Route:
    network = _network(message)
    is_way = message["type"] == 1  # RTN_UNICAST
    gateway, source = message.get_attr("RTA_GATEWAY"), message.get_attr("RTA_PREFSRC")
    return Route(
        network=network,
        table=message.get_attr("RTA_TABLE"),
        # An IPv6 "unreachable" names the loopback interface; that says nothing.
        interface=names.get(message.get_attr("RTA_OIF")) if is_way else None,
        gateway=ip_address(gateway) if gateway else None,
        source=ip_address(source) if source else None,
        metric=message.get_attr("RTA_PRIORITY") or 0,
        protocol=message["proto"],
    )


def _network(message: Message) -> IpNetwork:
    destination = message.get_attr("RTA_DST")
    if destination is None:
        return ip_network(ANYWHERE[FAMILIES[message["family"]]])
    return ip_network(f"{destination}/{message['dst_len']}")


def add_route(kernel: Kernel, route: Route) -> None:
    """Raises Refused, NotPrivileged."""
    with explained():
        kernel.route("add", **_arguments(route))


def replace_route(kernel: Kernel, route: Route) -> None:
    """Put the route in the place of ours with the same key. Raises Refused, NotPrivileged."""
    with explained():
        kernel.route("replace", **_arguments(route))


def delete_route(kernel: Kernel, route: Route) -> None:
    with explained(gone_is_fine=True):
        arguments = _arguments(route)
        kernel.route("del", **arguments)


def _arguments(route: Route) -> dict[str, object]:
    found: dict[str, object] = {
        "dst": str(route.network),
        "family": 2 if route.network.version == 4 else 10,
        "table": route.table,
        "proto": route.protocol,
    }
    if route.metric:
        found["priority"] = route.metric
    if route.gateway is not None:
        found["gateway"] = str(route.gateway)
    if route.source is not None:
        found["prefsrc"] = str(route.source)
    if route.interface is None:
        return {**found, "type": "unreachable"}
    found["oif"] = index_of(route.interface)
    # A route without a gateway leads straight onto the network.
    return found if route.gateway is not None else {**found, "scope": "link"}


def has_default_route(text: str) -> bool:
    """Report whether the main table, as /proc/net/route shows it, leads anywhere else."""
    rows = (line.split() for line in text.splitlines()[1:])
    return any(len(row) > 7 and row[1] == "00000000" and row[7] == "00000000" for row in rows)

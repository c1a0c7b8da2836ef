"""What an aggregator shall have towards the core: the networks of its bonds (behaviour 5.7)."""

from ipaddress import ip_network

from openbond.wire.config import BondConfig

from .facts import Facts
from .numbers import FALLBACK_METRIC, FALLBACK_PROTOCOL, IPV6_METRIC, device_of
from .values import Route
from .wishes import Wishes


def wish_core(wishes: Wishes, bond: BondConfig, facts: Facts) -> None:
    """Wish for the routes into the tunnel; withdrawn ones answer "unreachable" instead."""
    about, table = f"bond {bond.id}", facts.machine.route_table
    for text in bond.networks:
        network = ip_network(text)
        # Never back to the core when the tunnel is gone: that would be a loop.
        wishes.route(
            Route(network, table, metric=FALLBACK_METRIC, protocol=FALLBACK_PROTOCOL), about
        )
        if bond.id not in facts.withdrawn:
            metric = IPV6_METRIC if network.version == 6 else 0
            protocol = facts.machine.protocol
            route = Route(network, table, device_of(bond.id), metric=metric, protocol=protocol)
            wishes.route(route, about)

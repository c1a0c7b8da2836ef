"""Stand in for the operator's routing daemon: the core learns what an aggregator routes into bonds.

A real core hears of a bond's networks by OSPF or BGP from the current aggregator (behaviour 5.7).
Until the lab runs such a daemon this program watches the aggregators' kernel routes and keeps the
core's in step: one route per network, towards the aggregator that holds it. While two hold it, the
one that had it keeps it, so a move has no gap. Run as

    python -m openbond.lab.core_routes --core NAMESPACE --aggregator NAMESPACE=ADDRESS ...
"""

import argparse
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import msgspec
from msgspec import Struct

from .errors import LabError
from .netns import Namespace

TUNNELS = IPv4Network("240.0.0.0/4")
PROTOCOL = "186"  # the kernel's number for BGP: these routes stand for what BGP would bring
SETTLE = 0.05  # one apply changes several routes; look once they are all there
LOOK_ANYWAY = 5.0


class KernelRoute(Struct, frozen=True, kw_only=True):
    """The part of `ip -j route` that matters here."""

    dst: str
    dev: str = ""
    gateway: str = ""
    scope: str = "global"
    type: str = "unicast"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the core's routes, spelled as an operator would; `via` is empty to delete."""

    network: str
    via: str

    def words(self) -> list[str]:
        if not self.via:
            return ["route", "delete", self.network, "proto", PROTOCOL]
        return ["route", "replace", self.network, "via", self.via, "proto", PROTOCOL]


def plan_core_routes(
    *, announced: Mapping[str, Sequence[str]], held: Mapping[str, str]
) -> list[Step]:
    """Return the steps from the core's routes to what the aggregators announce.

    `announced`: aggregator address to networks; `held`: network to aggregator address.
    """
    wanted: dict[str, str] = {}
    for address, networks in announced.items():
        for network in networks:
            if network not in wanted or held.get(network) == address:
                wanted[network] = address
    changed = [Step(network, via) for network, via in wanted.items() if held.get(network) != via]
    withdrawn = [Step(network, "") for network in held if network not in wanted]
    return [*changed, *withdrawn]


def networks_behind_bonds(routes: Sequence[KernelRoute]) -> list[str]:
    """Return the networks that an aggregator routes into its bonds' TUN devices, in order."""
    into_bonds = {
        route.dst
        for route in routes
        if route.dev.startswith("tun") and route.type == "unicast" and not _is_tunnel_own(route)
    }
    return sorted(into_bonds)


def _is_tunnel_own(route: KernelRoute) -> bool:
    return ":" in route.dst or IPv4Network(route.dst).subnet_of(TUNNELS)


class CoreRoutes:
    """Keeps the core of one lab in step with its aggregators."""

    def __init__(self, core: Namespace, aggregators: Mapping[str, Namespace]) -> None:
        self._core = core
        self._aggregators = aggregators

    def turn(self) -> None:
        """Look once and change what differs. Raises LabError when a step fails."""
        announced = {
            address: networks_behind_bonds(_routes(namespace, "table", "main"))
            for address, namespace in self._aggregators.items()
        }
        held = {route.dst: route.gateway for route in _routes(self._core, "proto", PROTOCOL)}
        for step in plan_core_routes(announced=announced, held=held):
            self._core.ip(*step.words())
            print(" ".join(step.words()), flush=True)


def _routes(namespace: Namespace, *words: str) -> list[KernelRoute]:
    shown = namespace.ip("-4", "-j", "route", "show", *words)
    return msgspec.json.decode(shown or "[]", type=list[KernelRoute])


def main() -> None:
    parser = argparse.ArgumentParser(prog="openbond.lab.core_routes", description=__doc__)
    parser.add_argument("--core", required=True, metavar="NAMESPACE")
    parser.add_argument("--aggregator", action="append", required=True, metavar="NAMESPACE=ADDRESS")
    chosen = parser.parse_args()
    pairs = (word.partition("=") for word in chosen.aggregator)
    core_routes = CoreRoutes(
        Namespace(chosen.core), {address: Namespace(name) for name, _, address in pairs}
    )
    monitors = [
        subprocess.Popen(["ip", "-n", name, "monitor", "route"], stdout=subprocess.PIPE)
        for name, _, _ in (word.partition("=") for word in chosen.aggregator)
    ]
    while True:
        try:
            core_routes.turn()
        except LabError as trouble:
            print(trouble, file=sys.stderr, flush=True)
        _wait_for_change([monitor.stdout.fileno() for monitor in monitors if monitor.stdout])


def _wait_for_change(monitors: list[int]) -> None:
    """Return when a route changed somewhere, or after a while all the same."""
    ready, _, _ = select.select(monitors, [], [], LOOK_ANYWAY)
    time.sleep(SETTLE)
    for monitor in ready:
        os.read(monitor, 65_536)


if __name__ == "__main__":
    main()

"""How an aggregator tells the core of its bonds' networks, as bonding.conf says (behaviour 5.7).

    routing = bgp                                  routing = ospf
    bgp_as = 64512                                 ospf_interfaces = eth0, eth1
    bgp_neighbors = 192.0.2.1 as 64500, ...        ospf_area = 0.0.0.0

Without `routing`, or with `static`, nobody is told: the core has static routes, or a routing daemon
of the operator's own takes routes of protocol 201 from the kernel's table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address

from .errors import NodeError

BACKBONE = "0.0.0.0"  # noqa: S104
NAMES = ("routing", "bgp_as", "bgp_neighbors", "ospf_interfaces", "ospf_area")
AS_MOST = 2**32 - 1
_NEIGHBOR = re.compile(r"(\S+)\s+as\s+(\d+)")
_INTERFACE = re.compile(r"[A-Za-z0-9_.:-]{1,15}")


class RoutingKind(StrEnum):
    STATIC = "static"
    OSPF = "ospf"
    BGP = "bgp"


@dataclass(frozen=True, slots=True)
class BgpNeighbor:
    ip: IPv4Address
    number: int  # of its autonomous system


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    kind: RoutingKind = RoutingKind.STATIC
    number: int = 0  # of our autonomous system
    neighbors: tuple[BgpNeighbor, ...] = ()
    interfaces: tuple[str, ...] = ()
    area: str = BACKBONE


class BadRouting(NodeError):
    """A line of bonding.conf about routing is not what it should be."""


def read_routing(lines: Mapping[str, str]) -> RoutingSettings:
    """Return what the lines of bonding.conf say. Raises BadRouting that names the line."""
    word = lines.get("routing", RoutingKind.STATIC)
    if word not in list(RoutingKind):
        kinds = ", ".join(RoutingKind)
        raise BadRouting(f"routing = {word}: it is one of {kinds}.")
    kind = RoutingKind(word)
    if kind is RoutingKind.BGP:
        neighbors = tuple(_neighbor(text) for text in _words(lines, "bgp_neighbors"))
        number = _number(lines.get("bgp_as", ""), "bgp_as")
        return RoutingSettings(kind, number=number, neighbors=neighbors)
    if kind is RoutingKind.OSPF:
        area = str(_address(lines.get("ospf_area", BACKBONE), "ospf_area"))
        interfaces = tuple(_interface(text) for text in _words(lines, "ospf_interfaces"))
        return RoutingSettings(kind, interfaces=interfaces, area=area)
    return RoutingSettings()


def _words(lines: Mapping[str, str], name: str) -> list[str]:
    words = [word.strip() for word in lines.get(name, "").split(",")]
    if not all(words):
        raise BadRouting(f"routing = {lines['routing']} needs a line `{name} = …`.")
    return words


def _neighbor(text: str) -> BgpNeighbor:
    found = _NEIGHBOR.fullmatch(text)
    if found is None:
        raise BadRouting(
            f"bgp_neighbors: {text!r} is no neighbor: write for example 192.0.2.1 as 64500."
        )
    return BgpNeighbor(_address(found[1], "bgp_neighbors"), _number(found[2], "bgp_neighbors"))


def _number(text: str, name: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= AS_MOST:
        raise BadRouting(f"{name}: {text!r} is no AS number (1 to {AS_MOST}).")
    return int(text)


def _address(text: str, name: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError as error:
        raise BadRouting(f"{name}: {text!r} is no IPv4 address.") from error


def _interface(text: str) -> str:
    if not _INTERFACE.fullmatch(text):
        raise BadRouting(f"ospf_interfaces: {text!r} is no name of an interface.")
    return text


NOBODY_IS_TOLD = RoutingSettings()

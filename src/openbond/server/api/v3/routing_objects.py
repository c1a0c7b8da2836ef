"""How connected IPs, CPE NAT IPs and routes look, below a bond and inside it (04-routing.md)."""

from collections.abc import Iterable
from typing import Any

from openbond.server.api import values
from openbond.server.api.links import Links
from openbond.server.api.resource import Shown
from openbond.server.bonds.rules.routing import Edges, serving_prefix
from openbond.server.system.shown_times import shown_times

TIMES = shown_times("created", "modified")
CONNECTED_IP_COLUMNS = [
    "id",
    "bond_id",
    "interface",
    "ip",
    "prefix",
    "network",
    "enabled",
    "include_private_wan",
    "agg_routing",
    "note",
]
CPE_NAT_IP_COLUMNS = [
    "id",
    "bond_id",
    "ip",
    "dest_nat_ip",
    "dest_nat_ip_key",
    "enabled",
    "note",
]
ROUTE_COLUMNS = [
    "id",
    "bond_id",
    "network",
    "gateway",
    "interface",
    "enabled",
    "include_private_wan",
    "agg_routing",
    "note",
]


def connected_ip(row: dict[str, Any], links: Links) -> Shown:
    return {
        "id": row["id"],
        "url": links.bond(row["bond_id"], "connected_ips", row["id"]),
        "bond": links.to("bonds", row["bond_id"]),
        "interface": row["interface"],
        "ip": row["ip"],
        "netmask": values.netmask(row["prefix"], is_ipv6=":" in row["ip"]),
        "network": row["network"],
        "enabled": row["enabled"],
        "include_private_wan": row["include_private_wan"],
        "agg_routing": row["agg_routing"],
        "note": row["note"],
        "created": row["shown_created"],
        "modified": row["shown_modified"],
    }


def cpe_nat_ip(row: dict[str, Any], links: Links, networks: Iterable[Edges]) -> Shown:
    """`networks` are the connected ones of the bond; the netmask shown is of the one served."""
    prefix = serving_prefix(row["dest_nat_ip_key"], networks)
    return {
        "id": row["id"],
        "url": links.bond(row["bond_id"], "cpe_nat_ips", row["id"]),
        "bond": links.to("bonds", row["bond_id"]),
        "ip": row["ip"],
        "dest_nat_ip": row["dest_nat_ip"],
        "dest_nat_netmask": _dotted(prefix),
        "enabled": row["enabled"],
        "note": row["note"],
        "created": row["shown_created"],
        "modified": row["shown_modified"],
    }


def route(row: dict[str, Any], links: Links) -> Shown:
    _, _, prefix = row["network"].partition("/")
    return {
        "id": row["id"],
        "url": links.bond(row["bond_id"], "routes", row["id"]),
        "bond": links.to("bonds", row["bond_id"]),
        "network": row["network"],
        "netmask": values.netmask(int(prefix), is_ipv6=":" in row["network"]),
        "gateway": row["gateway"],
        "interface": row["interface"],
        "enabled": row["enabled"],
        "include_private_wan": row["include_private_wan"],
        "agg_routing": row["agg_routing"],
        "note": row["note"],
        "created": row["shown_created"],
        "modified": row["shown_modified"],
    }


def _dotted(prefix: int | None) -> str:
    # A destination that lost its connected network cannot be made (R7); /32 says "itself alone".
    return values.netmask(32 if prefix is None else prefix)

"""How bonds look, with their bonder, legs and routing objects inside (02-bonds.md, 1)."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

from django.db.models import QuerySet

from openbond.server.api import values
from openbond.server.api.links import Links
from openbond.server.api.resource import Shown
from openbond.server.bonds import selectors
from openbond.server.bonds.models import Bond
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.bonds.rules.routing import Connected, connected
from openbond.server.fleet.rules import hostname, node_status
from openbond.server.system.shown_times import shown_times
from openbond.wire.states import LinkMode

from .leg_objects import COLUMNS as LEG_COLUMNS
from .leg_objects import generic_leg
from .routing_objects import (
    CONNECTED_IP_COLUMNS,
    CPE_NAT_IP_COLUMNS,
    ROUTE_COLUMNS,
    connected_ip,
    cpe_nat_ip,
    route,
)

OWN = ["note", "circuit_id", "product", "proof_of_concept"]
TUNNEL = [
    "compression",
    "clamp_tcp",
    "packet_distribution",
    "reorder_max_hold",
    "flow_collision_detection",
    "tunnel_security",
    "encryption_cipher",
    "encryption_handshake_interval",
    "automatic_ping_timing",
    "ping_interval",
    "ping_timeout",
]
ADAPTATION = ["tcp_proxy", "tcp_proxy_ports", "bandwidth_adaptation", "packet_loss_detection"]
TUNING = ["flap_detection", "flap_threshold", "flap_window", "automatic_tuning", "auto_accept"]
REPORT = [
    "report__download_rate",
    "report__upload_rate",
    "report__reported",
    "report__alarms",
]
BONDER = ["name", "key", "serial_number", "asset_tag", "version", "last_connected"]
COLUMNS = [
    "id",
    "bonder_id",
    "space_id",
    "space__name",
    "aggregator_id",
    "secondary_aggregator_id",
    "current_aggregator_id",
    "qos_profile_id",
    "tunnel_number",
    "packet_loss_threshold_permille",
    *OWN,
    *TUNNEL,
    *ADAPTATION,
    *TUNING,
    *REPORT,
    "tuning_in_progress",
    *(f"bonder__{name}" for name in BONDER),
]

Below = dict[int, list[Shown]]


@dataclass(frozen=True, slots=True)
class Showing:
    """What bonds are shown with: the client's addresses, the time, and how old reports may be."""

    links: Links
    now: datetime
    timeout_seconds: int
    since: datetime


def bond_objects(rows: QuerySet[Bond], showing: Showing) -> list[Shown]:
    """Return bonds in the order of `rows`: five queries, however many there are."""
    bonds = list(rows.values(*COLUMNS, **shown_times("created", "modified")))
    inside = _Inside([bond["id"] for bond in bonds], showing)
    return [_bond(bond, inside, showing) for bond in bonds]


class _Inside:
    """What stands inside bonds, read at once for all of them."""

    def __init__(self, bond_ids: Sequence[int], showing: Showing) -> None:
        links = showing.links
        parts = selectors.parts_of_bonds(bond_ids)
        times = shown_times("created", "modified")
        addresses = list(parts.connected_ips.values(*CONNECTED_IP_COLUMNS, **times))
        translated = list(parts.cpe_nat_ips.values(*CPE_NAT_IP_COLUMNS, **times))
        networks = _networks(addresses, {row["bond_id"] for row in translated})
        self._legs = _by_bond(
            parts.legs.values(*LEG_COLUMNS, **times),
            lambda row: generic_leg(row, links, since=showing.since),
        )
        self._connected_ips = _by_bond(addresses, lambda row: connected_ip(row, links))
        self._cpe_nat_ips = _by_bond(
            translated,
            lambda row: cpe_nat_ip(row, links, networks[row["bond_id"]]),
        )
        self._routes = _by_bond(
            parts.routes.values(*ROUTE_COLUMNS, **times), lambda row: route(row, links)
        )

    def of(self, bond_id: int) -> Shown:
        return {
            "leg_list": self._legs[bond_id],
            "connectedips": self._connected_ips[bond_id],
            "cpenatips": self._cpe_nat_ips[bond_id],
            "routes": self._routes[bond_id],
        }


def _networks(
    addresses: Iterable[dict[str, Any]], bond_ids: Container[int]
) -> dict[int, list[Connected]]:
    """Return the connected networks of the bonds that translate into them, parsed."""
    found: dict[int, list[Connected]] = defaultdict(list)
    for row in addresses:
        if row["bond_id"] in bond_ids:
            found[row["bond_id"]].append(
                connected(interface=row["interface"], ip=row["ip"], prefix=row["prefix"])
            )
    return found


def _by_bond(rows: Iterable[dict[str, Any]], show: Callable[[dict[str, Any]], Shown]) -> Below:
    below: Below = defaultdict(list)
    for row in rows:
        below[row["bond_id"]].append(show(row))
    return below


def _bond(row: dict[str, Any], inside: _Inside, showing: Showing) -> Shown:
    below = inside.of(row["id"])
    return (
        _identity(row, showing)
        | _aggregators(row, showing.links)
        | {name: row[name] for name in TUNNEL}
        | {name: row[name] for name in ADAPTATION}
        | {"packet_loss_threshold": values.percent(row["packet_loss_threshold_permille"])}
        | {name: row[name] for name in TUNING}
        | _state(row, below["leg_list"], showing)
        | below
        | {"created": row["shown_created"], "modified": row["shown_modified"]}
    )


def _identity(row: dict[str, Any], showing: Showing) -> Shown:
    links = showing.links
    return {
        "id": row["id"],
        "url": links.to("bonds", row["id"]),
        "name": row["bonder__name"],
        "bonder": _bonder(row, showing),
        "space": links.to("spaces", row["space_id"]),
        **{name: row[name] for name in OWN},
        "hostname": hostname(space_name=row["space__name"], node_name=row["bonder__name"]),
    }


def _bonder(row: dict[str, Any], showing: Showing) -> Shown:
    heard = row["bonder__last_connected"]
    status = node_status(
        last_connected=heard, timeout_seconds=showing.timeout_seconds, now=showing.now
    )
    return {
        "id": row["bonder_id"],
        "url": showing.links.to("bonders", row["bonder_id"]),
        "name": row["bonder__name"],
        "key": row["bonder__key"],
        "serial_number": row["bonder__serial_number"],
        "asset_tag": row["bonder__asset_tag"],
        "version": row["bonder__version"],
        "status": status,
        "last_connected": values.time_or_null(heard),
    }


def _state(row: dict[str, Any], legs: Iterable[Shown], showing: Showing) -> Shown:
    reported = row["report__reported"]
    is_fresh = reported is not None and reported >= showing.since
    return {
        "status": _status(row["bonder__last_connected"], legs),
        "download_rate": row["report__download_rate"] if is_fresh else 0,
        "upload_rate": row["report__upload_rate"] if is_fresh else 0,
        "tuning_in_progress": row["tuning_in_progress"],
        "alarms": _alarms(row, legs),
    }


def _alarms(row: dict[str, Any], legs: Iterable[Shown]) -> list[Shown]:
    """Return the open alarms of the bond itself, then those of its legs, with their address."""
    own = [{**alarm, "leg": None} for alarm in values.stored(row["report__alarms"])]
    return own + [{**alarm, "leg": leg["url"]} for leg in legs for alarm in leg["alarms"]]


def _status(last_connected: datetime | None, legs: Iterable[Shown]) -> str:
    """A bond is up while a leg carries customer traffic (02-bonds.md, 1.4)."""
    if last_connected is None:
        return "unknown"
    carries = (leg["state"] in CARRYING and leg["link_mode"] == LinkMode.ACTIVE for leg in legs)
    return "up" if any(carries) else "down"


def _aggregators(row: dict[str, Any], links: Links) -> Shown:
    lower = row["tunnel_number"]
    bonder_ip = str(IPv4Address(lower))
    return {
        "aggregator": links.to("aggregators", row["aggregator_id"]),
        "secondary_aggregator": links.or_null("aggregators", row["secondary_aggregator_id"]),
        "current_aggregator": links.to("aggregators", row["current_aggregator_id"]),
        "qos_profile": links.or_null("qos", row["qos_profile_id"]),
        "tunnel_subnet": f"{bonder_ip}/31",
        "tunnel_bonder_ip": bonder_ip,
        "tunnel_aggregator_ip": str(IPv4Address(lower + 1)),
    }

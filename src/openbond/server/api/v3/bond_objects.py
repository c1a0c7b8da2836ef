"""How bonds look, with their bonder, legs and routing objects inside (02-bonds.md, 1)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from django.db.models import DateTimeField, QuerySet

from openbond.server.api import values
from openbond.server.api.links import Links
from openbond.server.api.resource import Shown
from openbond.server.bonds import selectors
from openbond.server.bonds.models import Bond
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.bonds.rules.routing import Edges
from openbond.server.fleet.rules import hostname
from openbond.server.fleet.selectors import status_of_node
from openbond.server.system.prepared import Given, Prepared, ids_of
from openbond.server.system.shown_times import ShownTime, shown_times
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
    "tcp_proxy",
    "tcp_proxy_ports",
    "bandwidth_adaptation",
    "packet_loss_detection",
]
TUNING = ["flap_detection", "flap_threshold", "flap_window", "automatic_tuning", "auto_accept"]
BONDER = ["name", "key", "serial_number", "asset_tag", "version"]
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
    *TUNING,
    "tuning_in_progress",
    "report__alarms",
    *(f"bonder__{name}" for name in BONDER),
]

TIMES = shown_times("created", "modified")
ACTIVE = LinkMode.ACTIVE.value
SINCE = Given("since", DateTimeField())
BONDS = Prepared(
    selectors.bonds_by_id,
    *COLUMNS,
    **TIMES,
    download_rate=selectors.rate_of_bond("download", since=SINCE),
    upload_rate=selectors.rate_of_bond("upload", since=SINCE),
    heard=ShownTime("bonder__last_connected"),
    bonder_status=status_of_node(since=SINCE, path="bonder__"),
)
LEGS = Prepared(
    selectors.legs_of_bonds, *LEG_COLUMNS, **TIMES, **selectors.fresh_states(since=SINCE)
)
CONNECTED_IPS = Prepared(
    selectors.connected_ips_of_bonds, *CONNECTED_IP_COLUMNS, "first", "last", **TIMES
)
CPE_NAT_IPS = Prepared(selectors.cpe_nat_ips_of_bonds, *CPE_NAT_IP_COLUMNS, **TIMES)
ROUTES = Prepared(selectors.routes_of_bonds, *ROUTE_COLUMNS, **TIMES)

_tunnel, _tuning = itemgetter(*TUNNEL), itemgetter(*TUNING)
T = TypeVar("T")


def bond_objects(rows: QuerySet[Bond], links: Links, *, since: datetime) -> list[Shown]:
    """Return bonds in the order of `rows`: six queries, however many there are.

    Reports from before `since` are too old to count.
    """
    bond_ids = list(rows.values_list("pk", flat=True))
    ids = ids_of(bond_ids)
    found = {row["id"]: row for row in BONDS.run(bond_ids=ids, since=since)}
    inside = _Inside(ids, links, since)
    return [_bond(found[one], inside, links) for one in bond_ids if one in found]


class _Inside:
    """What stands inside bonds, read at once for all of them."""

    def __init__(self, ids: str, links: Links, since: datetime) -> None:
        addresses = CONNECTED_IPS.run(bond_ids=ids)
        networks = _by_bond(addresses, lambda row: Edges(row["first"], row["last"], row["prefix"]))
        self._legs = _by_bond(
            LEGS.run(bond_ids=ids, since=since), lambda row: generic_leg(row, links)
        )
        self._connected_ips = _by_bond(addresses, lambda row: connected_ip(row, links))
        self._cpe_nat_ips = _by_bond(
            CPE_NAT_IPS.run(bond_ids=ids),
            lambda row: cpe_nat_ip(row, links, networks[row["bond_id"]]),
        )
        self._routes = _by_bond(ROUTES.run(bond_ids=ids), lambda row: route(row, links))

    def of(self, bond_id: int) -> Shown:
        return {
            "leg_list": self._legs[bond_id],
            "connectedips": self._connected_ips[bond_id],
            "cpenatips": self._cpe_nat_ips[bond_id],
            "routes": self._routes[bond_id],
        }


def _by_bond(
    rows: Iterable[dict[str, Any]], show: Callable[[dict[str, Any]], T]
) -> dict[int, list[T]]:
    below: dict[int, list[T]] = defaultdict(list)
    for row in rows:
        below[row["bond_id"]].append(show(row))
    return below


def _bond(row: dict[str, Any], inside: _Inside, links: Links) -> Shown:
    below = inside.of(row["id"])
    return {
        **_identity(row, links),
        **_aggregators(row, links),
        **dict(zip(TUNNEL, _tunnel(row), strict=True)),
        "packet_loss_threshold": values.percent(row["packet_loss_threshold_permille"]),
        **dict(zip(TUNING, _tuning(row), strict=True)),
        "status": _status(row["bonder_status"], below["leg_list"]),
        "download_rate": row["download_rate"],
        "upload_rate": row["upload_rate"],
        "tuning_in_progress": row["tuning_in_progress"],
        "alarms": _alarms(row, below["leg_list"]),
        **below,
        "created": row["shown_created"],
        "modified": row["shown_modified"],
    }


def _identity(row: dict[str, Any], links: Links) -> Shown:
    name = row["bonder__name"]
    return {
        "id": row["id"],
        "url": links.to("bonds", row["id"]),
        "name": name,
        "bonder": {
            "id": row["bonder_id"],
            "url": links.to("bonders", row["bonder_id"]),
            "name": name,
            "key": row["bonder__key"],
            "serial_number": row["bonder__serial_number"],
            "asset_tag": row["bonder__asset_tag"],
            "version": row["bonder__version"],
            "status": row["bonder_status"],
            "last_connected": row["heard"],
        },
        "space": links.to("spaces", row["space_id"]),
        "note": row["note"],
        "circuit_id": row["circuit_id"],
        "product": row["product"],
        "proof_of_concept": row["proof_of_concept"],
        "hostname": hostname(space_name=row["space__name"], node_name=name),
    }


def _alarms(row: dict[str, Any], legs: Iterable[Shown]) -> list[Shown]:
    """Return the open alarms of the bond itself, then those of its legs, with their address."""
    own = [{**alarm, "leg": None} for alarm in values.stored(row["report__alarms"])]
    return own + [{**alarm, "leg": leg["url"]} for leg in legs for alarm in leg["alarms"]]


def _status(bonder_status: str, legs: Iterable[Shown]) -> str:
    """A bond is up while a leg carries customer traffic (02-bonds.md, 1.4)."""
    if bonder_status == "unknown":
        return "unknown"
    carries = (leg["state"] in CARRYING and leg["link_mode"] == ACTIVE for leg in legs)
    return "up" if any(carries) else "down"


def _aggregators(row: dict[str, Any], links: Links) -> Shown:
    lower = row["tunnel_number"]
    bonder_ip = values.ipv4(lower)
    return {
        "aggregator": links.to("aggregators", row["aggregator_id"]),
        "secondary_aggregator": links.or_null("aggregators", row["secondary_aggregator_id"]),
        "current_aggregator": links.to("aggregators", row["current_aggregator_id"]),
        "qos_profile": links.or_null("qos", row["qos_profile_id"]),
        "tunnel_subnet": f"{bonder_ip}/31",
        "tunnel_bonder_ip": bonder_ip,
        "tunnel_aggregator_ip": values.ipv4(lower + 1),
    }

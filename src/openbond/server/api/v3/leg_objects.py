"""How legs look: the generic object, and what each type adds (03-legs.md)."""

from typing import Any

from openbond.server.api import values
from openbond.server.api.links import Links
from openbond.server.api.resource import Shown
from openbond.server.bonds.models.legs import DEFAULT_MTU_BYTES
from openbond.server.bonds.rules.legs import shown_states
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.secrets import unseal
from openbond.server.system.shown_times import shown_times
from openbond.wire.states import LegType, LinkMode

# Plain strings: a page compares hundreds.
STATIC, OFFLINE = LegType.STATIC.value, LinkMode.OFFLINE.value
TIMES = shown_times("created", "modified")
COLUMNS = [
    "id",
    "type",
    "bond_id",
    "link_mode",
    "failover",
    "interface",
    "interface_mac",
    "interface_mtu",
    "interface_mode",
    "ip",
    "prefix",
    "gateway",
    "down_kbps",
    "up_kbps",
    "tunnel_port",
    "note",
    "report__interface",
    "report__ip",
    "report__prefix",
    "report__gateway",
    "report__adapted_down_kbps",
    "report__adapted_up_kbps",
    "report__down_mtu",
    "report__up_mtu",
    "report__alarms",
]
TYPE_COLUMNS = {
    LegType.STATIC: [],
    LegType.DHCP: ["report__dhcp_server", "report__lease_obtained", "report__lease_expires"],
    LegType.PPPOE: ["username", "sealed_password", "service_name"],
    LegType.MOBILEBROADBAND: [
        "provider_profile_id",
        "modem",
        "report__imei",
        "report__operator",
        "report__access_technology",
        "report__signal_quality",
    ],
}


def generic_leg(row: dict[str, Any], links: Links) -> Shown:
    """Return the fields that every leg has, of a row with `fresh_states`; `url` is of its type."""
    state, bonder_state, aggregator_state = shown_states(
        is_offline=row["link_mode"] == OFFLINE,
        bonder=row["fresh_bonder_state"],
        aggregator=row["fresh_aggregator_state"],
    )
    # A static leg has the address it was given, any other the one it was lent.
    is_static = row["type"] == STATIC
    prefix = row["prefix"] if is_static else row["report__prefix"]
    return {
        "id": row["id"],
        "url": links.leg(row["bond_id"], row["type"], row["id"]),
        "type": row["type"],
        "bond": links.to("bonds", row["bond_id"]),
        "link_mode": row["link_mode"],
        "failover": row["failover"],
        "state": state,
        "aggregator_state": aggregator_state,
        "bonder_state": bonder_state,
        "interface": row["interface"] or row["report__interface"],
        "interface_mac": row["interface_mac"],
        "interface_mtu": row["interface_mtu"],
        "interface_mode": row["interface_mode"],
        "ip": row["ip"] if is_static else row["report__ip"],
        "netmask": values.netmask_or_null(prefix),
        "gateway": row["gateway"] if is_static else row["report__gateway"],
        "down_speed": values.mbit(row["down_kbps"]),
        "up_speed": values.mbit(row["up_kbps"]),
        "adapted_down_speed": values.mbit_or_null(row["report__adapted_down_kbps"]),
        "adapted_up_speed": values.mbit_or_null(row["report__adapted_up_kbps"]),
        "mtu": _mtu(row["report__down_mtu"], row["report__up_mtu"]),
        "tunnel_port": row["tunnel_port"],
        "alarms": values.stored(row["report__alarms"]),
        "note": row["note"],
        "created": row["shown_created"],
        "modified": row["shown_modified"],
    }


def typed_leg(row: dict[str, Any], links: Links, viewer: Viewer) -> Shown:
    """Return the fields of a leg with those of its type."""
    return generic_leg(row, links) | OF_TYPE[LegType(row["type"])](row, links, viewer)


def _mtu(down: int | None, up: int | None) -> int:
    if down is None or up is None:
        return down or up or DEFAULT_MTU_BYTES
    return min(down, up)


def _nothing(row: dict[str, Any], links: Links, viewer: Viewer) -> Shown:
    return {}


def _of_dhcp(row: dict[str, Any], links: Links, viewer: Viewer) -> Shown:
    return {
        "dhcp_server": row["report__dhcp_server"],
        "lease_obtained": values.time_or_null(row["report__lease_obtained"]),
        "lease_expires": values.time_or_null(row["report__lease_expires"]),
    }


def _of_pppoe(row: dict[str, Any], links: Links, viewer: Viewer) -> Shown:
    shown: Shown = {"username": row["username"]}
    if viewer.can("view_bonder_credentials"):
        shown["password"] = unseal(row["sealed_password"])
    return shown | {"service_name": row["service_name"]}


def _of_mobilebroadband(row: dict[str, Any], links: Links, viewer: Viewer) -> Shown:
    return {
        "provider_profile": links.to("mobileproviderprofiles", row["provider_profile_id"]),
        "modem": row["modem"],
        "imei": row["report__imei"],
        "operator": row["report__operator"],
        "access_technology": row["report__access_technology"],
        "signal_quality": row["report__signal_quality"],
    }


OF_TYPE = {
    LegType.STATIC: _nothing,
    LegType.DHCP: _of_dhcp,
    LegType.PPPOE: _of_pppoe,
    LegType.MOBILEBROADBAND: _of_mobilebroadband,
}

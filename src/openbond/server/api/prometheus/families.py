"""Names of everything at /metrics: base units, as Prometheus' conventions want them."""

from dataclasses import dataclass

from openbond.server.telemetry.rules.series import Told
from openbond.wire.metrics import DROPPED

from .text import Family

_BITS, _KBITS, _MICROSECONDS, _PERMILLE = 1 / 8, 125.0, 1e-6, 1e-3


@dataclass(frozen=True, slots=True)
class Shown:
    """How a series of wire/metrics.py is shown: as what, times what, with which label."""

    family: Family
    factor: float = 1.0
    label: str = ""


def _ways(family: Family, factor: float, *, prefix: str = "") -> dict[str, Shown]:
    return {prefix + way: Shown(family, factor, f'direction="{way}"') for way in ("up", "down")}


_MEAN = "Mean of the last report."
NODE = {
    "load_1": Shown(Family("openbond_node_load1", f"Load average, 1 min. {_MEAN}"), 0.01),
    "load_5": Shown(Family("openbond_node_load5", f"Load average, 5 min. {_MEAN}"), 0.01),
    "load_15": Shown(Family("openbond_node_load15", f"Load average, 15 min. {_MEAN}"), 0.01),
    "cpu": Shown(
        Family("openbond_node_cpu_busy_ratio", f"Busy share of all processors. {_MEAN}"), _PERMILLE
    ),
    "memory": Shown(
        Family("openbond_node_memory_used_ratio", f"Share of memory in use. {_MEAN}"), _PERMILLE
    ),
    "disk": Shown(
        Family("openbond_node_disk_used_ratio", f"Share of the state's disk in use. {_MEAN}"),
        _PERMILLE,
    ),
    "temperature": Shown(
        Family("openbond_node_temperature_celsius", f"Hottest sensor. {_MEAN}"), 0.1
    ),
    "uptime": Shown(Family("openbond_node_uptime_seconds", "Time since the machine started.")),
}
BOND = {
    **_ways(Family("openbond_bond_traffic_bytes_per_second", f"Customer traffic. {_MEAN}"), _BITS),
    "latency": Shown(
        Family("openbond_bond_latency_seconds", f"Round trip over all legs. {_MEAN}"),
        _MICROSECONDS,
    ),
    "latency_deviation": Shown(
        Family("openbond_bond_latency_deviation_seconds", f"Its standard deviation. {_MEAN}"),
        _MICROSECONDS,
    ),
    "late": Shown(
        Family("openbond_bond_late_packets_per_second", "Packets that came after their hold.")
    ),
    "held": Shown(
        Family("openbond_bond_held_packets_per_second", "Packets that waited for an earlier one.")
    ),
}
_DROPPED_PACKETS = Family("openbond_bond_dropped_packets_per_second", "Packets dropped, by reason.")
LEG = {
    **_ways(Family("openbond_leg_traffic_bytes_per_second", f"Outer packets. {_MEAN}"), _BITS),
    **_ways(
        Family("openbond_leg_loss_ratio", f"Share of packets lost. {_MEAN}"),
        _PERMILLE,
        prefix="loss_",
    ),
    **_ways(
        Family("openbond_leg_speed_bytes_per_second", f"Speed in force. {_MEAN}"),
        _KBITS,
        prefix="speed_",
    ),
    "latency": Shown(Family("openbond_leg_latency_seconds", f"Round trip. {_MEAN}"), _MICROSECONDS),
    "jitter": Shown(
        Family("openbond_leg_jitter_seconds", f"Variation of the round trip. {_MEAN}"),
        _MICROSECONDS,
    ),
    "state_changes": Shown(Family("openbond_leg_state_changes_per_second", "Changes of state.")),
    "path_mtu": Shown(Family("openbond_leg_path_mtu_bytes", "Path MTU that was measured.")),
    "signal": Shown(Family("openbond_leg_signal_dbm", f"Signal of the modem. {_MEAN}")),
}


def shown(told: Told, series: str, *, is_leg: bool) -> Shown | None:
    """Return how a series is shown; None for one that is not."""
    if told is Told.NODE:
        return NODE.get(series)
    if is_leg:
        return LEG.get(series)
    if series.startswith(DROPPED):
        return Shown(_DROPPED_PACKETS, 1.0, f'reason="{series.removeprefix(DROPPED)}"')
    return BOND.get(series)


# What the server knows of itself and of the objects.
NODE_CONNECTED = Family("openbond_node_connected", "1 if the node was heard of lately, else 0.")
NODE_LAST_CONTACT = Family(
    "openbond_node_last_contact_timestamp_seconds", "When the node was heard of last."
)
BOND_UP = Family("openbond_bond_up", "1 if a leg carries customer traffic, else 0.")
BOND_INFO = Family("openbond_bond_info", "A bond, its space and the aggregator it runs on.")
LEG_STATE = Family("openbond_leg_state", "1, with the leg's state as a label.")
AGGREGATOR_BONDS = Family("openbond_aggregator_bonds", "Bonds that run on an aggregator.")
UPDATES = Family("openbond_server_config_updates", "Config updates by status.")
TASKS = Family("openbond_server_tasks", "Queued and past tasks by status.")
BUILD = Family("openbond_server_build_info", "Version of the server.")
CPU_SECONDS = Family("process_cpu_seconds_total", "CPU time of this process.", "counter")
MEMORY = Family("process_resident_memory_bytes", "Resident memory of this process.")
OPEN_FILES = Family("process_open_fds", "Open file descriptors of this process.")

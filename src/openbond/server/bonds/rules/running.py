"""On which aggregator a bond runs, and which of its settings do not fit together."""

from collections.abc import Mapping

SAME_AGGREGATOR = "Must differ from the primary aggregator."
IMPATIENT = "Must be at least twice the ping interval of {interval} ms."
TOO_SLOW = "Must be at most half the ping timeout of {timeout} ms."
PORTS_NEEDED = "Give at least one port while the TCP proxy is on."

TUNNEL_PREFIX = 31
TUNNEL_ADDRESSES = 2


def first_aggregator(*, primary: int, primary_failed: bool, secondary: int | None) -> int:
    """Return where a new bond starts; `secondary` is one that has not failed, or None."""
    return secondary if primary_failed and secondary is not None else primary


def aggregator_after_change(
    *,
    current: int,
    old_primary: int,
    old_secondary: int | None,
    primary: int,
    secondary: int | None,
    primary_failed: bool,
) -> int:
    """Return where a bond runs after its aggregators were changed (api-v3 02-bonds, rule 4)."""
    if current == old_primary:
        return primary
    if secondary is not None and secondary == old_secondary:
        return current
    if secondary is not None and primary_failed:
        return secondary
    return primary


def faults_of_bond(
    after: Mapping[str, object],
    *,
    sent: Mapping[str, object],
    aggregator: int,
    secondary: int | None,
    ping_interval: int,
    ping_timeout: int,
) -> dict[str, list[str]]:
    """Return what of a bond's settings does not fit together, on the fields that were sent."""
    faults: dict[str, list[str]] = {}
    if aggregator == secondary:
        field = "secondary_aggregator" if "secondary_aggregator" in sent else "aggregator"
        faults[field] = [SAME_AGGREGATOR]
    if ping_timeout < 2 * ping_interval:
        faults |= _impatience(sent, ping_interval, ping_timeout)
    if after["tcp_proxy"] and not after["tcp_proxy_ports"]:
        field = "tcp_proxy_ports" if "tcp_proxy_ports" in sent else "tcp_proxy"
        faults[field] = [PORTS_NEEDED]
    return faults


def _impatience(
    sent: Mapping[str, object], interval_ms: int, timeout_ms: int
) -> dict[str, list[str]]:
    if "ping_timeout" in sent or "ping_interval" not in sent:
        return {"ping_timeout": [IMPATIENT.format(interval=interval_ms)]}
    return {"ping_interval": [TOO_SLOW.format(timeout=timeout_ms)]}

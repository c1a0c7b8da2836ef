"""Customer bytes per second through a bond, from the daemon's counters. Pure."""

from dataclasses import dataclass

from openbond.node.daemon_messages import StatusAnswer

SENT, RECEIVED = "inner_sent_octets", "inner_received_octets"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the counters of one daemon's life showed at a time (monotonic, s)."""

    started_at_ms: int
    sent: int
    received: int
    at: float


def reading_of(status: StatusAnswer, now: float) -> Reading:
    counters = status.counters
    return Reading(status.started_at_ms, counters.get(SENT, 0), counters.get(RECEIVED, 0), now)


def rates_between(before: Reading | None, after: Reading) -> tuple[int, int] | None:
    """Return bytes per second (received, sent); None over a restart of the daemon."""
    if before is None or before.started_at_ms != after.started_at_ms or after.at <= before.at:
        return None
    seconds = after.at - before.at
    received, sent = after.received - before.received, after.sent - before.sent
    return round(received / seconds), round(sent / seconds)

"""What a tunnel end tells about itself when asked: frozen values (behaviour 2.16)."""

from dataclasses import dataclass

from .counters import DROPPED
from .inbound import Inbound
from .leg_queue import LegQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class LegReport:
    """One leg. Speeds in bit/s, times in seconds, `loss` from 0 to 1; loss and speed are those of
    the direction we send in. `spill_reason` "" says it is a full leg (behaviour 2.7).
    """

    leg_id: int
    state: str
    path_mtu: int
    path_mtu_measured: bool
    smoothed_rtt: float | None
    jitter: float | None
    loss: float | None
    adapted_bps: float | None
    spill_reason: str
    peer: tuple[str, int] | None
    counters: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BondReport:
    inner_mtu: int
    counters: dict[str, int]
    legs: tuple[LegReport, ...]


def leg_report(queue: LegQueue, inbound: Inbound, *, late: int, spill_reason: str) -> LegReport:
    """Return what is known of a leg; `late`: datagrams of it that came after their hold."""
    end = queue.end
    prober = end.dialogue.prober
    return LegReport(
        leg_id=end.id,
        state=end.shown,
        path_mtu=end.path_mtu,
        path_mtu_measured=end.path_mtu_measured,
        smoothed_rtt=end.smoothed_rtt,
        jitter=end.jitter,
        loss=end.send_loss,
        adapted_bps=end.adapted_bps,
        spill_reason=spill_reason,
        peer=end.address,
        counters={
            "sent_datagrams": queue.datagrams,
            "sent_octets": queue.octets,
            "received_datagrams": inbound.datagrams,
            "received_octets": inbound.octets,
            "repaired": queue.repaired,
            "late": late,
            "handshakes": end.session.handshakes,
            "roamings": end.roamings,
            "rtts": prober.rtts,
            "rtt_us": round(prober.rtt_sum * 1e6),
            "rtt_squares": round(prober.rtt_square_sum * 1e9),
            **{DROPPED + why: count for why, count in inbound.drops.items()},
        },
    )

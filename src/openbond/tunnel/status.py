"""What a tunnel end tells about itself when asked: frozen values (behaviour 2.16)."""

from dataclasses import dataclass


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

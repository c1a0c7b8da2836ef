"""Full leg or spill leg: which findings stand against a leg, in words (behaviour 2.7).

    late     over 5 s more than 5 % came after their hold had ended        whole flows only
    lossy    loss exceeds the cleanest leg's by 1 point or more            whole flows only
    far      relative delay over 80 ms                                     whole flows only
    unlike   best leg at least twice as fast, or RTT 50 ms higher          while full ones wait

A leg is full again after 30 s with none of them; late, lossy and far must be below half meanwhile.
The best leg is always full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

LATE_OVER = 0.05
LOSS_OVER = 0.01
FAR_OVER = 0.080
SPEED_RATIO = 2.0
RTT_OVER = 0.050
FULL_AGAIN_AFTER = 30.0


class Use(Enum):
    """What a leg may be given."""

    FULL = auto()  # any packet
    OVERFLOW = auto()  # any packet, while the full legs' queues are long
    FLOWS = auto()  # whole flows, begun while they have been long for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFacts:
    """One eligible leg in our sending direction. None: not known. Bit/s, seconds, 0 to 1."""

    leg_id: int
    bps: float
    rtt: float | None
    delay: float
    loss: float | None
    late: float | None


@dataclass(slots=True)
class _Finding:
    use: Use
    words: str
    clear_since: float | None = None


class Guards:
    """Ask `judge` once a second. `words(leg_id)` is "" for a full leg."""

    def __init__(self) -> None:
        self._against: dict[int, _Finding] = {}

    def judge(self, legs: Sequence[LegFacts], now: float) -> dict[int, Use]:
        """Return what each leg may be given from now on."""
        if not legs:
            return {}
        best = best_leg(legs)
        cleanest = min(leg.loss or 0.0 for leg in legs)
        for leg in legs:
            if leg is best:
                self._against.pop(leg.leg_id, None)
            else:
                self._renew(leg, best, cleanest, now)
        return {leg.leg_id: self._use_of(leg.leg_id) for leg in legs}

    def words(self, leg_id: int) -> str:
        """Return why a leg is a spill leg, as an operator reads it."""
        found = self._against.get(leg_id)
        return found.words if found else ""

    def _use_of(self, leg_id: int) -> Use:
        found = self._against.get(leg_id)
        return found.use if found else Use.FULL

    def _renew(self, leg: LegFacts, best: LegFacts, cleanest: float, now: float) -> None:
        found = _finding(leg, best, cleanest, share=1.0)
        if found is not None:
            self._against[leg.leg_id] = found
            return
        old = self._against.get(leg.leg_id)
        if old is None:
            return
        if _finding(leg, best, cleanest, share=0.5) is not None or old.clear_since is None:
            old.clear_since = now
        elif now >= old.clear_since + FULL_AGAIN_AFTER:
            del self._against[leg.leg_id]


def best_leg(legs: Sequence[LegFacts]) -> LegFacts:
    """Return the fastest of those with loss within a point of the cleanest; ties: lowest RTT."""
    cleanest = min(leg.loss or 0.0 for leg in legs)
    clean = [leg for leg in legs if (leg.loss or 0.0) <= cleanest + LOSS_OVER]
    return min(clean, key=lambda leg: (-leg.bps, leg.rtt or 0.0, leg.leg_id))


def _finding(leg: LegFacts, best: LegFacts, cleanest: float, *, share: float) -> _Finding | None:
    """Return what stands against a leg; `share` scales the limits of late, lossy and far."""
    late, extra_loss = leg.late or 0.0, (leg.loss or 0.0) - cleanest
    if late > LATE_OVER * share:
        return _Finding(Use.FLOWS, f"spill only, {late:.0%} of its packets come too late")
    if leg.loss is not None and extra_loss >= LOSS_OVER * share:
        return _Finding(Use.FLOWS, f"spill only, loses {leg.loss:.1%}")
    if leg.delay > FAR_OVER * share:
        return _Finding(Use.FLOWS, f"spill only, adds {leg.delay * 1000:.0f} ms")
    if best.bps >= SPEED_RATIO * leg.bps:
        return _Finding(
            Use.OVERFLOW, f"spill only, leg {best.leg_id} is {best.bps / leg.bps:.1f} times as fast"
        )
    extra_rtt = (leg.rtt or 0.0) - (best.rtt or 0.0)
    if extra_rtt >= RTT_OVER:
        return _Finding(Use.OVERFLOW, f"spill only, adds {extra_rtt * 1000:.0f} ms of round trip")
    return None

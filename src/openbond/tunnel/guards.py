"""Full leg or spill leg: which findings stand against a leg, in words (behaviour 2.7).

    late     over 5 s more than 5 % came after their hold had ended        whole flows only
    lossy    loss exceeds the cleanest leg's by 2 points or more           whole flows only
    far      relative delay over 80 ms                                     whole flows only
    unlike   best leg at least twice as fast, or RTT 50 ms higher          while full ones wait

A leg is full again after 30 s with none of them; late and far must be below half meanwhile, lossy
below three quarters. The best leg is always full. What repairs carry, and what chance does to a
count, is no finding (ADR 0009).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import sqrt

LATE_OVER = 0.05
LOSS_OVER = 0.02
FAR_OVER = 0.080
SPEED_RATIO = 2.0
RTT_OVER = 0.050
FULL_AGAIN_AFTER = 30.0
# Loss is counted over 10 s (behaviour 2.13). Of a quiet leg that is 100 datagrams, of which chance
# takes several: a finding is what a leg with half that loss shows once in thousands of windows.
LOSS_WINDOW = 10.0
LOST_LEAST = 3
BEYOND_CHANCE = 4.0  # standard deviations


class Use(Enum):
    """What a leg may be given."""

    FULL = auto()  # any packet
    OVERFLOW = auto()  # any packet, while the full legs' queues are long
    FLOWS = auto()  # whole flows, begun while they have been long for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFacts:
    """One eligible leg in our sending direction. None: not known. Bit/s, seconds, 0 to 1; `sent`:
    datagrams since the start.
    """

    leg_id: int
    bps: float
    rtt: float | None
    delay: float
    loss: float | None
    late: float | None
    sent: int = 0

    @property
    def is_bad(self) -> bool:
        """Say whether something may be found against the leg alone, whatever the others do."""
        loses = (self.loss or 0.0) >= LOSS_OVER
        return loses or (self.late or 0.0) > LATE_OVER or self.delay > FAR_OVER


@dataclass(slots=True)
class _Finding:
    use: Use
    words: str
    clear_since: float | None = None


class Guards:
    """Ask `judge` once a second. `words(leg_id)` is "" for a full leg."""

    def __init__(self) -> None:
        # Late, lossy or far; and, apart from that, unlike: each ends in its own time.
        self._bad: dict[int, _Finding] = {}
        self._unlike: dict[int, _Finding] = {}
        self._sent: dict[int, deque[tuple[float, int]]] = {}  # leg -> when, datagrams until then

    def judge(self, legs: Sequence[LegFacts], now: float) -> dict[int, Use]:
        """Return what each leg may be given from now on."""
        if not legs:
            return {}
        for leg in legs:
            self._count(leg, now)
        best = best_leg(legs)
        cleanest = min(leg.loss or 0.0 for leg in legs)
        for leg in legs:
            if leg is best:
                self._bad.pop(leg.leg_id, None)
                self._unlike.pop(leg.leg_id, None)
                continue
            found = self._badness(leg, cleanest)
            is_clear = self._badness(leg, cleanest, is_clearing=True) is None
            _renew(self._bad, leg.leg_id, found, now, is_clear=is_clear)
            unlike = _unlikeness(leg, best)
            _renew(self._unlike, leg.leg_id, unlike, now, is_clear=unlike is None)
        return {leg.leg_id: self._use_of(leg.leg_id) for leg in legs}

    def words(self, leg_id: int) -> str:
        """Return why a leg is a spill leg, as an operator reads it."""
        found = self._against(leg_id)
        return found.words if found else ""

    def _use_of(self, leg_id: int) -> Use:
        found = self._against(leg_id)
        return found.use if found else Use.FULL

    def _against(self, leg_id: int) -> _Finding | None:
        return self._bad.get(leg_id) or self._unlike.get(leg_id)

    def _count(self, leg: LegFacts, now: float) -> None:
        counts = self._sent.setdefault(leg.leg_id, deque())
        counts.append((now, leg.sent))
        while now - counts[0][0] > LOSS_WINDOW:
            counts.popleft()

    def _is_lossy(self, leg: LegFacts, cleanest: float, limit: float) -> bool:
        if leg.loss is None or leg.loss - cleanest < limit:
            return False
        sent = leg.sent - self._sent[leg.leg_id][0][1]
        by_chance = sent * (cleanest + limit / 2)
        return sent * leg.loss >= max(LOST_LEAST, by_chance + BEYOND_CHANCE * sqrt(by_chance))

    def _badness(
        self, leg: LegFacts, cleanest: float, *, is_clearing: bool = False
    ) -> _Finding | None:
        """Return what stands against a leg; lower limits hold for one that is about to clear."""
        share = 0.5 if is_clearing else 1.0
        late = leg.late or 0.0
        if late > LATE_OVER * share:
            return _Finding(Use.FLOWS, f"spill only, {late:.0%} of its packets come too late")
        if self._is_lossy(leg, cleanest, LOSS_OVER * (0.75 if is_clearing else 1.0)):
            return _Finding(Use.FLOWS, f"spill only, loses {leg.loss:.1%}")
        if leg.delay > FAR_OVER * share:
            return _Finding(Use.FLOWS, f"spill only, adds {leg.delay * 1000:.0f} ms")
        return None


def _renew(
    findings: dict[int, _Finding],
    leg_id: int,
    found: _Finding | None,
    now: float,
    *,
    is_clear: bool,
) -> None:
    """Take what was found now, or end what was found before once it has been clear for a while."""
    if found is not None:
        findings[leg_id] = found
        return
    old = findings.get(leg_id)
    if old is None:
        return
    if not is_clear or old.clear_since is None:
        old.clear_since = now
    elif now >= old.clear_since + FULL_AGAIN_AFTER:
        del findings[leg_id]


def best_leg(legs: Sequence[LegFacts]) -> LegFacts:
    """Return the fastest of those with loss within 2 points of the cleanest; ties: lowest RTT."""
    cleanest = min(leg.loss or 0.0 for leg in legs)
    clean = [leg for leg in legs if (leg.loss or 0.0) <= cleanest + LOSS_OVER]
    return min(clean, key=lambda leg: (-leg.bps, leg.rtt or 0.0, leg.leg_id))


def _unlikeness(leg: LegFacts, best: LegFacts) -> _Finding | None:
    if best.bps >= SPEED_RATIO * leg.bps:
        return _Finding(
            Use.OVERFLOW, f"spill only, leg {best.leg_id} is {best.bps / leg.bps:.1f} times as fast"
        )
    extra_rtt = (leg.rtt or 0.0) - (best.rtt or 0.0)
    if extra_rtt >= RTT_OVER:
        return _Finding(Use.OVERFLOW, f"spill only, adds {extra_rtt * 1000:.0f} ms of round trip")
    return None

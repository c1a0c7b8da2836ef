"""Which legs may take a parcel, as the guards and the full legs' queues stand (behaviour 2.7).

A leg with `OVERFLOW` joins while the full legs' queues wait over 10 ms. A leg with `FLOWS` takes
only flows that began while they have waited so for 200 ms; such a flow stays on it until the leg
is eligible no more, or nothing of it came for 2 s.
"""

from collections.abc import Sequence
from math import inf

from .flows import UNORDERED
from .guards import Use
from .leg_queue import LegQueue
from .messages import Type
from .parcels import Parcel

WAIT_OVER = 0.010
WAIT_FOR = 0.200
FLOW_IDLE = 2.0


class Spill:
    """Remembers flows only while some leg takes whole flows."""

    def __init__(self) -> None:
        self._uses: dict[int, Use] = {}
        self._full: list[LegQueue] = []
        self._overflow: list[LegQueue] = []
        self._flows: list[LegQueue] = []
        self._long_since = inf  # since when the full legs' queues are long
        self._seen: dict[int, float] = {}  # flow -> when it was last seen
        self._kept: dict[int, LegQueue] = {}  # flow -> the spill leg it stays on
        self._forget_at = -inf

    def set_legs(self, eligible: Sequence[LegQueue], uses: dict[int, Use]) -> None:
        """Take the eligible legs and what each may be given; a leg not judged yet is full."""
        by_use: dict[Use, list[LegQueue]] = {use: [] for use in Use}
        for leg in eligible:
            by_use[uses.get(leg.id, Use.FULL)].append(leg)
        had_flows = bool(self._flows)
        self._full, self._overflow, self._flows = by_use.values()
        if self._flows and not had_flows:
            # Flows that run already are not known yet: see them before one can be new.
            self._long_since = inf
        if not self._full:  # the best leg is gone and the guards were not asked since
            self._full, self._overflow, self._flows = list(eligible), [], []
        self._kept = {flow: leg for flow, leg in self._kept.items() if leg in self._flows}
        if not self._flows:
            self._seen.clear()

    @property
    def full(self) -> Sequence[LegQueue]:
        """The full legs."""
        return self._full

    @property
    def sound(self) -> Sequence[LegQueue]:
        """The legs that may take any packet, always or while the full ones are busy."""
        return [*self._full, *self._overflow]

    def look(self, now: float) -> None:
        """See how long the full legs' queues are; once a turn, before parcels are given away."""
        if not self._overflow and not self._flows:
            return
        waits = [leg.wait(now) for leg in self._full if leg.pacer.bps]
        is_long = min(waits, default=inf) > WAIT_OVER
        self._long_since = min(self._long_since, now) if is_long else inf
        if self._flows and now >= self._forget_at:
            self._forget_idle(now)

    def kept_on(self, parcel: Parcel, now: float) -> LegQueue | None:
        """Return the spill leg that the parcel's flow stays on, if it does."""
        if not self._kept or not _is_of_one_flow(parcel):
            return None
        leg = self._kept.get(parcel.flow)
        if leg is not None:
            self._seen[parcel.flow] = now
        return leg

    def legs_for(self, parcel: Parcel, now: float) -> list[LegQueue]:
        """Return the legs that may take this parcel."""
        if not self._overflow and not self._flows:
            return self._full
        legs = self._full if self._long_since == inf else self._full + self._overflow
        may_begin = self._flows and _is_of_one_flow(parcel) and parcel.flow not in self._seen
        return legs + self._flows if may_begin and now >= self._long_since + WAIT_FOR else legs

    def on_given(self, parcel: Parcel, leg: LegQueue, now: float) -> None:
        """Note where a parcel went: a flow that began on a spill leg stays there."""
        if not self._flows or not _is_of_one_flow(parcel):
            return
        self._seen[parcel.flow] = now
        if leg in self._flows:
            self._kept[parcel.flow] = leg

    def _forget_idle(self, now: float) -> None:
        self._forget_at = now + FLOW_IDLE / 2
        self._seen = {flow: at for flow, at in self._seen.items() if now - at < FLOW_IDLE}
        self._kept = {flow: leg for flow, leg in self._kept.items() if flow in self._seen}


def _is_of_one_flow(parcel: Parcel) -> bool:
    return parcel.kind is not Type.BUNDLE and parcel.flow != UNORDERED

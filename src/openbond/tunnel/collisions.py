"""Keep heavy flows from waiting behind each other in one leg's queue (behaviour 2.8).

`flow_collision_detection`: when two or more heavy flows wait over 20 ms in one leg's queue for
500 ms while another full leg's queue is shorter by 10 ms or more, the youngest of them is kept off
that leg for 5 s; never while that leg would stand idle for it.
"""

from collections.abc import Sequence
from math import inf

from .leg_queue import LegQueue

HEAVY_SHARE = 0.20  # of the leg's speed, over 1 s
WAIT_OVER = 0.020
SHORTER_BY = 0.010
FOR = 0.500
KEPT_OFF = 5.0
LOOK_EVERY = 0.050
_WINDOW = 0.500  # two of them make the second over which a flow is judged


class Collisions:
    """Tell it what legs were given; ask which legs a flow may use. Does nothing unless `is_on`."""

    def __init__(self) -> None:
        self.is_on = False
        self._born: dict[int, float] = {}  # flow -> when it was first seen
        # leg id, flow -> octets, in the window before and in this one
        self._before: dict[tuple[int, int], int] = {}
        self._given: dict[tuple[int, int], int] = {}
        self._window_ends = -inf
        self._look_at = -inf
        self._crowded_since: dict[int, float] = {}  # leg id -> since when its queue is the longer
        self._kept_off: dict[tuple[int, int], float] = {}  # leg id, flow -> until when

    def on_given(self, leg: LegQueue, flow: int, octets: int, now: float) -> None:
        """Note that a leg was given so much of a flow."""
        self._born.setdefault(flow, now)
        key = leg.id, flow
        self._given[key] = self._given.get(key, 0) + octets

    def look(self, full: Sequence[LegQueue], now: float) -> None:
        """See whose queues are long, and keep flows off them; as often as you like."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        self._kept_off = {key: until for key, until in self._kept_off.items() if now < until}
        waits = {leg.id: leg.wait(now) for leg in full if leg.pacer.bps}
        for leg in full:
            if leg.id in waits:
                self._look_at_leg(leg, waits, now)
        if now >= self._window_ends:
            self._begin_window(now)

    def legs_for(self, flow: int, legs: list[LegQueue], now: float) -> list[LegQueue]:
        """Return those of `legs` that the flow is not kept off; all, if that were none."""
        if not self._kept_off:
            return legs
        kept_off = self._kept_off
        allowed = [leg for leg in legs if (leg.id, flow) not in kept_off or leg.wait(now) <= 0]
        return allowed or legs

    def _look_at_leg(self, leg: LegQueue, waits: dict[int, float], now: float) -> None:
        wait = waits[leg.id]
        is_crowded = wait > WAIT_OVER and min(waits.values()) <= wait - SHORTER_BY
        if not is_crowded:
            self._crowded_since.pop(leg.id, None)
            return
        if now < self._crowded_since.setdefault(leg.id, now) + FOR:
            return
        heavy = self._heavy_on(leg)
        if len(heavy) >= 2:
            youngest = max(heavy, key=lambda flow: (self._born[flow], flow))
            self._kept_off[leg.id, youngest] = now + KEPT_OFF
            del self._crowded_since[leg.id]

    def _heavy_on(self, leg: LegQueue) -> list[int]:
        """Return the heavy flows that still use the leg."""
        least = HEAVY_SHARE * leg.pacer.bps / 8
        return [
            flow
            for (leg_id, flow), octets in self._given.items()
            if leg_id == leg.id
            and octets + self._before.get((leg_id, flow), 0) >= least
            and (leg_id, flow) not in self._kept_off
        ]

    def _begin_window(self, now: float) -> None:
        self._window_ends = now + _WINDOW
        self._before, self._given = self._given, {}
        recent = {flow for _, flow in self._before}
        self._born = {flow: at for flow, at in self._born.items() if flow in recent}

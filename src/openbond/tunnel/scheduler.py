"""Which leg takes the next datagrams of a bond (behaviour 2.7, 2.8).

Earliest arrival (`idmpq`): arrival(L) = max(now, busy(L)) + bits / v(L) + d(L), least wins; ties:
least busy, then leg id. Weighted round robin: whoever is furthest behind its share of the speeds.

A super-packet is given away in runs: as many datagrams as arrive no later on the chosen leg than
the next would on any other, but at least what the leg carries in a QUANTUM, because runs are what
makes UDP_SEGMENT and the joining at the far end worth while. Single packets go one by one.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Protocol

from .leg_queue import LegQueue
from .parcels import Parcel

QUANTUM = 0.001  # seconds of a leg's speed
RUN_MOST = 4 * QUANTUM  # so that a leg whose queue was full is looked at again soon
MAKE_UP = 0.050


class Scheduler(Protocol):
    """Chooses among `legs`, all of which have room and a speed above zero."""

    def choose(self, parcel: Parcel, legs: Sequence[LegQueue], now: float) -> tuple[LegQueue, int]:
        """Return the leg for the next datagrams of the parcel, and for how many of them."""


class EarliestArrival:
    """`idmpq`: each packet goes where it will arrive first.

    Super-packets that follow each other stay on one leg for a QUANTUM, while no other is better
    by more than that: the far end then gets them in order and joins them.
    """

    def __init__(self) -> None:
        self._last: LegQueue | None = None
        self._stays = 0.0  # seconds of its speed that the last leg may still be given

    def choose(self, parcel: Parcel, legs: Sequence[LegQueue], now: float) -> tuple[LegQueue, int]:
        octets, lane = parcel.octets // parcel.count, parcel.lane
        best, best_at, second_at = legs[0], legs[0].arrival(octets, now, lane), inf
        for leg in legs[1:]:
            at = leg.arrival(octets, now, lane)
            if at < best_at or (at == best_at and leg.precedes(best, now, lane)):
                best, best_at, second_at = leg, at, best_at
            elif at < second_at:
                second_at = at
        if parcel.count == 1:
            return best, 1
        last = self._last
        if (
            last is not None
            and self._stays > 0
            and last in legs
            and last.arrival(octets, now, lane) < best_at + QUANTUM
        ):
            best = last
        if best is not self._last or self._stays <= 0:
            self._last, self._stays = best, min(max(second_at - best_at, QUANTUM), RUN_MOST)
        per_datagram = octets * 8 / best.pacer.bps
        count = max(1, min(parcel.count, int(self._stays / per_datagram)))
        self._stays -= count * per_datagram
        return best, count


class WeightedRoundRobin:
    """Packets in proportion to the speeds, delays ignored."""

    def __init__(self) -> None:
        self._served: dict[int, float] = {}  # leg id -> seconds of its speed that it was given

    def choose(self, parcel: Parcel, legs: Sequence[LegQueue], now: float) -> tuple[LegQueue, int]:
        served = self._served
        # A leg that joins or returns has little to make up for.
        floor = max(served.values(), default=0.0) - MAKE_UP
        for leg in legs:
            served[leg.id] = max(served.get(leg.id, floor), floor)
        best = min(legs, key=lambda leg: (served[leg.id], leg.id))
        per_datagram = parcel.octets / parcel.count * 8 / best.pacer.bps
        count = max(1, min(parcel.count, int(QUANTUM / per_datagram)))
        served[best.id] += count * per_datagram
        return best, count


def with_room(legs: Iterable[LegQueue], lane: int, now: float) -> list[LegQueue]:
    """Return the legs that may take more in a lane: a speed above zero, and a wait below `bound`
    there.
    """
    return [leg for leg in legs if leg.pacer.bps and leg.wait(now, lane) < leg.bound]


def earliest(parcel: Parcel, legs: Iterable[LegQueue], count: int, now: float) -> list[LegQueue]:
    """Return the `count` legs where the parcel arrives first (duplicate mode, behaviour 2.14)."""

    def arrival(leg: LegQueue) -> tuple[float, int]:
        return leg.arrival(parcel.octets, now, parcel.lane), leg.id

    return sorted(legs, key=arrival)[:count]

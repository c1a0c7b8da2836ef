"""When a queue that stands too long loses a packet at its head: CoDel (RFC 8289 §5).

The decision alone; who drops, or marks instead, is flow_queues.py. Numbers: behaviour 2.9.
"""

from math import inf, sqrt

TARGET = 0.015
INTERVAL = 0.100
# Both are for legs that are alike. A flow over legs whose delays differ by the delta has the round
# trip of the farthest and must fill them all: it needs a queue that is longer by the delta, and its
# answer to a drop takes longer (docs/performance.md says what was measured).
INTERVAL_PER_DELTA = 4.0
# A queue of no more than this is no standing queue: one outer packet and its Ethernet header.
ONE_PACKET = 1514
# Whoever starts to drop again within so many intervals goes on at the rate that was needed last.
SOON = 16


class Patience:
    """How long a queue may stand, in seconds, for all flows of a bond."""

    __slots__ = ("interval", "target")

    def __init__(self) -> None:
        self.set_delta(0.0)

    def set_delta(self, delta: float) -> None:
        """Take how much the delays of the eligible legs differ."""
        self.target = TARGET + delta
        self.interval = INTERVAL + INTERVAL_PER_DELTA * delta


class CoDel:
    """The state of one flow's queue."""

    __slots__ = ("_count", "_drop_at", "_first_count", "_is_dropping", "_over_at", "_patience")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._over_at = inf  # when the queue will have stood over the target for an interval
        self._is_dropping = False
        self._drop_at = -inf
        self._count = 0  # drops of this bout
        self._first_count = 0  # what `_count` began this bout with

    def is_to_drop(self, sojourn: float, octets: int, now: float) -> bool:
        """Say whether the packet at the head is to be dropped; ask again after each drop.

        sojourn: seconds that it waited; octets: of the whole queue.
        """
        if not self._is_over(sojourn, octets, now):
            self._is_dropping = False
            return False
        if not self._is_dropping:
            self._begin(now)
            return True
        if now < self._drop_at:
            return False
        self._count += 1
        self._drop_at += self._patience.interval / sqrt(self._count)
        return True

    def _is_over(self, sojourn: float, octets: int, now: float) -> bool:
        if sojourn < self._patience.target or octets <= ONE_PACKET:
            self._over_at = inf
            return False
        if self._over_at == inf:
            self._over_at = now + self._patience.interval
        return now >= self._over_at

    def _begin(self, now: float) -> None:
        of_last_bout = self._count - self._first_count
        interval = self._patience.interval
        is_soon = now - self._drop_at < SOON * interval
        self._is_dropping = True
        self._count = self._first_count = of_last_bout if is_soon and of_last_bout > 1 else 1
        self._drop_at = now + interval / sqrt(self._count)

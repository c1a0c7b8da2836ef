"""Is a leg's latency far over what it is without load? (behaviour 3.4, 3.6)"""

from collections import deque
from math import inf

BASELINE_MINUTES = 10
LIGHT_LOAD = 0.20
EXCESS_FLOOR = 0.100
EXCESS_JITTERS = 8
HIGH_FOR = 10.0
LOW_FOR = 30.0


class Baseline:
    """The least smoothed RTT and jitter of the last 10 min, taken while load is light."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, float, float]] = deque(maxlen=BASELINE_MINUTES)

    def on_sample(self, rtt: float, jitter: float, load: float, now: float) -> None:
        """Take a smoothed RTT and jitter measured at `load`, a share of the configured speed."""
        if load >= LIGHT_LOAD:
            return
        minute = int(now // 60)
        if self._minutes and self._minutes[-1][0] == minute:
            _, least_rtt, least_jitter = self._minutes.pop()
            rtt, jitter = min(rtt, least_rtt), min(jitter, least_jitter)
        self._minutes.append((minute, rtt, jitter))

    def rtt(self, now: float) -> float | None:
        return min((rtt for _, rtt, _ in self._recent(now)), default=None)

    def jitter(self, now: float) -> float:
        return min((jitter for _, _, jitter in self._recent(now)), default=0.0)

    def _recent(self, now: float) -> list[tuple[int, float, float]]:
        # While load never is light the last known baseline stays: a stale one beats none.
        oldest = int(now // 60) - BASELINE_MINUTES
        recent = [minute for minute in self._minutes if minute[0] > oldest]
        return recent or list(self._minutes)[-1:]


class LatencyJudge:
    """LATENCY_HIGH: over the limit for 10 s. LATENCY_LOW: under half of it for 30 s."""

    def __init__(self) -> None:
        self._over_since = inf
        self._under_since = inf

    def on_sample(self, excess: float, baseline_jitter: float, now: float) -> None:
        """Take how far the smoothed RTT is over the baseline, in seconds."""
        limit = max(EXCESS_FLOOR, EXCESS_JITTERS * baseline_jitter)
        self._over_since = min(self._over_since, now) if excess > limit else inf
        self._under_since = min(self._under_since, now) if excess < limit / 2 else inf

    def restart(self) -> None:
        self._over_since = self._under_since = inf

    def is_high(self, now: float) -> bool:
        return now >= self._over_since + HIGH_FOR

    def is_low(self, now: float) -> bool:
        return now >= self._under_since + LOW_FOR

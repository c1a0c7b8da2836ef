"""Is a leg's latency far over what it is without load? (behaviour 3.4, 3.6)"""

from collections import deque
from math import inf

BASELINE_MINUTES = 10
LIGHT_LOAD = 0.20
EXCESS_FLOOR = 0.100
EXCESS_JITTERS = 8
HIGH_FOR = 10.0
LOW_FOR = 30.0


class Least:
    """The least of the values of the last 10 min; the last known when there is none so new."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, float]] = deque(maxlen=BASELINE_MINUTES)

    def on_sample(self, value: float, now: float) -> None:
        minute = int(now // 60)
        if self._minutes and self._minutes[-1][0] == minute:
            value = min(value, self._minutes.pop()[1])
        self._minutes.append((minute, value))

    def value(self, now: float) -> float | None:
        oldest = int(now // 60) - BASELINE_MINUTES
        recent = [value for minute, value in self._minutes if minute > oldest]
        if recent:
            return min(recent)
        return self._minutes[-1][1] if self._minutes else None


class Baseline:
    """The least smoothed RTT and jitter of the last 10 min, taken while load is light."""

    def __init__(self) -> None:
        self._rtt = Least()
        self._jitter = Least()

    def on_sample(self, rtt: float, jitter: float, load: float, now: float) -> None:
        """Take a smoothed RTT and jitter measured at `load`, a share of the configured speed."""
        if load < LIGHT_LOAD:
            self._rtt.on_sample(rtt, now)
            self._jitter.on_sample(jitter, now)

    def rtt(self, now: float) -> float | None:
        return self._rtt.value(now)

    def jitter(self, now: float) -> float:
        return self._jitter.value(now) or 0.0


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

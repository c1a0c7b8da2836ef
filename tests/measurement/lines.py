"""A line that tests are run on, second by second: what a shaper, a buffer and TCP do to them."""

from dataclasses import dataclass, field
from random import Random

from openbond.server.measurement.rules.tuning import Measured, Wanted
from openbond.wire.speed_tests import Direction

LOSS_OF_A_FULL_BUFFER = 0.2  # percent: TCP backs off


@dataclass
class Way:
    """One direction, shaped to `kbps`. It holds state: what is left of its boost.

    `reached`: the share that TCP without a limit makes of it. `noise`: by how much a second may
    fall short, as a share. `wavering`: the same of a whole test run with one stream; with more
    streams it shrinks, unless `stays_wavering`.
    """

    kbps: float
    idle_ms: float = 20.0
    jitter_ms: float = 1.0
    buffer_ms: float = 100.0
    boost: float = 1.0
    boost_seconds: float = 0.0
    reached: float = 0.98
    noise: float = 0.0
    wavering: float = 0.0
    stays_wavering: bool = False
    loss: float = 0.0
    dice: Random = field(default_factory=lambda: Random(7))

    def run(self, wanted: Wanted) -> Measured:
        waver = self.wavering if self.stays_wavering else self.wavering / wanted.concurrency
        steady = self.kbps * (1 - self.dice.uniform(0, waver))
        queue_ms, queued, speeds, delays = 0.0, False, [], []
        for second in range(wanted.seconds):
            room = steady * (1 - self.dice.uniform(0, self.noise))
            room *= self.boost if second < self.boost_seconds else 1
            limit = wanted.rate_limit_kbps
            asked = float("inf") if limit is None else float(limit)
            excess_ms = (asked - room) / room * 1000
            queue_ms = min(self.buffer_ms, max(0.0, queue_ms + excess_ms))
            queued = queued or queue_ms == self.buffer_ms
            most = room * self.reached if limit is None else room
            speeds.append(min(asked, most))
            delays.append(self.idle_ms + queue_ms + self.jitter_ms * self.dice.random())
        counted = speeds[1:] or speeds
        return Measured(
            throughput_kbps=sum(counted) / len(counted),
            latency=sum(delays) / len(delays),
            deviation=self.jitter_ms,
            loss=self.loss + (LOSS_OF_A_FULL_BUFFER if queued else 0.0),
            course=tuple((float(at), kbps) for at, kbps in enumerate(speeds, start=1)),
            idle_latency=self.idle_ms if wanted.idle_seconds else None,
            idle_deviation=self.jitter_ms if wanted.idle_seconds else None,
        )


@dataclass
class Line:
    """A leg's line, and all tests that were run on it."""

    down: Way
    up: Way
    tests: list[Wanted] = field(default_factory=list)

    def run(self, wanted: Wanted) -> Measured:
        self.tests.append(wanted)
        way = self.down if wanted.direction is Direction.DOWNLOAD else self.up
        return way.run(wanted)

"""The speed in force of a leg in our sending direction (behaviour 3.6).

Under load, delay well over the baseline, or loss, says that the leg is slower than configured: the
speed is lowered by a tenth, once a second. Without trouble it rises again by a fiftieth of the
configured speed every 5 s. It is never above the configured speed, nor below a fifth of it.

Delay is over the baseline only when the one-way delay of our direction and the RTT both are: the
first alone could be two clocks drifting apart, the second alone the other direction. Of a second
the least delay counts, so a single late probe is no queue. While the queue drains by a third or
more in a second, the speed is low enough.

Losses and delays that a speed set too high explains are not held against the leg (behaviour 2.7,
"late", "lossy" and "far"): a leg that is given nothing any more could not be measured, and would be
tried anew, and overrun, for ever.
"""

from dataclasses import dataclass
from math import inf

from .delays import RawDelay
from .hearing import Hearing
from .latency import LIGHT_LOAD, Baseline, Least
from .load import LoadMeter
from .probes import Prober
from .settings import BondSettings, LegSettings

EVERY = 1.0
HEAVY_LOAD = 0.70
DOWN_BY = 0.90
UP_BY, UP_EVERY = 0.02, 5.0
DRAINING = 1 / 3
LOWEST = 0.20
EXCESS_FLOOR, EXCESS_JITTERS = 0.020, 4
FEWEST = 50  # datagrams in a second, for their loss to mean anything
# Excused until a whole second was looked at, and while the speed is being lowered: losses are
# counted over 10 s, so they are told for as long after the last step.
EXCUSED_AT_FIRST = 2.5
EXCUSED_AFTER_STEP = 10.0


@dataclass(frozen=True, slots=True)
class Second:
    """What one second showed: load in bit/s, delay over the baseline and its jitter in seconds."""

    bps: float
    excess: float
    jitter: float
    loss: float | None


class Adapter:
    """Read by others: `speed_bps`, the speed in force; `lowered_at`, when it was lowered last."""

    def __init__(self, configured_bps: float, loss_limit: float) -> None:
        self.speed_bps = configured_bps
        self.lowered_at = -inf
        self.loss_limit = loss_limit
        self._configured = configured_bps
        self._untroubled_since = inf
        self._loses_without_load = False
        self._excess_before = 0.0  # of the second before

    @property
    def is_slowed(self) -> bool:
        return self.speed_bps < self._configured

    @property
    def can_help(self) -> bool:
        """Say whether a lower speed may still mean less loss."""
        return not self._loses_without_load and self.speed_bps > LOWEST * self._configured

    def set_configured(self, bps: float) -> None:
        """Take another configured speed, and begin with it."""
        if bps != self._configured:
            self._configured = self.speed_bps = bps

    def restore(self) -> None:
        """Go back to the configured speed: adaptation was switched off, or the leg was down."""
        self.speed_bps = self._configured
        self._untroubled_since = inf

    def on_second(self, second: Second, now: float) -> None:
        """Take what the last second showed; lower or raise the speed."""
        if second.loss is not None and second.bps < LIGHT_LOAD * self._configured:
            self._loses_without_load = second.loss >= self.loss_limit
        before = self._excess_before
        drains = before > EXCESS_FLOOR and second.excess <= (1 - DRAINING) * before
        self._excess_before = second.excess
        if not self._is_trouble(second):
            self._rise(now)
            return
        self._untroubled_since = inf
        if second.bps >= HEAVY_LOAD * self.speed_bps and not drains:
            self.speed_bps = max(self.speed_bps * DOWN_BY, LOWEST * self._configured)
            self.lowered_at = now

    def _is_trouble(self, second: Second) -> bool:
        is_late = second.excess > max(EXCESS_FLOOR, EXCESS_JITTERS * second.jitter)
        is_lossy = second.loss is not None and second.loss >= self.loss_limit
        return is_late or (is_lossy and not self._loses_without_load)

    def _rise(self, now: float) -> None:
        self._untroubled_since = min(self._untroubled_since, now)
        if now >= self._untroubled_since + UP_EVERY:
            self._untroubled_since = now
            self.speed_bps = min(self.speed_bps + UP_BY * self._configured, self._configured)


class HeardShare:
    """What share of our datagrams the peer heard, from its hearing reports, since last asked."""

    def __init__(self) -> None:
        self._newest: Hearing | None = None
        self._before: Hearing | None = None

    def on_report(self, hearing: Hearing) -> None:
        self._newest = hearing
        if self._before is None or self._before.session != hearing.session:
            self._before = hearing

    def take_loss(self) -> float | None:
        """Return the lost share since the last call; None: too few datagrams to say."""
        newest, before = self._newest, self._before
        self._before = newest
        if newest is None or before is None:
            return None
        sent = newest.highest - before.highest
        heard = (newest.heard - before.heard) & 0xFFFFFFFF
        return min(max(1 - heard / sent, 0.0), 1.0) if sent >= FEWEST else None


class Adaptation:
    """Joins what is measured of a leg, second by second, while adaptation is on."""

    def __init__(self, bond: BondSettings, leg: LegSettings) -> None:
        self.adapter = Adapter(leg.send_bps, bond.packet_loss_threshold)
        self.load = LoadMeter()
        self.heard = HeardShare()
        self._is_on = bond.bandwidth_adaptation
        self._is_working = False
        self._baseline = Baseline()
        self._least_delay = Least()
        self._anchor: int | None = None
        self._excess = 0.0
        self._least_excess = inf  # of the echoes of this second
        self._next_at = inf
        self._bad_since = inf

    def reconfigure(self, bond: BondSettings, leg: LegSettings, now: float) -> None:
        """Take speed and limit; begin or stop with the switch."""
        self.adapter.set_configured(leg.send_bps)
        self.adapter.loss_limit = bond.packet_loss_threshold
        was_on, self._is_on = self._is_on, bond.bandwidth_adaptation
        if was_on is not self._is_on:
            self._look_every_second(now)

    def set_working(self, is_working: bool, now: float) -> None:
        """Take whether the leg works: else its speed is as configured, until it does again."""
        if is_working is not self._is_working:
            self._is_working = is_working
            self._look_every_second(now)

    def _look_every_second(self, now: float) -> None:
        if self._is_on and self._is_working:
            self._next_at = now + EVERY
        else:
            self._next_at = inf
            self.adapter.restore()

    def on_echo(self, delay: RawDelay, prober: Prober, now: float) -> None:
        """Take the raw one-way delay of our direction, and what the prober measured."""
        load = self.load_share(now)
        self._baseline.on_sample(prober.smoothed_rtt or 0.0, prober.jitter, load, now)
        if delay.anchor != self._anchor:  # a clock was set anew: other numbers from now on
            self._anchor, self._least_delay = delay.anchor, Least()
        if load < LIGHT_LOAD:
            self._least_delay.on_sample(delay.smoothed, now)
        least_rtt, least_delay = self._baseline.rtt(now), self._least_delay.value(now)
        if least_rtt is not None and least_delay is not None:
            excess = min(prober.last_rtt - least_rtt, delay.last - least_delay)
            self._least_excess = min(self._least_excess, excess)

    def excuses(self, *, is_bad: bool, now: float) -> bool:
        """Say whether losses and delays of the leg are to be taken for the marks of a speed set too
        high, which is being mended. Ask every second.
        """
        self._bad_since = min(self._bad_since, now) if is_bad else inf
        if not (is_bad and self._is_on and self._is_working and self.adapter.can_help):
            return False
        is_new = now < self._bad_since + EXCUSED_AT_FIRST
        return is_new or now < self.adapter.lowered_at + EXCUSED_AFTER_STEP

    def least_rtt(self, now: float) -> float | None:
        """Return the baseline: the leg's round trip without a queue, in seconds."""
        return self._baseline.rtt(now)

    def load_share(self, now: float) -> float:
        """Return what the leg carries as a share of its speed in force."""
        speed = self.adapter.speed_bps
        return self.load.bps(now) / speed if speed else 0.0

    def get_timer(self) -> float:
        return self._next_at

    def handle_timer(self, now: float) -> None:
        if now < self._next_at:
            return
        self._next_at = now + EVERY
        if self._least_excess < inf:
            self._excess, self._least_excess = self._least_excess, inf
        jitter, loss = self._baseline.jitter(now), self.heard.take_loss()
        second = Second(self.load.bps(now), self._excess, jitter, loss)
        self.adapter.on_second(second, now)

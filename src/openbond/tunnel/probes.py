"""Probes and echoes of one leg: their bytes, when to send them, RTT, jitter and silence.

Behaviour 2.13 and 3.4. A `Prober` belongs to one end: it numbers its probes, takes in their echoes,
and knows two findings. STEADY: 10 echoes in a row over at least 5 s. SILENT: 5 probes in a row
without an echo, or, with fixed timing, `ping_timeout` without an authentic datagram.

Timers: the next probe is due `interval` after the last, where the interval is twice the smoothed
RTT between 100 ms and 1 s, 100 ms while a speed test runs over the leg, 500 ms while the leg is
tested, 1 s while it is idle, standing by or down; a probe is overdue after max(interval, smoothed
RTT + 4 x jitter).
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Self

from .messages import (
    AGE_LOST,
    AGE_MOST,
    ECHO,
    HEARD_LEG,
    LOSS_UNIT,
    LOSS_UNKNOWN,
    PROBE,
    PROBE_FLAG_REKEY,
)
from .settings import BondSettings

SHORTEST, LONGEST = 0.100, 1.0
TESTING_INTERVAL = 0.500
SLOW_INTERVAL = 1.0
SILENT_PROBES = 5
# A line that a speed test fills without mercy delays probes by seconds and loses most of them.
SILENT_PROBES_MEASURED = 50
STEADY_ECHOES, STEADY_SECONDS = 10, 5.0
RTT_GAIN, JITTER_GAIN = 1 / 8, 1 / 4
JITTER_WEIGHT = 4
LATE_FOR = 10.0  # an echo that comes this late still tells the RTT
CLOCK = 1 << 32


class Pace(Enum):
    USUAL = auto()
    TESTING = auto()
    MEASURED = auto()  # a speed test runs over it
    SLOW = auto()  # mode idle, failover standing by, down


@dataclass(frozen=True, slots=True)
class Timing:
    """`automatic_ping_timing`, or the operator's own two numbers (behaviour 2.13)."""

    automatic: bool = True
    interval: float = 0.5
    timeout: float = 3.0

    @classmethod
    def of(cls, bond: BondSettings) -> Self:
        return cls(bond.automatic_ping_timing, bond.ping_interval, bond.ping_timeout)


@dataclass(frozen=True, slots=True)
class HeardLeg:
    """How long ago its sender heard its peer on a leg; `lost`: it cannot use that leg."""

    leg_id: int
    age: float
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    number: int
    sent_at: int  # microseconds of the sender's clock, modulo 2**32
    heard: tuple[HeardLeg, ...] = ()
    wishes_rekey: bool = False
    speed_kbps: int = 0  # the sender's speed in force on this leg; 0: as configured

    def encode(self) -> bytes:
        flags = PROBE_FLAG_REKEY if self.wishes_rekey else 0
        fixed = PROBE.pack(self.number, self.sent_at, self.speed_kbps, flags, len(self.heard))
        return fixed + b"".join(_encode_heard(leg) for leg in self.heard)


@dataclass(frozen=True, slots=True)
class Echo:
    number: int
    received_at: int  # when the probe came, by the clock of the one who echoes
    sent_at: int
    loss: float | None = None  # over 10 s, of what the prober sent; None: too few datagrams
    long_loss: float | None = None  # over 30 s
    late: float | None = None  # share of the prober's data that came too late for its hold

    def encode(self) -> bytes:
        shares = [_encode_share(each) for each in (self.loss, self.long_loss, self.late)]
        return ECHO.pack(self.number, self.received_at, self.sent_at, *shares)


def decode_probe(body: bytes) -> Probe | None:
    if len(body) < PROBE.size:
        return None
    number, sent_at, speed, flags, count = PROBE.unpack_from(body)
    if len(body) != PROBE.size + count * HEARD_LEG.size:
        return None
    heard = tuple(
        HeardLeg(leg, age / 1000, age == AGE_LOST)
        for leg, age in HEARD_LEG.iter_unpack(body[PROBE.size :])
    )
    return Probe(number, sent_at, heard, bool(flags & PROBE_FLAG_REKEY), speed)


def decode_echo(body: bytes) -> Echo | None:
    if len(body) != ECHO.size:
        return None
    number, received_at, sent_at, *shares = ECHO.unpack(body)
    return Echo(number, received_at, sent_at, *(_decode_share(each) for each in shares))


def clock_of(now: float) -> int:
    """Return the time stamp that stands for `now` in a message."""
    return int(now * 1_000_000) % CLOCK


def clock_difference(later: int, earlier: int) -> float:
    """Return `later - earlier` of two time stamps in seconds, between -35 and +35 minutes."""
    return ((later - earlier + CLOCK // 2) % CLOCK - CLOCK // 2) / 1_000_000


@dataclass(frozen=True, slots=True)
class _InFlight:
    sent_at: float
    overdue_at: float


class Prober:
    """Read by others: `smoothed_rtt` (None before the first echo), `jitter`, `last_echo_at`.

    `rtts`, `rtt_sum`, `rtt_square_sum`: of all round trips, so that whoever takes differences knows
    mean and deviation of any stretch of time.
    """

    def __init__(self, timing: Timing, *, now: float) -> None:
        self.smoothed_rtt: float | None = None
        self.rtts = 0
        self.rtt_sum = self.rtt_square_sum = 0.0
        self.last_rtt = 0.0
        self.jitter = 0.0
        self.last_echo_at = -inf
        self.last_heard_at = -inf  # any authentic datagram of the peer on this leg
        self._timing = timing
        self._pace = Pace.SLOW
        self._number = 0
        self._last_probe_at = -inf
        self._next_at = now
        self._in_flight: OrderedDict[int, _InFlight] = OrderedDict()
        self._overdue: OrderedDict[int, float] = OrderedDict()  # number -> time sent
        self._unanswered = 0  # probes in a row
        self._quiet_since = now
        self._quiet_too_long = False
        self._run = 0  # echoes in a row
        self._run_began_at = now

    # -- what happened ----------------------------------------------------------------------------

    def set_pace(self, pace: Pace, now: float) -> None:
        """Change how often to probe; a quicker pace takes effect at once."""
        if pace is not self._pace:
            self._pace = pace
            self._next_at = max(now, self._last_probe_at + self.interval)

    def set_timing(self, timing: Timing) -> None:
        self._timing = timing

    def probe_soon(self, now: float) -> None:
        """Make a probe due now."""
        self._next_at = min(self._next_at, now)

    def restart(self, now: float) -> None:
        """Forget what is in flight and every run: the leg begins anew."""
        self._in_flight.clear()
        self._unanswered = self._run = 0
        self._quiet_since, self._quiet_too_long = now, False
        self.probe_soon(now)

    def on_heard(self, now: float) -> None:
        """Note any authentic datagram of the peer on this leg."""
        self.last_heard_at = self._quiet_since = now
        self._quiet_too_long = False

    def on_echo(self, number: int, held: float, now: float) -> float | None:
        """Take in an echo that the peer held for `held` seconds.

        Returns when its probe was sent, or None for an echo that we did not ask for.
        """
        flight = self._in_flight.pop(number, None)
        sent_at = self._overdue.pop(number, None) if flight is None else flight.sent_at
        if sent_at is None:
            return None
        self._update_rtt(max(0.0, now - sent_at - max(0.0, held)))
        self.last_echo_at = now
        self._unanswered = 0
        if self._run == 0:
            self._run_began_at = now
        self._run += 1
        return sent_at

    # -- what to do -------------------------------------------------------------------------------

    def probe_to_send(self, now: float) -> int | None:
        """Return the number of the probe that is due, if one is; it counts as sent now."""
        if now < self._next_at:
            return None
        self._number = (self._number + 1) % CLOCK
        interval = self.interval
        self._in_flight[self._number] = _InFlight(now, now + max(interval, self.patience))
        self._last_probe_at = now
        self._next_at = now + interval
        return self._number

    def handle_timer(self, now: float) -> None:
        """Count probes whose echo is overdue as unanswered."""
        overdue = [n for n, flight in self._in_flight.items() if flight.overdue_at <= now]
        for number in overdue:
            self._overdue[number] = self._in_flight.pop(number).sent_at
            self._unanswered += 1
            self._run = 0
        if now >= self._quiet_at():
            self._quiet_too_long = True
        while self._overdue and next(iter(self._overdue.values())) + LATE_FOR <= now:
            self._overdue.popitem(last=False)

    def get_timer(self) -> float:
        overdue = (flight.overdue_at for flight in self._in_flight.values())
        return min(self._next_at, self._quiet_at(), *overdue)

    # -- what is known ----------------------------------------------------------------------------

    @property
    def interval(self) -> float:
        """Seconds between probes at the present pace."""
        if self._pace is Pace.SLOW:
            return SLOW_INTERVAL
        if self._pace is Pace.TESTING:
            return TESTING_INTERVAL
        if self._pace is Pace.MEASURED:
            return SHORTEST
        if not self._timing.automatic:
            return self._timing.interval
        return min(max(2 * (self.smoothed_rtt or 0.0), SHORTEST), LONGEST)

    @property
    def patience(self) -> float:
        """How long an echo may reasonably take: smoothed RTT + 4 x jitter."""
        if self.smoothed_rtt is None:
            return LONGEST
        return self.smoothed_rtt + JITTER_WEIGHT * self.jitter

    @property
    def is_silent(self) -> bool:
        return self._quiet_too_long or (
            self._timing.automatic and self._unanswered >= self._silent_probes
        )

    def is_silent_there(self, age: float) -> bool:
        """Report whether a peer that last heard us `age` seconds ago hears us no more."""
        if self._timing.automatic:
            return age > self._silent_probes * self.interval + self.patience
        return age > self._timing.timeout

    def is_steady(self, now: float) -> bool:
        return self._run >= STEADY_ECHOES and now >= self._run_began_at + STEADY_SECONDS

    @property
    def _silent_probes(self) -> int:
        return SILENT_PROBES_MEASURED if self._pace is Pace.MEASURED else SILENT_PROBES

    def _quiet_at(self) -> float:
        """Return when the quiet has lasted too long; never, if that is known or not asked."""
        if self._timing.automatic or self._quiet_too_long:
            return inf
        return self._quiet_since + self._timing.timeout

    def _update_rtt(self, rtt: float) -> None:
        self.last_rtt = rtt
        self.rtts += 1
        self.rtt_sum += rtt
        self.rtt_square_sum += rtt * rtt
        old = self.smoothed_rtt
        if old is None:
            self.smoothed_rtt, self.jitter = rtt, rtt / 2
            return
        self.jitter += JITTER_GAIN * (abs(rtt - old) - self.jitter)
        self.smoothed_rtt = old + RTT_GAIN * (rtt - old)


def _encode_heard(leg: HeardLeg) -> bytes:
    age = AGE_LOST if leg.lost else min(max(int(leg.age * 1000), 0), AGE_MOST)
    return HEARD_LEG.pack(leg.leg_id, age)


def _encode_share(share: float | None) -> int:
    return LOSS_UNKNOWN if share is None else min(max(round(share * LOSS_UNIT), 0), LOSS_UNIT)


def _decode_share(share: int) -> float | None:
    return None if share > LOSS_UNIT else share / LOSS_UNIT

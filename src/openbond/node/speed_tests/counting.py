"""From what the tunnel counted to the seconds of a test and its mean. Pure."""

from dataclasses import dataclass
from math import sqrt

from openbond.node.daemon_messages import SpeedTestStatus
from openbond.wire.reports import Counted, Latency

# The first second is left out of the mean (behaviour 4.3): flows begin slowly.
LEFT_OUT_US = 1_000_000
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tunnel said, and how many packets our own stack had not sent by then."""

    status: SpeedTestStatus
    unsent: float = 0.0


@dataclass(frozen=True, slots=True)
class Second:
    number: int
    counted: Counted
    latency: Latency | None


class Meter:
    """Takes readings in their order. `begun_us` is when the traffic began, None before."""

    def __init__(self, *, length_seconds: int) -> None:
        self.begun_us: int | None = None
        self._length_us = length_seconds * _SECOND_US
        # Of a test of one second nothing would be left.
        self._from_us = LEFT_OUT_US if self._length_us > LEFT_OUT_US else 0
        self._readings: list[Reading] = []
        self._second = 0
        self._second_from = 0

    def begin(self) -> None:
        """Say that the traffic begins with the newest reading."""
        if self.begun_us is None and self._readings:
            self.begun_us = self._readings[-1].status.at_us
            self._second_from = len(self._readings) - 1

    def add(self, reading: Reading) -> Second | None:
        """Take a reading; return the second that it ends, if it ends one."""
        self._readings.append(reading)
        if self.begun_us is None:
            return None
        passed = (reading.status.at_us - self.begun_us) // _SECOND_US
        if passed <= self._second or self.is_over_before(reading):
            return None
        begin, self._second_from = self._second_from, len(self._readings) - 1
        self._second = passed
        counted, latency = self._between(begin, self._second_from)
        return Second(passed, counted, latency)

    def is_over_before(self, reading: Reading) -> bool:
        """Report whether the length had passed a second before a reading."""
        return reading.status.at_us - (self.begun_us or 0) > self._length_us + _SECOND_US

    @property
    def is_over(self) -> bool:
        """Report whether the length has passed."""
        if self.begun_us is None:
            return False
        return self._readings[-1].status.at_us >= self.begun_us + self._length_us

    @property
    def octets(self) -> int:
        """Octets of outer packets that were moved so far, both ways."""
        newest = self._readings[-1].status if self._readings else None
        return newest.sent_octets + newest.received_octets if newest else 0

    def mean(self) -> tuple[Counted, Latency | None]:
        """Return what was counted from the end of the first second to the length of the test."""
        if self.begun_us is None:
            return Counted(), None
        begin = self._first_at(self.begun_us + self._from_us)
        end = self._first_at(self.begun_us + self._length_us)
        return self._between(begin, end) if end > begin else self._between(0, end)

    def whole(self) -> Counted:
        """Return everything since the leg was taken."""
        if not self._readings:
            return Counted()
        newest = self._readings[-1].status
        return Counted(
            span_ms=(newest.at_us - self._readings[0].status.at_us) // 1000,
            sent_bytes=newest.sent_octets,
            sent_packets=newest.sent_datagrams,
            received_bytes=newest.received_octets,
            received_packets=newest.received_datagrams,
        )

    def idle(self) -> Latency | None:
        """Return the latency over all readings so far."""
        return self._between(0, len(self._readings) - 1)[1] if self._readings else None

    def _first_at(self, moment_us: int) -> int:
        """Return the index of the first reading not before a moment, or of the last one."""
        for index, reading in enumerate(self._readings):
            if reading.status.at_us >= moment_us:
                return index
        return len(self._readings) - 1

    def _between(self, begin: int, end: int) -> tuple[Counted, Latency | None]:
        first, rest = self._readings[begin], self._readings[begin + 1 : end + 1]
        if not rest:
            return Counted(), None
        return _counted(first, rest), _latency(first.status, rest[-1].status)


def _counted(first: Reading, rest: list[Reading]) -> Counted:
    before, after = first.status, rest[-1].status
    span_us = max(1, after.at_us - before.at_us)
    unsent = sum(reading.unsent for reading in rest) / len(rest)
    queued = (after.queue_us - before.queue_us) / span_us
    return Counted(
        span_ms=round(span_us / 1000),
        sent_bytes=after.sent_octets - before.sent_octets,
        sent_packets=after.sent_datagrams - before.sent_datagrams,
        received_bytes=after.received_octets - before.received_octets,
        received_packets=after.received_datagrams - before.received_datagrams,
        queue_milli=round((queued + unsent) * 1000),
    )


def _latency(before: SpeedTestStatus, after: SpeedTestStatus) -> Latency | None:
    samples = after.rtt_count - before.rtt_count
    if samples <= 0:
        return None
    mean = (after.rtt_sum_us - before.rtt_sum_us) / samples
    squares = (after.rtt_square_sum - before.rtt_square_sum) / samples
    deviation = sqrt(max(0.0, squares - mean * mean))
    return Latency(mean_us=round(mean), deviation_us=round(deviation), samples=samples)

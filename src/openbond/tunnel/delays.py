"""One-way delays of a leg, of which only differences between legs mean anything (behaviour 2.13).

An echo carries the peer's clock, ours we know: each direction's raw delay is true delay plus an
offset between the two clocks that nobody knows, but that is the same on every leg of the bond. So
two legs' raw delays differ by exactly the difference of their true delays.
"""

from collections.abc import Iterable

from .probes import clock_difference

GAIN = 1 / 8
JUMP = 2.0  # a raw delay that moves by this much is a clock that was set anew, not a queue


class RawDelay:
    """A smoothed raw one-way delay of one leg in one direction, in seconds; None before the first.

    `anchor` is a difference of time stamps modulo 2**32 microseconds, `smoothed` what the delay has
    been over it since. A new anchor makes numbers that cannot be compared with the old ones.
    """

    __slots__ = ("anchor", "last", "smoothed")

    def __init__(self) -> None:
        self.anchor: int | None = None
        self.smoothed = 0.0
        self.last = 0.0  # sample, over the anchor as well

    @property
    def is_known(self) -> bool:
        return self.anchor is not None

    def on_sample(self, sent_at: int, received_at: int) -> None:
        """Take the time stamps of one datagram, each of its own end's clock."""
        raw = received_at - sent_at
        sample = 0.0 if self.anchor is None else clock_difference(raw, self.anchor)
        if self.anchor is None or abs(sample - self.smoothed) > JUMP:
            self.anchor, self.smoothed, self.last = raw, 0.0, 0.0
            return
        self.last = sample
        self.smoothed += GAIN * (sample - self.smoothed)

    def minus(self, other: "RawDelay") -> float | None:
        """Return how much longer this leg takes than `other`, in seconds; None: not known."""
        if self.anchor is None or other.anchor is None:
            return None
        between = clock_difference(self.anchor, other.anchor)
        return between + self.smoothed - other.smoothed


def relative_delays(delays: Iterable[RawDelay]) -> list[float]:
    """Return each leg's delay above the fastest one's, in seconds, in the order given.

    A leg whose delay is not known counts as the slowest of the known.
    """
    known = list(delays)
    reference = next((delay for delay in known if delay.is_known), None)
    if reference is None:
        return [0.0] * len(known)
    above = [delay.minus(reference) for delay in known]
    fastest = min(value for value in above if value is not None)
    slowest = max(value for value in above if value is not None)
    return [(slowest if value is None else value) - fastest for value in above]

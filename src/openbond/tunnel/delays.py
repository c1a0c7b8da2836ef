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

    It keeps a time stamp difference modulo 2**32 microseconds as anchor, and floats beside it.
    """

    __slots__ = ("_anchor", "_smoothed")

    def __init__(self) -> None:
        self._anchor: int | None = None
        self._smoothed = 0.0

    @property
    def is_known(self) -> bool:
        return self._anchor is not None

    def on_sample(self, sent_at: int, received_at: int) -> None:
        """Take the time stamps of one datagram, each of its own end's clock."""
        raw = received_at - sent_at
        sample = 0.0 if self._anchor is None else clock_difference(raw, self._anchor)
        if self._anchor is None or abs(sample - self._smoothed) > JUMP:
            self._anchor, self._smoothed = raw, 0.0
            return
        self._smoothed += GAIN * (sample - self._smoothed)

    def minus(self, other: "RawDelay") -> float | None:
        """Return how much longer this leg takes than `other`, in seconds; None: not known."""
        if self._anchor is None or other._anchor is None:
            return None
        between = clock_difference(self._anchor, other._anchor)
        return between + self._smoothed - other._smoothed


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

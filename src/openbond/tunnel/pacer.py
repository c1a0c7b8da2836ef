"""May this leg send now? No faster than its speed in force, outer IP packets counted (§2.9).

The line is modelled by one number: when it will have carried all it was given.
"""

# How far ahead of the line it may be given something, and how much lost time it may make up for
# after a late timer. Together they are the burst of 2 ms that behaviour 2.9 allows. Making up for
# more gains nothing: a line that stood idle has lost that time, and what it is given on top waits
# in the modem, for as long as the load lasts.
AHEAD = 0.001
CATCH_UP = 0.001


class Pacer:
    """Plain attributes, read by the hot path: `free_at`, when the line runs empty (seconds), `bps`,
    its speed in force in bit/s (0: nothing may be sent), and `catch_up`, the lost time made up for.
    """

    __slots__ = ("bps", "catch_up", "free_at")

    def __init__(self, bps: float) -> None:
        self.bps = bps
        self.catch_up = CATCH_UP
        self.free_at = 0.0

    def room(self, now: float) -> int:
        """Return how many octets may leave at `now`; a datagram may exceed them by a part."""
        # The same comparison as in `opens_at`, so that a timer and its deadline agree.
        if self.opens_at() > now or not self.bps:
            return 0
        ahead = now + AHEAD - max(self.free_at, now - self.catch_up)
        return max(1, int(ahead * self.bps / 8))

    def charge(self, octets: int, now: float) -> None:
        """Note that `octets` were given to the line at `now`."""
        if self.bps:
            self.free_at = max(self.free_at, now - self.catch_up) + octets * 8 / self.bps

    def opens_at(self) -> float:
        """Return when the line can next be given something."""
        return self.free_at - AHEAD

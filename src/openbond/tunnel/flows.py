"""Which number the next datagram of a flow gets (behaviour 2.10, flow sequence)."""

SEQUENCES = 2**32
# A flow that nobody has heard of yet begins at a multiple of this, so that a receiver that first
# hears number 3 knows that 0 to 2 are still under way.
START_STEP = 2**16
# Flow 0 is never held (behaviour 2.10): its numbers mean nothing.
UNORDERED = 0


class FlowNumbers:
    """Counts per flow. `seed` differs from start to start of the program: a peer that outlived us
    then sees a jump, takes up the new numbers, and does not take them for old packets.
    """

    __slots__ = ("_next", "_start")

    def __init__(self, seed: int) -> None:
        self._start = seed * START_STEP % SEQUENCES
        self._next: dict[int, int] = {}

    def take(self, flow: int, count: int) -> int:
        """Return the first of `count` consecutive numbers of the flow, modulo 2^32."""
        first = self._next.get(flow, self._start)
        self._next[flow] = (first + count) % SEQUENCES
        return first

    def give_back(self, flow: int, count: int) -> None:
        """Take back the newest `count` numbers of the flow: what had them will not be sent."""
        self._next[flow] = (self._next[flow] - count) % SEQUENCES

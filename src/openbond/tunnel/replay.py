"""Which leg sequences of a keypair were already seen (behaviour 2.4, replay window).

The window is one integer: bit `i` says whether `highest - i` was seen. Datagrams that come in
order, which is nearly all of them, only count up; the integer is shifted when one does not.
"""

from .messages import REPLAY_WINDOW


class ReplayWindow:
    """Accepts each sequence number once, and none older than `size` behind the newest.

    Ask only about authenticated datagrams: what is accepted moves the window.
    """

    __slots__ = ("_mask", "_run", "_seen", "_size", "highest")

    def __init__(self, size: int = REPLAY_WINDOW) -> None:
        self.highest = -1
        self._size = size
        self._mask = (1 << size) - 1
        self._seen = 0  # bit i: `highest - _run - i` was seen
        self._run = 0  # that many newest numbers came in order and are not yet in `_seen`

    def accept(self, sequence: int) -> bool:
        """Report whether `sequence` is new, and remember it."""
        return self.accept_run(sequence, 1)

    def accept_run(self, first: int, count: int) -> bool:
        """Report whether `first` to `first + count - 1` are all new; remember them only then.

        False says that at least one was seen or is too old: ask again one by one.
        """
        ahead = first - self.highest
        if ahead == 1:
            self.highest += count
            self._run += count
            return True
        if ahead > 1:
            self._jump(first, count)
            return True
        return self._fill(first, count)

    def _jump(self, first: int, count: int) -> None:
        self._settle()
        distance = first - self.highest
        self._seen = 0 if distance > self._size else (self._seen << (distance - 1)) & self._mask
        self.highest = first + count - 1
        self._run = count

    def _fill(self, first: int, count: int) -> bool:
        self._settle()
        behind = self.highest - (first + count - 1)
        if behind < 0 or behind + count > self._size:
            return False
        bits = ((1 << count) - 1) << behind
        if self._seen & bits:
            return False
        self._seen |= bits
        return True

    def _settle(self) -> None:
        """Move the run of in-order numbers into the integer."""
        run, self._run = self._run, 0
        if run >= self._size:
            self._seen = self._mask
        elif run:
            self._seen = ((self._seen << run) | ((1 << run) - 1)) & self._mask

"""Who writes next to a file that takes one writer: a line in this process, and who may stand back.

SQLite lets writers try again at growing intervals, so whoever asks often goes first, for as long as
it likes: beside nodes that report all the time a person's change waited for seconds. Here they
stand in line, and each is woken when it is its turn. Between processes SQLite's own way remains.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop, heappush

_own = threading.local()


@contextmanager
def in_no_hurry(seconds: float) -> Iterator[None]:
    """Let whoever comes within `seconds` go first, wherever this thread writes meanwhile."""
    before = getattr(_own, "patience", 0.0)
    _own.patience = seconds
    try:
        yield
    finally:
        _own.patience = before


class Line:
    """At most one is at its end; the others are let in by when they came, and their patience.

    Nobody waits for ever: patience puts a place back by a time, and not behind all others.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: list[tuple[float, int, _Place]] = []
        self._came = 0

    def enter(self, *, within: float) -> bool:
        """Wait for the turn, at most so many seconds; report whether it came. Then `leave`."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            place = _Place()
            self._came += 1
            due = time.monotonic() + getattr(_own, "patience", 0.0)
            heappush(self._waiting, (due, self._came, place))
        if place.turn.wait(within):
            return True
        with self._guard:
            place.is_given_up = not place.turn.is_set()
            return not place.is_given_up

    def leave(self) -> None:
        """Give the turn to the next."""
        with self._guard:
            while self._waiting:
                place = heappop(self._waiting)[2]
                if not place.is_given_up:
                    place.turn.set()
                    return
            self._is_taken = False


class _Place:
    __slots__ = ("is_given_up", "turn")

    def __init__(self) -> None:
        self.turn = threading.Event()
        self.is_given_up = False

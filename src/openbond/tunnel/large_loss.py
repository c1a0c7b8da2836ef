"""Do large datagrams vanish on a leg that carries small ones? (behaviour 3.7, at once)

A path MTU that fell shows so: of the data given to the leg, all that is large is missing, while
probes and hearing reports go on. The sender keeps what runs of data it sent, and takes from the
peer's reports which of them are missing.
"""

from collections import deque
from dataclasses import dataclass

from .hearing import Hearing
from .path_mtu import SMALLEST

RUNS_KEPT = 512
ENOUGH = 8  # datagrams, all large, all missing
SETTLED_AFTER = 0.100  # beyond smoothed RTT + 4 x jitter: a gap is named by then


@dataclass(slots=True)
class _Run:
    first: int
    count: int
    at: float
    missing: int = 0


class LargeLoss:
    """`on_report` says when it is time to measure the path MTU."""

    def __init__(self) -> None:
        self._runs: deque[_Run] = deque(maxlen=RUNS_KEPT)
        self._session = -1
        self._named_up_to = -1  # gaps beyond this were not counted yet
        self._missing_in_a_row = 0

    def on_sent(self, session: int, last: int, count: int, octets: int, now: float) -> None:
        """Note `count` datagrams of data up to leg sequence `last`; `octets` of outer packets."""
        if session != self._session:
            self.restart()
            self._session = session
        if count and octets > count * SMALLEST:
            self._runs.append(_Run(last - count + 1, count, now))

    def on_report(self, hearing: Hearing, now: float, patience: float) -> bool:
        """Take a hearing report; report whether large datagrams vanish."""
        if hearing.session != self._session:
            return False
        for gap in hearing.gaps:
            self._count(gap.first, gap.first + gap.count)
        until = now - patience - SETTLED_AFTER
        while self._runs and self._runs[0].at <= until:
            self._settle(self._runs.popleft(), hearing.highest)
        if self._missing_in_a_row < ENOUGH:
            return False
        self._missing_in_a_row = 0
        return True

    def restart(self) -> None:
        self._runs.clear()
        self._named_up_to = -1
        self._missing_in_a_row = 0

    def _count(self, first: int, end: int) -> None:
        """Count a gap once, though it is named three times; gaps are named in order."""
        first = max(first, self._named_up_to + 1)
        for run in self._runs:
            run.missing += max(0, min(end, run.first + run.count) - max(first, run.first))
        self._named_up_to = max(self._named_up_to, end - 1)

    def _settle(self, run: _Run, highest: int) -> None:
        if run.first + run.count - 1 > highest:
            return  # nothing later was heard: silence, not loss
        is_all_missing = run.missing >= run.count
        self._missing_in_a_row = self._missing_in_a_row + run.count if is_all_missing else 0

"""Reports wait on disk until the server has them (behaviour 1.5): 7 days, 64 MB, none unnoticed.

One line per report, appended and flushed; the file is rewritten when most of it is dead. Numbers
rise by one for ever: the first line names the next one.
"""

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from openbond.wire.reports import (
    BondRates,
    Metrics,
    NodeState,
    Report,
    ReportsLost,
    SpeedTestProgress,
)

from . import store

MOST_BYTES = 64 * 1024 * 1024
MOST_AGE_MS = 7 * 24 * 3600 * 1000
BATCH = 500
# A request's body, but for one report that is larger; the server takes 8 MB.
BATCH_BYTES = 2 * 1024 * 1024
# Repeated measurements: they go before changes of state when room is short.
METRICS = (BondRates, Metrics, NodeState, SpeedTestProgress)
# How much of them a full disk is given: nothing, if the trouble is over.
SHARES_GIVEN_UP = (0.0, 0.1, 0.5, 1.0)

_decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
MakeReport: TypeAlias = Callable[[int], Report]


class Header(Struct, frozen=True, kw_only=True):
    next_number: int


@dataclass(frozen=True, slots=True)
class Waiting:
    report: Report
    size: int

    @property
    def is_metric(self) -> bool:
        return isinstance(self.report, METRICS)


class ReportQueue:
    """Keeps what was reported until the server says it has it."""

    def __init__(
        self, path: Path, *, most_bytes: int = MOST_BYTES, most_age_ms: int = MOST_AGE_MS
    ) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._most_age_ms = most_age_ms
        self._waiting: deque[Waiting] = deque()
        self._next = 1
        self._dead = 0
        # Of reports in memory that the disk refused; what it holds of them may be torn.
        self._is_behind = False
        self._load()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, make: MakeReport, *, now_ms: int) -> Report:
        """Number a report, put it on disk, and make room if there is too little.

        Where the disk has no room, the oldest metrics give way, counted. Raises OSError when it
        takes nothing at all; the report waits in memory then.
        """
        report = make(self._next)
        try:
            self._append(report)
            lost = self._too_old(now_ms) + self._too_many()
            if lost:
                self._count_loss(lost, now_ms)
        except OSError:
            self._give_way(now_ms)
        return report

    def batch(self) -> list[Report]:
        """Return the oldest reports that wait, as many as one exchange shall carry."""
        found: list[Report] = []
        size = 0
        for waiting in islice(self._waiting, BATCH):
            size += waiting.size
            if found and size > BATCH_BYTES:
                break
            found.append(waiting.report)
        return found

    def taken(self, number: int) -> None:
        """Forget what the server has: all reports up to this number."""
        while self._waiting and self._waiting[0].report.number <= number:
            self._waiting.popleft()
            self._dead += 1
        if self._dead > max(100, len(self._waiting)):
            # Without room for it, what was taken is sent again after a restart, and known there.
            with suppress(OSError):
                self._rewrite()

    # -------------------------------------------------------------------------------- the limits

    def _too_old(self, now_ms: int) -> int:
        fresh = [w for w in self._waiting if now_ms - w.report.at_ms <= self._most_age_ms]
        return self._keep(fresh)

    def _too_many(self) -> int:
        excess = sum(waiting.size for waiting in self._waiting) - self._most_bytes
        if excess <= 0:
            return 0
        # Dropping a tenth more makes this rare.
        excess += self._most_bytes // 10
        gone = set()
        for waiting in sorted(self._waiting, key=_worth):
            if excess <= 0:
                break
            gone.add(waiting.report.number)
            excess -= waiting.size
        return self._keep([w for w in self._waiting if w.report.number not in gone])

    def _keep(self, kept: list[Waiting]) -> int:
        lost = len(self._waiting) - len(kept)
        if lost:
            self._waiting = deque(kept)
            self._dead += lost
        return lost

    def _give_way(self, now_ms: int) -> None:
        """Write the queue without as many of the oldest metrics as the disk has no room for.

        Raises OSError when it has none even for the rest; then all goes on waiting in memory.
        """
        self._is_behind = True
        everything, number = list(self._waiting), self._next
        metrics = [waiting.report.number for waiting in everything if waiting.is_metric]
        for share in SHARES_GIVEN_UP:
            gone = set(metrics[: round(len(metrics) * share)])
            lost = self._keep([w for w in everything if w.report.number not in gone])
            try:
                self._count_loss(lost, now_ms) if lost else self._rewrite()
            except OSError as refused:
                trouble = refused
                self._waiting, self._next = deque(everything), number
            else:
                return
        raise trouble

    def _count_loss(self, lost: int, now_ms: int) -> None:
        for waiting in list(self._waiting):
            if isinstance(waiting.report, ReportsLost):
                lost += waiting.report.count
                self._waiting.remove(waiting)
        self._wait(ReportsLost(number=self._next, at_ms=now_ms, count=lost))
        self._rewrite()

    # ---------------------------------------------------------------------------------- the file

    def _append(self, report: Report) -> None:
        line = self._wait(report)
        if self._is_behind or not self._path.exists():
            self._rewrite()
            return
        with self._path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def _wait(self, report: Report) -> bytes:
        """Let a report wait in memory; return its line."""
        line = msgspec.json.encode(report) + b"\n"
        self._waiting.append(Waiting(report, len(line)))
        self._next = report.number + 1
        return line

    def _rewrite(self) -> None:
        lines = [msgspec.json.encode(Header(next_number=self._next))]
        lines += [msgspec.json.encode(waiting.report) for waiting in self._waiting]
        store.write(self._path, b"\n".join(lines) + b"\n", mode=store.PRIVATE)
        self._dead = 0
        self._is_behind = False

    def _load(self) -> None:
        content = store.read(self._path)
        if not content:
            return
        first, *lines = content.split(b"\n")
        try:
            self._next = msgspec.json.decode(first, type=Header).next_number
        except msgspec.DecodeError:
            lines = [first, *lines]
        for line in lines:
            self._load_line(line)
        if lines and lines[-1]:
            # A power cut tore the last line: the next one must not be glued to it.
            self._rewrite()

    def _load_line(self, line: bytes) -> None:
        try:
            report = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        self._waiting.append(Waiting(report, len(line) + 1))
        self._next = max(self._next, report.number + 1)


def _worth(waiting: Waiting) -> tuple[bool, bool, int]:
    """Order for dropping: oldest metrics first, changes of state last, counts of losses never."""
    is_count = isinstance(waiting.report, ReportsLost)
    return is_count, not waiting.is_metric, waiting.report.number

"""Measures the node and its bonds by the clock, and reports batches of it (behaviour 4.7)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openbond.node import clock
from openbond.node.daemon_messages import StatusAnswer
from openbond.node.linux.health import Health
from openbond.node.metrics import Batch, LegKey, Reading, Sample, batches_of, sample_between
from openbond.node.report_queue import MakeReport
from openbond.wire.config import NodeContent
from openbond.wire.metrics import MOST_SAMPLES
from openbond.wire.reports import Metrics

# How much longer than set the node waits between its reports while its channel costs too much.
THRIFT = 10
# While there is no config, or the node is decommissioned.
LOOK_AGAIN_S = 5.0


class Reports(Protocol):
    """The part of the reporter that is needed here."""

    def add(self, make: MakeReport) -> None: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the numbers come from; a test has others."""

    content: Callable[[], NodeContent | None]
    statuses: Callable[[], Awaitable[Mapping[int, StatusAnswer]]]
    state_changes: Callable[[], Mapping[LegKey, int]]
    health: Callable[[], Health]
    signals: Callable[[], Mapping[int, int]] = dict  # of mobile legs' modems, dBm, by leg
    is_thrifty: Callable[[], bool] = bool  # the budget of the channel on mobile legs is spent


@dataclass(slots=True)
class Measuring:
    """Two intervals of the config: one between samples, one between reports."""

    sources: Sources
    reports: Reports
    _before: Reading | None = None
    _samples: list[Sample] = field(default_factory=list)

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            content = self.sources.content()
            if content is None or content.decommission:
                self._before = None
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            interval = content.metric_collection_interval_ms / 1000
            await asyncio.sleep(wait_until_next(clock.wall_ms(), interval))
            await self._measure(content, interval)

    async def _measure(self, content: NodeContent, interval: float) -> None:
        statuses = dict(await self.sources.statuses())
        changes = dict(self.sources.state_changes())
        signals = self.sources.signals()
        after = Reading(clock.monotonic(), self.sources.health(), statuses, changes, signals)
        before, self._before = self._before, after
        if before is None:
            return
        sample = sample_between(before, after, content, interval=interval)
        if sample is not None:
            self._samples.append(sample)
        if self._is_due(content, interval):
            self._report(interval)

    def _is_due(self, content: NodeContent, interval: float) -> bool:
        wanted = round(content.metric_reporting_interval_ms / 1000 / interval)
        wanted *= THRIFT if self.sources.is_thrifty() else 1
        return len(self._samples) >= min(max(1, wanted), MOST_SAMPLES)

    def _report(self, interval: float) -> None:
        samples, self._samples = self._samples, []
        times = times_of(samples, monotonic=clock.monotonic(), wall_ms=clock.wall_ms())
        for batch in batches_of(samples):
            self.reports.add(_report_of(batch, times, round(interval * 1000)))


def _report_of(batch: Batch, times_ms: Sequence[int], interval_ms: int) -> MakeReport:
    return lambda number: Metrics(
        number=number,
        at_ms=times_ms[-1],
        interval_ms=interval_ms,
        times_ms=list(times_ms),
        node=batch.node,
        bonds=batch.bonds,
    )


def times_of(samples: Sequence[Sample], *, monotonic: float, wall_ms: int) -> list[int]:
    """Return the times of samples on the wall clock as it is now, even if it was set meanwhile."""
    return [wall_ms - round((monotonic - sample.at) * 1000) for sample in samples]


def wait_until_next(wall_ms: int, interval: float) -> float:
    """Return the seconds until the next sample is due.

    It is due in the middle of each interval of the wall clock, so that no small error of a clock
    puts two samples into one bucket of a chart, and none into the next.
    """
    now = wall_ms / 1000
    wait = (interval / 2 - now) % interval
    return wait if wait > interval / 4 else wait + interval

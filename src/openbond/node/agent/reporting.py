"""Hands over what happened: at once when it can, from disk when it could not (§1.5, §3.3)."""

import asyncio
from typing import Protocol

import structlog

from openbond.node import clock
from openbond.node.channel.enrol import software_version
from openbond.node.errors import NodeError
from openbond.node.report_queue import MakeReport, ReportQueue
from openbond.wire.exchange import ReportAnswer, ReportRequest

from .retry import Retry

log = structlog.get_logger()


class ReportExchange(Protocol):
    """The part of the management channel that is needed here."""

    async def report(self, request: ReportRequest) -> ReportAnswer: ...


class Reporter:
    """Owns the queue on disk and the exchange `report`."""

    def __init__(self, queue: ReportQueue) -> None:
        self._queue = queue
        self._wanted = asyncio.Event()
        self._sent = asyncio.Event()
        self._is_unstored = False
        self.retry = Retry()
        # The last exchange that succeeded: when it ended, and when it began.
        self.last_exchange: float | None = None
        self._last_began: float | None = None
        if len(queue):
            self._wanted.set()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def add(self, make: MakeReport) -> None:
        """Put a report on disk and hand it over as soon as possible."""
        try:
            self._queue.add(make, now_ms=clock.wall_ms())
        except OSError as error:
            # A full disk must not end the agent: packets matter more than reports.
            if not self._is_unstored:
                log.error("reports wait in memory: the disk does not take them", why=str(error))
            self._is_unstored = True
        else:
            if self._is_unstored:
                log.info("the disk takes reports again")
            self._is_unstored = False
        self._wanted.set()

    def exchange_now(self) -> None:
        """Ask for an exchange even when nothing waits: is the server there?"""
        self._wanted.set()
        self.retry.nudge()

    def has_exchanged_since(self, moment: float) -> bool:
        """Report whether an exchange succeeded that had not begun before the moment."""
        return self._last_began is not None and self._last_began >= moment

    async def flushed(self, *, within_s: float) -> bool:
        """Report whether everything was handed over within the time."""
        try:
            async with asyncio.timeout(within_s):
                while len(self._queue):
                    self._sent.clear()
                    await self._sent.wait()
        except TimeoutError:
            return False
        return True

    async def run(self, channel: ReportExchange) -> None:
        """Send for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._send_all(channel)
            except NodeError as error:
                if self.retry.is_first_failure:
                    log.warning("reports wait", why=str(error))
                self._wanted.set()
                await self.retry.failed(error)

    async def _send_all(self, channel: ReportExchange) -> None:
        while True:
            batch = self._queue.batch()
            request = ReportRequest(
                sent_at_ms=clock.wall_ms(), reports=batch, software_version=software_version()
            )
            began = clock.monotonic()
            answer = await channel.report(request)
            self.last_exchange, self._last_began = clock.monotonic(), began
            if batch and answer.taken < batch[0].number:
                raise NodeError(f"the server took none of {len(batch)} reports")
            if self.retry.succeeded():
                log.info("reports are handed over again", waiting=len(self._queue))
            self._queue.taken(answer.taken)
            self._sent.set()
            if not len(self._queue):
                return

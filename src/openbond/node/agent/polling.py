"""Asks the server for a newer config, for ever (behaviour 1.5)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from msgspec import UNSET

from openbond.node import clock
from openbond.node.channel.enrol import software_version
from openbond.node.configs import StoredConfig
from openbond.node.errors import NodeError, ServerRefused
from openbond.node.paths import Paths
from openbond.node.store import write
from openbond.node.verify import Refusal
from openbond.wire.exchange import ErrorCode, PollAnswer, PollRequest, PollStatus

from .lifecycle import Lifecycle
from .retry import Retry
from .speed_tests import SpeedTests

log = structlog.get_logger()

WAIT_MS = 50_000
SUPERSEDED_PAUSE_S = 60.0
DECOMMISSIONED_EVERY_S = 3600.0
# The server knows this machine no more, or its certificate: the node key still counts.
ENROL_AGAIN = (
    ErrorCode.NOT_ENROLLED,
    ErrorCode.CERTIFICATE_EXPIRED,
    ErrorCode.BAD_SIGNATURE,
)


class PollExchange(Protocol):
    """The part of the management channel that is needed here."""

    async def poll(self, request: PollRequest) -> PollAnswer: ...


class Poller:
    """The loop around the exchange `poll`."""

    def __init__(
        self,
        paths: Paths,
        lifecycle: Lifecycle,
        enrol_again: Callable[[], Awaitable[None]],
        speed_tests: SpeedTests,
    ) -> None:
        self._paths = paths
        self._lifecycle = lifecycle
        self._enrol_again = enrol_again
        self._speed_tests = speed_tests
        self._whole = False
        self._superseded = False
        self.retry = Retry()
        self._refusals = Retry()
        self.last_exchange: float | None = None
        self.last_exchange_ms: int | None = None
        self._restart = asyncio.Event()

    def fetch(self) -> None:
        """Ask for the whole config now, even if it is the one we have (`nodeconfig`)."""
        self._whole = True
        self._restart.set()
        self.retry.nudge()

    async def run(self, channel: PollExchange) -> None:
        """Poll for ever."""
        while True:
            try:
                answer = await self._poll(channel)
                if answer is not None:
                    self._note_contact()
                    await self._take(answer)
                    await self._rest()
            except Refusal as refusal:
                # The server may offer it again at once; it shall not be asked in a tight loop.
                await self._refusals.failed(refusal)
            except NodeError as error:
                await self._failed(error)

    async def _poll(self, channel: PollExchange) -> PollAnswer | None:
        """Return the answer; None when the question is out of date."""
        whole, self._whole = self._whole, False
        polling = asyncio.create_task(channel.poll(self._request(whole=whole)))
        outdated = asyncio.create_task(self._outdated())
        try:
            await asyncio.wait({polling, outdated}, return_when=asyncio.FIRST_COMPLETED)
            return polling.result() if polling.done() else None
        finally:
            for task in (polling, outdated):
                task.cancel()
            await asyncio.gather(polling, outdated, return_exceptions=True)

    async def _outdated(self) -> None:
        events = (self._lifecycle.rolled_back, self._restart)
        tasks = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for event in events:
                event.clear()

    def _request(self, *, whole: bool) -> PollRequest:
        have = None if whole else self._lifecycle.claimed
        return PollRequest(
            revision=have.envelope.revision if have else 0,
            hash=have.envelope.hash if have else "",
            software_version=software_version(),
            speed_tests=self._speed_tests.told,
            wait_ms=0 if whole or self._lifecycle.is_decommissioned else WAIT_MS,
        )

    async def _rest(self) -> None:
        """Ask once an hour, ±25 %, while the node is decommissioned (behaviour 1.4)."""
        if self._lifecycle.is_decommissioned and self._lifecycle.trying is None:
            dice = random.random()  # noqa: S311 - spreads load, guards nothing
            await self.retry.pause(DECOMMISSIONED_EVERY_S * (0.75 + dice / 2))

    def _note_contact(self) -> None:
        self.last_exchange, self.last_exchange_ms = clock.monotonic(), clock.wall_ms()
        if self.retry.succeeded():
            log.info("the server answers again")

    async def _take(self, answer: PollAnswer) -> None:
        if answer.status is PollStatus.SUPERSEDED:
            if not self._superseded:
                log.error("another machine enrolled with this node's key", why=answer.detail)
            self._superseded = True
            self._lifecycle.last_error = f"superseded: {answer.detail}"
            await self.retry.pause(SUPERSEDED_PAUSE_S)
            return
        self._superseded = False
        if answer.speed_tests is not UNSET:
            self._speed_tests.take(answer.speed_tests)
        if answer.status is PollStatus.CONFIG and answer.envelope is not UNSET:
            if answer.crl:
                write(self._paths.crl, answer.crl.encode())
            self._lifecycle.take(StoredConfig(envelope=answer.envelope, signer=answer.signer))
            self._refusals.succeeded()

    async def _failed(self, error: NodeError) -> None:
        self._lifecycle.last_error = str(error)
        if self.retry.is_first_failure:
            log.warning("the server cannot be asked", why=str(error))
        if isinstance(error, ServerRefused) and error.code in ENROL_AGAIN:
            try:
                await self._enrol_again()
            except NodeError as failure:
                error = failure
            else:
                return
        await self.retry.failed(error)

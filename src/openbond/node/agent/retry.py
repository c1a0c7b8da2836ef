"""Waits between attempts on the management channel, cut short when a leg comes back (§1.5)."""

import asyncio
import random

from openbond.node import clock
from openbond.node.backoff import Backoff
from openbond.node.errors import NodeError, ServerRefused


class Retry:
    """One loop's patience. A nudge ends the wait: what changed may have been the cause.

    A nudge that comes during the attempt itself counts for the wait after it: the attempt may have
    begun by a way that was dead.
    """

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._nudged = asyncio.Event()

    def succeeded(self) -> bool:
        """Start over; report whether there was a failure before (say so once)."""
        had_failed = self._backoff.failures > 0
        self._backoff = Backoff()
        self._nudged.clear()
        return had_failed

    async def failed(self, error: NodeError) -> None:
        """Wait as long as the rule says. The random factor keeps 1,000 nodes apart."""
        self._backoff = self._backoff.failed()
        refused = isinstance(error, ServerRefused) and error.is_ours
        dice = random.random()  # noqa: S311 - spreads load, guards nothing
        await self.pause(self._backoff.delay(refused=refused, dice=dice))

    @property
    def is_first_failure(self) -> bool:
        return self._backoff.failures == 0

    def note_failure(self) -> None:
        self._backoff = self._backoff.failed()

    async def pause(self, seconds: float) -> None:
        await clock.wait_at_most(seconds, self._nudged)
        self._nudged.clear()

    def nudge(self) -> None:
        self._nudged.set()

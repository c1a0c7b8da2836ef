"""Gathers work of one kind that many ask for, and does it together: one transaction for all.

A statement or a transaction costs far more than one row of it. So what is asked for while earlier
work is under way waits for its end, and then goes in one piece. Who asks alone waits for nobody.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .desk import Desk

T = TypeVar("T")
R = TypeVar("R")

# From one beginning to the next, so that a busy server does much at a time; a lone piece of work
# does not wait for it.
SECONDS_BETWEEN = 0.1
MOST = 200


class Batches(Generic[T, R]):
    """`work` takes all that waits, and returns for each piece its outcome or why it failed."""

    def __init__(
        self,
        desk: Desk,
        work: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        seconds_between: float = SECONDS_BETWEEN,
        most: int = MOST,
    ) -> None:
        self._desk = desk
        self._work = work
        self._seconds_between = seconds_between
        self._most = most
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._turns: asyncio.Task[None] | None = None

    async def do(self, piece: T) -> R:
        """Return the outcome of one piece of work; raise what it failed of, or what all did."""
        outcome: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((piece, outcome))
        if self._turns is None:
            self._turns = asyncio.create_task(self._take_turns())
        return await outcome

    async def _take_turns(self) -> None:
        try:
            while self._waiting:
                began = time.monotonic()
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._do(batch)
                if len(self._waiting) < self._most:
                    await asyncio.sleep(max(0.0, began + self._seconds_between - time.monotonic()))
        finally:
            self._turns = None

    async def _do(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            outcomes = await self._desk.run(self._work, [piece for piece, _ in batch])
        except Exception as failure:
            outcomes = [failure] * len(batch)
        for (_, waiting), outcome in zip(batch, outcomes, strict=True):
            if waiting.done():
                continue  # who asked is gone
            if isinstance(outcome, Exception):
                waiting.set_exception(outcome)
            else:
                waiting.set_result(outcome)

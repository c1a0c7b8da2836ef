"""The work that nobody asks for: publish, wake, write contacts; one coroutine each, and a clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from django.db import Error as DatabaseError

from .bell import Bell
from .contacts import SECONDS_BETWEEN_WRITES, Contacts, write_contacts
from .desk import Desk
from .outbox import (
    newly_offered,
    publish_changes,
    publish_decommissions,
    void_certificates_of_deleted_nodes,
)

SECONDS_BETWEEN_LOOKS = 0.2

log = structlog.get_logger(__name__)


class Background:
    """Runs beside the channel until stopped. A failing turn is logged once and tried again."""

    def __init__(
        self, *, desk: Desk, bell: Bell, contacts: Contacts, clock: Callable[[], datetime]
    ) -> None:
        self._desk = desk
        self._bell = bell
        self._contacts = contacts
        self._clock = clock
        self._rung: set[tuple[int, int]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._desk.run(void_certificates_of_deleted_nodes, now=self._clock())
        self._tasks = [
            asyncio.create_task(_repeat("publish", SECONDS_BETWEEN_LOOKS, self._look)),
            asyncio.create_task(_repeat("contacts", SECONDS_BETWEEN_WRITES, self._write)),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._write()

    async def _look(self) -> None:
        now = self._clock()
        published = await self._desk.run(publish_changes, now=now)
        buried = await self._desk.run(publish_decommissions, now=now)
        offered = set(await self._desk.run(newly_offered, now=now))
        self._bell.ring({*published, *buried, *(node_id for node_id, _ in offered - self._rung)})
        self._rung = offered

    async def _write(self) -> None:
        heard = self._contacts.take()
        if heard:
            await self._desk.run(write_contacts, heard, now=self._clock())


async def _repeat(name: str, seconds: float, turn: Callable[[], Awaitable[None]]) -> None:
    failing = False
    while True:
        try:
            await turn()
        except DatabaseError as error:
            if not failing:
                log.error("background work fails", work=name, error=str(error))
            failing = True
        except Exception:
            log.exception("background work failed", work=name)
        else:
            if failing:
                log.info("background work goes on", work=name)
            failing = False
        await asyncio.sleep(seconds)

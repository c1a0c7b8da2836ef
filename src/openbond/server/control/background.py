"""The work that nobody asks for: publish, wake, check, run jobs, mail; one coroutine each."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from openbond.server.measurement.selectors import told_to_nodes
from openbond.server.measurement.services import move_speed_tests, move_tunings
from openbond.server.system.doorbell import heard_by

from .bell import Bell
from .contacts import SECONDS_BETWEEN_WRITES, Contacts, write_contacts
from .desk import Desk
from .gathering import Gathering
from .monitor import Monitor
from .outbox import (
    GATHERED_FOR,
    newly_offered,
    publish_changes,
    publish_decommissions,
    void_certificates_of_deleted_nodes,
)
from .periodic import (
    requeue_interrupted_tasks,
    run_due_jobs,
    run_queued_tasks,
    send_queued_mails,
)

# For what other processes wrote: what this one did rings (system/doorbell.py).
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_TEST_LOOKS = 0.25
SECONDS_BETWEEN_TUNING_LOOKS = 1.0
SECONDS_BETWEEN_JOBS = 10.0
SECONDS_BETWEEN_TASKS = 1.0
# How late a check of an aggregator may begin.
SECONDS_BETWEEN_CHECKS = 0.5
# A config that cannot be compiled is tried again after this; all others go on meanwhile.
SECONDS_AFTER_FAILURE = 60.0

log = structlog.get_logger(__name__)


class Background:
    """Runs beside the channel until stopped. A failing turn is logged once and tried again."""

    def __init__(
        self,
        *,
        desk: Desk,
        publishing: Desk,
        bell: Bell,
        contacts: Contacts,
        monitor: Monitor,
        clock: Callable[[], datetime],
    ) -> None:
        self._desk = desk
        self._publishing = publishing
        # Backups and the like: one at a time, and never in the way of the desk's quick work.
        self._workshop = Desk(threads=1)
        # A mail relay that hangs must not hang the others.
        self._post = Desk(threads=1)
        self._bell = bell
        self._contacts = contacts
        self._monitor = monitor
        self._clock = clock
        self._rung: set[tuple[int, int]] = set()
        self._told_tests: set[tuple[int, int, bool]] = set()
        self._failing: dict[int, float] = {}
        self._listening_since = clock()
        self._changes = Gathering(GATHERED_FOR.total_seconds())
        self._hearing = ExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._desk.run(void_certificates_of_deleted_nodes, now=self._clock())
        await self._desk.run(requeue_interrupted_tasks)
        loop = asyncio.get_running_loop()

        def hear() -> None:
            loop.call_soon_threadsafe(self._changes.hear)

        self._hearing.enter_context(heard_by(hear))
        self._tasks = [
            asyncio.create_task(
                _repeat("publish", SECONDS_BETWEEN_LOOKS, self._look, pause=self._changes.ripe)
            ),
            asyncio.create_task(
                _repeat("speed tests", SECONDS_BETWEEN_TEST_LOOKS, self._look_at_tests)
            ),
            asyncio.create_task(
                _repeat("tunings", SECONDS_BETWEEN_TUNING_LOOKS, self._look_at_tunings)
            ),
            asyncio.create_task(_repeat("contacts", SECONDS_BETWEEN_WRITES, self._write)),
            asyncio.create_task(_repeat("jobs", SECONDS_BETWEEN_JOBS, self._run_jobs)),
            asyncio.create_task(_repeat("tasks", SECONDS_BETWEEN_TASKS, self._run_tasks)),
            asyncio.create_task(_repeat("mail", SECONDS_BETWEEN_TASKS, self._send_mails)),
            asyncio.create_task(_repeat("checks", SECONDS_BETWEEN_CHECKS, self._monitor.turn)),
        ]

    async def stop(self) -> None:
        self._hearing.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._monitor.close()
        await self._write()
        self._workshop.close()
        self._post.close()

    async def _look(self) -> None:
        now, tick = self._clock(), time.monotonic()
        self._failing = {node: since for node, since in self._failing.items() if since > tick}
        published = await self._publishing.run(
            publish_changes, now=now, leave_out=list(self._failing)
        )
        for node_id, error in published.failed.items():
            log.error("a config cannot be compiled", node=node_id, exc_info=error)
            self._failing[node_id] = tick + SECONDS_AFTER_FAILURE
        self._bell.ring(published.nodes)
        buried = await self._publishing.run(publish_decommissions, now=now)
        offered = set(await self._publishing.run(newly_offered, now=now))
        news = {node_id for node_id, _ in offered - self._rung}
        self._bell.ring(buried | (news - published.nodes))
        self._rung = offered

    async def _look_at_tests(self) -> None:
        """Move speed tests on, and wake the polls of nodes that must hear of it.

        What is told is compared and no event passed on: another process may have written it.
        """
        await self._desk.run(
            move_speed_tests, now=self._clock(), listening_since=self._listening_since
        )
        told = await self._desk.run(told_to_nodes)
        self._bell.ring({node_id for node_id, _, _ in told ^ self._told_tests})
        self._told_tests = told

    async def _look_at_tunings(self) -> None:
        numbers = settings.TUNER_NUMBERS
        await self._desk.run(move_tunings, numbers=numbers, now=self._clock())

    async def _write(self) -> None:
        heard = self._contacts.take()
        if heard:
            await self._desk.run(write_contacts, heard, now=self._clock())

    async def _run_jobs(self) -> None:
        await self._workshop.run(run_due_jobs, now=self._clock())

    async def _run_tasks(self) -> None:
        await self._workshop.run(run_queued_tasks)

    async def _send_mails(self) -> None:
        await self._post.run(send_queued_mails)


async def _repeat(
    name: str,
    seconds: float,
    turn: Callable[[], Awaitable[None]],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
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
        await pause(seconds)

"""Checks the aggregators, all at once and none waiting for another (behaviour 6.1, 6.2).

Of several server processes one checks: that which holds the lease. Everything that follows from a
check is decided in one transaction (bonds.services.failover); here is only what waits for others.
"""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from openbond.server.bonds.services import Check, evaluate_moves, take_check
from openbond.server.fleet.selectors import Watched, watched_aggregators
from openbond.server.fleet.services import forget_held, hold_lease
from openbond.server.system.selectors import current_settings

from .check_rounds import Rounds
from .desk import Desk
from .known_hosts import fault_of_hosts
from .probing import probe

# A secondary that is assigned during an outage is used within 30 s; this leaves time to act.
EVALUATED_EVERY = timedelta(seconds=5)
# A timeout that we noticed this much too late is our own slowness, no miss.
SLACK_S = 1.0

Probe = Callable[[Watched, ssl.SSLContext], Awaitable[str]]
AskHosts = Callable[[Sequence[str]], Awaitable[str]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be watched. `hosts`: those to ask before a move; none, if none need be asked."""

    watched: list[Watched]
    hosts: list[str]


def look(*, holder: str, now: datetime) -> Look | None:
    """Return what this process has to watch; None: another one does."""
    if not hold_lease(holder=holder, now=now):
        return None
    wanted = current_settings()
    interval = timedelta(seconds=settings.CHECK_SECONDS) or None
    is_asked = wanted.known_hosts_enabled and not wanted.maintenance_mode
    return Look(
        watched=watched_aggregators(wanted, interval=interval),
        hosts=wanted.known_hosts if is_asked else [],
    )


class Monitor:
    """The checker of one server process. Has a thread of its own: nobody's work delays it."""

    def __init__(
        self,
        *,
        context: Callable[[], ssl.SSLContext],
        clock: Callable[[], datetime],
        probe: Probe = probe,
        ask_hosts: AskHosts = fault_of_hosts,
    ) -> None:
        self._make_context = context
        self._context: ssl.SSLContext | None = None
        self._clock = clock
        self._probe = probe
        self._ask_hosts = ask_hosts
        self._desk = Desk(threads=1)
        self._holder = secrets.token_hex(8)
        self._rounds = Rounds()
        self._running: set[asyncio.Task[None]] = set()
        self._evaluated = clock()
        self._is_quiet = False
        self._is_holder = False

    async def turn(self) -> None:
        """Look once: begin the checks that are due, and move what became due meanwhile."""
        now = self._clock()
        found = await self._desk.run(look, holder=self._holder, now=now)
        self._note_holding(found is not None)
        if found is None:
            self._rounds = Rounds()
            return
        if found.watched and self._context is None:
            self._context = self._make_context()
        for one in self._rounds.begin_due(found.watched, now=now):
            self._begin(self._check(one, found.hosts))
        if any(one.failed for one in found.watched):
            self._evaluate_now_and_then(found.hosts, now)
        elif not self._is_quiet:
            self._is_quiet = True
            self._begin(self._desk.run(forget_held, holder=self._holder, now=now))

    async def settled(self) -> None:
        """Return when everything that was begun has ended."""
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._desk.close()

    def _note_holding(self, is_holder: bool) -> None:
        if is_holder and not self._is_holder:
            log.info("this process checks the aggregators")
        self._is_holder = is_holder

    def _evaluate_now_and_then(self, hosts: Sequence[str], now: datetime) -> None:
        if self._is_quiet or now - self._evaluated >= EVALUATED_EVERY:
            self._is_quiet, self._evaluated = False, now
            self._begin(self._evaluate(hosts))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_forgiving(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _check(self, one: Watched, hosts: Sequence[str]) -> None:
        rounds = self._rounds
        try:
            counted = await self._checked(one, hosts, rounds)
        except BaseException:
            rounds.void(one)
            raise
        if not counted:
            rounds.void(one)

    async def _checked(self, one: Watched, hosts: Sequence[str], rounds: Rounds) -> bool:
        if self._context is None:
            return False
        clock = asyncio.get_running_loop().time
        began = clock()
        fault = await self._probe(one, self._context)
        is_late = clock() - began > one.timeout.total_seconds() + SLACK_S
        if (fault and is_late) or not rounds.counts(one, answered=not fault):
            return False
        hosts_fault = ""
        if fault and hosts and rounds.is_decisive(one):
            hosts_fault = await self._ask_hosts(hosts)
        now = self._clock()
        mark = await self._desk.run(
            take_check,
            holder=self._holder,
            watched=one,
            check=Check(fault, rounds.bad_since(one, now=now)),
            misses=rounds.misses_of(one),
            hosts_fault=hosts_fault,
            now=now,
        )
        if mark is None:
            return False
        rounds.note(one, answered=not fault, misses=mark.misses)
        return True

    async def _evaluate(self, hosts: Sequence[str]) -> None:
        hosts_fault = await self._ask_hosts(hosts) if hosts else ""
        await self._desk.run(
            evaluate_moves, holder=self._holder, hosts_fault=hosts_fault, now=self._clock()
        )


async def _forgiving(work: Awaitable[None]) -> None:
    """A check that fails for a reason of the server's own says nothing of the aggregator."""
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await work
        except DatabaseError as error:
            log.warning("a check of an aggregator could not be stored", error=str(error))
        except Exception:
            log.exception("a check of an aggregator failed")

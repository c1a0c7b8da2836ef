"""One simulated node: it holds a poll, takes each config as good, and reports by the clock."""

import asyncio
import base64
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import itemgetter

import msgspec
from msgspec import UNSET

from openbond.wire import exchange
from openbond.wire.canonical import content_hash
from openbond.wire.config import Envelope, NodeContent
from openbond.wire.exchange import (
    PollAnswer,
    PollRequest,
    PollStatus,
    ReportAnswer,
    ReportRequest,
    signed_request,
)
from openbond.wire.metrics import (
    BOND_SERIES,
    LEG_SERIES,
    NODE_SERIES,
    BondMetrics,
    Columns,
    LegMetrics,
    Series,
)
from openbond.wire.reports import ConfigApplied, LegFacts, Metrics, NodeState, Report
from openbond.wire.states import ShownState

from .connection import Connection, Server
from .roster import Member, identity_of
from .seen import Seen

VERSION = "0.1.0-simulated"
WAIT_MS = 50_000  # as a real node's
POLL_PATIENCE = WAIT_MS / 1000 + 30
REPORT_PATIENCE = 60.0
MOST_REPORTS = 50
SAMPLED_EVERY = 10.0  # s, by default
_DICE = random.Random()  # noqa: S311 - spreads load, guards nothing
PAUSE_AFTER_FAILURE = (1.0, 5.0)


class Refused(Exception):
    """The server answered, and not with what was asked for."""


class Pool:
    """Connections that many nodes share for their reports, so that files suffice for their polls.

    A machine may open 20,000 files where 10,000 nodes hold a poll each; the server does not tell
    nodes by their connections.
    """

    def __init__(self, server: Server, most: int) -> None:
        self._server = server
        self._room = asyncio.Semaphore(most)
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """Lend a connection, the last used first. Raises OSError."""
        async with self._room:
            made = self._open() or await Connection.to(self._server)
            try:
                yield made
            finally:
                if made.is_open:
                    self._idle.append(made)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    def _open(self) -> Connection | None:
        while self._idle:
            found = self._idle.pop()
            if found.is_open:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes share. `gate` lets so many of them connect at once."""

    server: Server
    pool: Pool
    gate: asyncio.Semaphore
    seen: Seen
    interval: float
    on_config: Callable[[int], None]


class SimulatedNode:
    """Plays one member of a roster until it is cancelled."""

    def __init__(self, member: Member, seed: str, around: Surroundings) -> None:
        self.node_id = member.node_id
        self._key = identity_of(seed, member.node_id)
        self._around = around
        # Above what any earlier fleet of this roster used: numbers only rise.
        self._number = itertools.count(time.time_ns() // 1_000_000)
        self._report = itertools.count(member.taken + 1)
        self._revision, self._hash, self._legs = member.revision, member.hash, member.legs
        self._tests: dict[int, bool] = {}
        self._due: list[tuple[float, Report]] = []
        self._sending = asyncio.Lock()

    async def poll_for_ever(self) -> None:
        connection: Connection | None = None
        try:
            while True:
                try:
                    if connection is None or not connection.is_open:
                        async with self._around.gate:
                            connection = await Connection.to(self._around.server)
                    await self._poll(connection)
                except (OSError, TimeoutError, Refused) as failure:
                    await self._failed("poll", failure)
        finally:
            if connection is not None:
                connection.close()

    async def report_for_ever(self) -> None:
        """Report all states and metrics, each once an interval, at times of the node's own."""
        half = self._around.interval / 2
        due = time.monotonic() + _DICE.random() * self._around.interval
        for tell in itertools.cycle((self._states, self._metrics)):
            await asyncio.sleep(due - time.monotonic())
            await self._hand_over([(due, report) for report in tell()])
            due += half

    async def _poll(self, connection: Connection) -> None:
        seen = self._around.seen
        request = PollRequest(
            revision=self._revision,
            hash=self._hash,
            software_version=VERSION,
            wait_ms=WAIT_MS,
            speed_tests=self._tests,
        )
        seen.held += 1
        try:
            answer = await self._exchange(connection, exchange.POLL, request, POLL_PATIENCE)
        finally:
            seen.held -= 1
        seen.polls += 1
        told = msgspec.json.decode(answer, type=PollAnswer)
        if told.status is PollStatus.SUPERSEDED:
            raise Refused(f"superseded: {told.detail}")
        if told.speed_tests is not UNSET:
            # It runs none, but what it was told it is not told again at once.
            self._tests = {order.test_id: order.begin for order in told.speed_tests}
        if told.status is PollStatus.CONFIG and told.envelope is not UNSET:
            await self._take(told.envelope)

    async def _take(self, envelope: Envelope) -> None:
        if content_hash(bytes(envelope.content)) != envelope.hash:
            raise Refused("a config whose hash is wrong")
        self._around.on_config(self.node_id)
        content = msgspec.json.decode(envelope.content, type=NodeContent)
        self._legs = [(bond.id, leg.id) for bond in content.bonds for leg in bond.legs]
        self._revision, self._hash = envelope.revision, envelope.hash
        seen = self._around.seen
        seen.configs += 1
        applied = self._applied(envelope.revision, envelope.hash)
        await self._hand_over([(time.monotonic(), applied)])

    async def _hand_over(self, reports: list[tuple[float, Report]]) -> None:
        """Send reports, and what failed to be sent before, until all of it is stored."""
        self._due += reports
        self._around.seen.waiting += len(reports)
        async with self._sending:
            while self._due:
                try:
                    await self._send(self._due[:MOST_REPORTS])
                except (OSError, TimeoutError, Refused) as failure:
                    await self._failed("report", failure)

    async def _send(self, batch: list[tuple[float, Report]]) -> None:
        seen = self._around.seen
        request = ReportRequest(
            sent_at_ms=_wall_ms(),
            reports=[report for _, report in batch],
            software_version=VERSION,
        )
        async with self._around.pool.one() as connection:
            answer = await self._exchange(connection, exchange.REPORT, request, REPORT_PATIENCE)
        taken = msgspec.json.decode(answer, type=ReportAnswer).taken
        now = time.monotonic()
        stored = [due for due, report in batch if report.number <= taken]
        del self._due[: len(stored)]
        seen.waiting -= len(stored)
        seen.reports += len(stored)
        seen.lags += [now - due for due in stored]

    async def _exchange(
        self,
        connection: Connection,
        target: str,
        value: PollRequest | ReportRequest,
        patience: float,
    ) -> bytes:
        """Send one signed request and return the answer's body. Raises Refused, OSError."""
        body, number = msgspec.json.encode(value), next(self._number)
        covered = signed_request(method="POST", target=target, number=number, body=body)
        headers = {
            "Content-Type": "application/json",
            exchange.HEADER_NODE: str(self.node_id),
            exchange.HEADER_NUMBER: str(number),
            exchange.HEADER_SIGNATURE: base64.b64encode(self._key.sign(covered)).decode(),
        }
        answer = await connection.ask("POST", target, headers, body, within=patience)
        if answer.status != 200:
            raise Refused(f"HTTP {answer.status}: {answer.body[:100].decode(errors='replace')}")
        return answer.body

    async def _failed(self, what: str, failure: Exception) -> None:
        self._around.seen.failures[f"{what}: {failure or type(failure).__name__}"] += 1
        await asyncio.sleep(_DICE.uniform(*PAUSE_AFTER_FAILURE))

    def _applied(self, revision: int, digest: str) -> Report:
        return ConfigApplied(
            number=next(self._report), at_ms=_wall_ms(), revision=revision, hash=digest, steps=1
        )

    def _states(self) -> list[Report]:
        return [
            NodeState(
                number=next(self._report),
                at_ms=_wall_ms(),
                boot_id="simulated",
                legs=[_facts(bond_id, leg_id) for bond_id, leg_id in self._legs],
            )
        ]

    def _metrics(self) -> list[Report]:
        """Return samples of the last interval, as a real node takes them every ten seconds."""
        samples = max(1, round(self._around.interval / SAMPLED_EVERY))
        every_ms = round(self._around.interval * 1000 / samples)
        now = _wall_ms()
        return [
            Metrics(
                number=next(self._report),
                at_ms=now,
                interval_ms=every_ms,
                times_ms=[now - every_ms * ago for ago in reversed(range(samples))],
                node=samples_of(NODE_SERIES, samples),
                bonds=[
                    BondMetrics(
                        bond_id=bond_id,
                        series=samples_of(BOND_SERIES, samples),
                        legs=[
                            LegMetrics(leg_id=leg_id, series=samples_of(LEG_SERIES, samples))
                            for _, leg_id in legs
                        ],
                    )
                    for bond_id, legs in itertools.groupby(self._legs, key=itemgetter(0))
                ],
            )
        ]


def samples_of(series: Sequence[Series], count: int) -> Columns:
    """Return a column for each series: mostly other values each time, as measured ones are."""
    return {one.name: [_DICE.randrange(1_000_000) for _ in range(count)] for one in series}


def _facts(bond_id: int, leg_id: int) -> LegFacts:
    return LegFacts(
        bond_id=bond_id,
        leg_id=leg_id,
        state=ShownState.UP,
        ip="10.1.2.3",
        prefix=24,
        gateway="10.1.2.1",
        rtt_us=_DICE.randrange(10_000, 40_000),
        loss_permille=0,
    )


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000

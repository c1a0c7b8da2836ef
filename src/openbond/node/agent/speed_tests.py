"""The speed tests that the server orders: prepared, begun at its word, called off (ADR 0011)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import structlog

from openbond.node import clock
from openbond.node.daemon_messages import EndTest
from openbond.node.lines import NoAnswer
from openbond.node.speed_tests.counting import Second
from openbond.node.speed_tests.iperf import MISSING, is_installed
from openbond.node.speed_tests.running import DOWN, Outcome, Running
from openbond.wire.config import BondConfig
from openbond.wire.reports import SpeedTestEnded, SpeedTestProgress, SpeedTestReady
from openbond.wire.speed_tests import SpeedTestOrder

from .daemons import DaemonLink, Daemons
from .keeper import Keeper
from .reporting import Reporter

log = structlog.get_logger()

Work: TypeAlias = Callable[[SpeedTestOrder], Awaitable[None]]

RESTARTED = "The agent of this node was restarted during the test."


class SpeedTests:
    """`told`: the tests that the server last named, and whether they had begun."""

    def __init__(self, keeper: Keeper, daemons: Daemons, reporter: Reporter) -> None:
        self._keeper = keeper
        self._daemons = daemons
        self._reporter = reporter
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.told: dict[int, bool] = {}

    def take(self, orders: Sequence[SpeedTestOrder]) -> None:
        """Take all tests there are for this node; one that is not among them is called off."""
        before, self.told = self.told, {order.test_id: order.begin for order in orders}
        for test_id in set(before) - set(self.told):
            self._call_off(test_id)
        for order in orders:
            if order.test_id not in before:
                self._start(order, self._forget if order.begin else self._prepare)
            elif order.begin and not before[order.test_id]:
                self._start(order, self._run)

    async def close(self) -> None:
        """Call everything off: the legs go back before we end."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _start(self, order: SpeedTestOrder, work: Work) -> None:
        """Let work on a test follow what is being done for it."""
        earlier = self._tasks.get(order.test_id)
        self._tasks[order.test_id] = asyncio.create_task(self._in_turn(earlier, order, work))

    async def _in_turn(
        self,
        earlier: "asyncio.Task[None] | None",
        order: SpeedTestOrder,
        work: Work,
    ) -> None:
        if earlier is not None:
            await asyncio.wait({earlier})
        try:
            await work(order)
        except Exception:
            # A defect of ours must not leave the other end waiting.
            log.exception("a speed test failed", test=order.test_id)
            self._fail(order, "A defect of this node's agent; its log says more.")

    def _call_off(self, test_id: int) -> None:
        task = self._tasks.pop(test_id, None)
        if task is not None and not task.done():
            log.info("a speed test is called off", test=test_id)
            task.cancel()

    # ------------------------------------------------------------------------------- what is done

    async def _prepare(self, order: SpeedTestOrder) -> None:
        obstacle = await self._obstacle(order)
        if obstacle:
            self._fail(order, obstacle)
            return
        self._reporter.add(
            lambda number: SpeedTestReady(
                number=number, at_ms=clock.wall_ms(), test_id=order.test_id
            )
        )

    async def _obstacle(self, order: SpeedTestOrder) -> str:
        """Return why this node cannot run the test; "" for nothing."""
        if not is_installed():
            return MISSING
        link = self._daemons.links.get(order.bond_id)
        if link is None or self._bond(order) is None:
            return f"This node does not carry bond {order.bond_id}."
        try:
            status = await link.status()
        except NoAnswer as silence:
            return f"The tunnel daemon does not answer: {silence}."
        if order.leg_id is None:
            return ""
        states = {leg.leg_id: leg.state for leg in status.legs}
        is_down = order.leg_id not in states or states[order.leg_id] in DOWN
        return f"Leg {order.leg_id} is down." if is_down else ""

    async def _forget(self, order: SpeedTestOrder) -> None:
        """Say of a test that began before we did that it failed; its leg goes back."""
        link = self._daemons.links.get(order.bond_id)
        if link is not None:
            await _ended(link)
        self._fail(order, RESTARTED)

    async def _run(self, order: SpeedTestOrder) -> None:
        link, bond, content = (
            self._daemons.links.get(order.bond_id),
            self._bond(order),
            self._keeper.content,
        )
        if link is None or bond is None or content is None:
            self._fail(order, f"This node does not carry bond {order.bond_id} any more.")
            return
        log.info("a speed test begins", test=order.test_id, bond=order.bond_id, leg=order.leg_id)
        running = Running(
            order,
            bond=bond,
            kind=content.kind,
            ask=link.ask,
            status=link.status,
            tell=lambda second: self._tell_second(order, second),
        )
        outcome = await running.run()
        log.info("a speed test is over", test=order.test_id, error=outcome.error)
        self._tell_end(order, outcome)

    def _bond(self, order: SpeedTestOrder) -> BondConfig | None:
        content = self._keeper.content
        bonds = content.bonds if content else []
        return next((bond for bond in bonds if bond.id == order.bond_id), None)

    # ------------------------------------------------------------------------------- what is told

    def _tell_second(self, order: SpeedTestOrder, second: Second) -> None:
        self._reporter.add(
            lambda number: SpeedTestProgress(
                number=number,
                at_ms=clock.wall_ms(),
                test_id=order.test_id,
                second=second.number,
                counted=second.counted,
                latency=second.latency,
            )
        )

    def _fail(self, order: SpeedTestOrder, why: str) -> None:
        self._tell_end(order, Outcome(error=why))

    def _tell_end(self, order: SpeedTestOrder, outcome: Outcome) -> None:
        self._reporter.add(
            lambda number: SpeedTestEnded(
                number=number,
                at_ms=clock.wall_ms(),
                test_id=order.test_id,
                error=outcome.error,
                stopped_by=outcome.stopped_by,
                counted=outcome.counted,
                whole=outcome.whole,
                latency=outcome.latency,
                idle=outcome.idle,
            )
        )


async def _ended(link: DaemonLink) -> None:
    try:
        await link.ask(EndTest())
    except NoAnswer:
        return  # it will end the test by its own clock

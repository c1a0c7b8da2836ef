"""What a node's agent does with the speed tests it is told of: prepare, begin, call off."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from openbond.node import daemon_messages as messages
from openbond.node.agent import speed_tests
from openbond.node.agent.speed_tests import RESTARTED, SpeedTests
from openbond.node.daemon_messages import BeginTest, EndTest
from openbond.node.paths import Paths
from openbond.node.speed_tests.iperf import MISSING
from openbond.wire.reports import Report, SpeedTestEnded, SpeedTestReady
from openbond.wire.states import ShownState

from . import samples
from .fake_host import FakeHost
from .test_lifecycle import Node
from .test_speed_tests import LEG, Tunnel, needs_iperf, order

T = TypeVar("T")
BOND = samples.bond(7, legs=[samples.static_leg(LEG)])


class Site:
    """A bonder whose bond's daemon answers on a real socket; nobody is at the other end."""

    def __init__(self, root: Path) -> None:
        self.tunnel = Tunnel(state=ShownState.UP)
        self.node = Node(Paths(root), FakeHost("eth1", "lan0"))
        self.tests = SpeedTests(self.node.keeper, self.node.daemons, self.node.reporter)
        self._socket = messages.socket_path(root, 7)

    async def open(self) -> None:
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._socket)
        self.node.keeper.content = samples.bonder(BOND)
        self.node.daemons.attach([7])

    async def close(self) -> None:
        await self.tests.close()
        await self.node.daemons.close()
        self._server.close()
        # Those who were let go close their ends in the next turns of the loop.
        await asyncio.sleep(0.05)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                request = messages.decode_request(line)
                is_status = isinstance(request, messages.Status)
                answer = await (self.tunnel.status() if is_status else self.tunnel.ask(request))
                writer.write(messages.encode_line(answer))
        writer.close()

    def told(self, kind: type[T]) -> list[T]:
        waiting: list[Report] = self.node.reporter._queue.batch()
        return [report for report in waiting if isinstance(report, kind)]

    def asked(self, kind: type[T]) -> list[T]:
        return [request for request in self.tunnel.requests if isinstance(request, kind)]

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.02)


def at(root: Path, story: Callable[[Site], Awaitable[None]]) -> None:
    async def life() -> None:
        site = Site(root)
        await site.open()
        try:
            await story(site)
        finally:
            await site.close()

    asyncio.run(life())


@needs_iperf
def test_what_is_ordered_is_prepared_and_touches_no_leg(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.tests.take([order(begin=False)])
        await site.until(lambda: site.told(SpeedTestReady))

        assert site.tests.told == {5: False}
        assert site.asked(BeginTest) == []

    at(tmp_path, story)


@needs_iperf
def test_at_the_word_the_leg_is_taken_and_when_called_off_given_back(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        given = order(begin=False)
        site.tests.take([given])
        await site.until(lambda: site.told(SpeedTestReady))

        site.tests.take([order(begin=True, port=given.port)])
        await site.until(lambda: site.asked(BeginTest))
        assert site.tests.told == {5: True}
        site.tests.take([])
        await site.until(lambda: site.asked(EndTest))

        assert site.tests.told == {}
        assert site.told(SpeedTestEnded) == []

    at(tmp_path, story)


@needs_iperf
def test_the_same_orders_twice_begin_a_test_once(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        first = order(begin=False)
        site.tests.take([first])
        site.tests.take([first])
        await site.until(lambda: site.told(SpeedTestReady))
        for _ in range(2):
            site.tests.take([order(begin=True, port=first.port)])
        await site.until(lambda: site.asked(BeginTest))

        assert len(site.told(SpeedTestReady)) == len(site.asked(BeginTest)) == 1

    at(tmp_path, story)


def test_a_test_that_began_before_this_agent_failed_and_its_leg_goes_back(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.tests.take([order(begin=True)])
        await site.until(lambda: site.told(SpeedTestEnded))

        assert [ended.error for ended in site.told(SpeedTestEnded)] == [RESTARTED]
        assert len(site.asked(EndTest)) == 1
        assert site.asked(BeginTest) == []

    at(tmp_path, story)


def test_without_iperf3_a_test_fails_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(site: Site) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        site.tests.take([order(begin=False)])
        await site.until(lambda: site.told(SpeedTestEnded))

        assert [ended.error for ended in site.told(SpeedTestEnded)] == [MISSING]
        assert "apt-get install iperf3" in MISSING

    at(tmp_path, story)


@needs_iperf
@pytest.mark.parametrize("leg_id", [LEG, 99])
def test_a_leg_that_is_down_or_unknown_is_not_tested(leg_id: int, tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.tunnel.state = ShownState.DOWN
        site.tests.take([order(begin=False, leg_id=leg_id)])
        await site.until(lambda: site.told(SpeedTestEnded))

        assert [ended.error for ended in site.told(SpeedTestEnded)] == [f"Leg {leg_id} is down."]

    at(tmp_path, story)


@needs_iperf
def test_a_bond_that_is_not_carried_is_not_tested(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.tests.take([order(begin=False, bond_id=8)])
        await site.until(lambda: site.told(SpeedTestEnded))

        assert site.told(SpeedTestEnded)[0].error == "This node does not carry bond 8."

    at(tmp_path, story)


@needs_iperf
def test_a_defect_of_ours_does_not_leave_the_other_end_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> bool:
        raise RuntimeError("broken")

    async def story(site: Site) -> None:
        monkeypatch.setattr(speed_tests, "is_installed", broken)
        site.tests.take([order(begin=False)])
        await site.until(lambda: site.told(SpeedTestEnded))

        assert site.told(SpeedTestEnded)[0].error.startswith("A defect of this node's agent")

    at(tmp_path, story)

"""The loop that asks the server, on a clock that jumps."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from openbond.node import clock
from openbond.node.agent.polling import Poller
from openbond.node.agent.reporting import Reporter
from openbond.node.agent.speed_tests import SpeedTests
from openbond.node.errors import NodeError, ServerRefused, ServerUnreachable
from openbond.node.paths import Paths
from openbond.node.report_queue import ReportQueue
from openbond.wire.exchange import (
    ErrorCode,
    PollAnswer,
    PollRequest,
    PollStatus,
    ReportAnswer,
    ReportRequest,
)
from openbond.wire.reports import BondRates, Report
from tests.node.fake_host import FakeHost
from tests.node.test_lifecycle import AUTHORITY, FIRST, SECOND, FakeChannel, Node, content
from tests.node.virtual_time import START, run_virtually

T = TypeVar("T")
FOREIGN = AUTHORITY.config(content(), node_id=8, revision=9)


class FakePolls:
    """A server that offers one config, or fails as told."""

    def __init__(self) -> None:
        self.offered = FIRST
        self.failures: list[NodeError] = []
        self.superseded = False
        self.asked: list[tuple[float, PollRequest]] = []
        self.fails_after_s = 0.0

    async def poll(self, request: PollRequest) -> PollAnswer:
        self.asked.append((asyncio.get_running_loop().time() - START, request))
        if self.failures:
            await asyncio.sleep(self.fails_after_s)
            raise self.failures.pop(0)
        if self.superseded:
            return PollAnswer(status=PollStatus.SUPERSEDED, detail="newer enrolment")
        if self.offered.envelope.revision <= request.revision:
            await asyncio.sleep(request.wait_ms / 1000)
            return PollAnswer(status=PollStatus.NOTHING)
        return PollAnswer(
            status=PollStatus.CONFIG, envelope=self.offered.envelope, signer=self.offered.signer
        )

    def times(self) -> list[float]:
        return [at for at, _ in self.asked]


class Asking:
    def __init__(self, node: Node, poller: Poller, server: FakePolls) -> None:
        self.node, self.poller, self.server = node, poller, server
        self.enrolled_again = 0


def ask(root: Path, story: Callable[[Asking], Awaitable[T]]) -> T:
    async def life() -> T:
        paths = Paths(root)
        node, server = Node(paths, FakeHost("eth1", "lan0")), FakePolls()

        async def enrol_again() -> None:
            asking.enrolled_again += 1

        tests = SpeedTests(node.keeper, node.daemons, node.reporter)
        poller = Poller(paths, node.lifecycle, enrol_again, tests)
        asking = Asking(node, poller, server)
        loops = [
            asyncio.create_task(node.lifecycle.run()),
            asyncio.create_task(node.reporter.run(node.channel)),
            asyncio.create_task(poller.run(server)),
        ]
        try:
            return await story(asking)
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await node.daemons.close()

    return run_virtually(life())


def test_the_node_says_what_it_has(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        await asyncio.sleep(1)

        asked = [(request.revision, request.hash) for _, request in asking.server.asked]
        assert asked == [(0, ""), (1, FIRST.envelope.hash)]

    ask(tmp_path, story)


def test_silence_is_answered_with_longer_and_longer_pauses_for_ever(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        asking.server.failures = [ServerUnreachable("nobody") for _ in range(20)]
        await asyncio.sleep(3600)

        times = asking.server.times()[:20]
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert all(0.5 <= pause <= 90 for pause in pauses)
        assert all(pause >= 30 for pause in pauses[7:])

    ask(tmp_path, story)


def test_a_leg_that_comes_back_cuts_the_pause_short(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        asking.server.failures = [ServerUnreachable("nobody") for _ in range(30)]
        await asyncio.sleep(100)
        asked = len(asking.server.asked)
        asking.poller.retry.nudge()
        await asyncio.sleep(0.1)

        assert len(asking.server.asked) == asked + 1

    ask(tmp_path, story)


def test_a_leg_that_comes_back_during_an_attempt_cuts_the_pause_after_it_short(
    tmp_path: Path,
) -> None:
    async def story(asking: Asking) -> None:
        asking.server.failures = [ServerUnreachable("nobody") for _ in range(30)]
        asking.server.fails_after_s = 1000
        await asyncio.sleep(10_500)
        asked = len(asking.server.asked)
        asking.poller.retry.nudge()
        await asyncio.sleep(1000)
        assert len(asking.server.asked) == asked + 1

        failed, began = asking.server.times()[-2] + 1000, asking.server.times()[-1]
        assert began == failed

    ask(tmp_path, story)


def test_a_refused_config_is_not_asked_for_in_a_tight_loop(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        asking.server.offered = FOREIGN
        await asyncio.sleep(600)

        assert 10 < len(asking.server.asked) < 60

    ask(tmp_path, story)


@pytest.mark.parametrize(
    "code", [ErrorCode.NOT_ENROLLED, ErrorCode.CERTIFICATE_EXPIRED, ErrorCode.BAD_SIGNATURE]
)
def test_a_node_the_server_does_not_know_enrols_again_with_its_key(
    tmp_path: Path, code: ErrorCode
) -> None:
    async def story(asking: Asking) -> None:
        asking.server.failures = [ServerRefused("who are you", status=401, code=code)]
        await asyncio.sleep(1)

        assert asking.enrolled_again == 1
        assert asking.node.addresses() == ["10.1.0.1"]

    ask(tmp_path, story)


def test_a_superseded_machine_keeps_polling_and_does_not_fight_back(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        asking.server.superseded = True
        await asyncio.sleep(600)

        assert 9 <= len(asking.server.asked) <= 11
        assert asking.enrolled_again == 0

    ask(tmp_path, story)


def test_fetch_asks_for_the_whole_config_now(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        await asyncio.sleep(5)
        asking.poller.fetch()
        await asyncio.sleep(0.1)

        request = asking.server.asked[-2][1]
        assert (request.revision, request.wait_ms) == (0, 0)

    ask(tmp_path, story)


def test_after_a_roll_back_the_node_says_again_what_it_has(tmp_path: Path) -> None:
    async def story(asking: Asking) -> None:
        await asyncio.sleep(1)
        asking.node.channel.reachable = False
        asking.server.offered = SECOND
        asking.poller.fetch()
        await asyncio.sleep(69)
        asking.node.channel.reachable = True
        asking.server.offered = FIRST
        await asyncio.sleep(60)

        assert [request.revision for _, request in asking.server.asked[-2:]] == [1, 1]

    ask(tmp_path, story)


def rates(number: int) -> Report:
    now_ms = clock.wall_ms()
    return BondRates(number=number, at_ms=now_ms, bond_id=7, download_bps=1, upload_bps=1)


def test_reports_that_wait_are_handed_over_when_the_server_is_back(tmp_path: Path) -> None:
    async def life() -> list[int]:
        channel, reporter = FakeChannel(), Reporter(ReportQueue(tmp_path / "queue"))
        channel.reachable = False
        task = asyncio.create_task(reporter.run(channel))
        for _ in range(3):
            reporter.add(rates)
            await asyncio.sleep(100)
        channel.reachable = True
        assert await reporter.flushed(within_s=200)
        task.cancel()
        return [report.number for report in channel.reports]

    assert run_virtually(life()) == [1, 2, 3]


class SlowChannel(FakeChannel):
    async def report(self, request: ReportRequest) -> ReportAnswer:
        answer = await super().report(request)
        await asyncio.sleep(1)
        return answer


def test_a_report_that_comes_during_an_empty_exchange_is_handed_over_too(tmp_path: Path) -> None:
    async def life() -> int:
        channel, reporter = SlowChannel(), Reporter(ReportQueue(tmp_path / "queue"))
        task = asyncio.create_task(reporter.run(channel))
        reporter.exchange_now()
        await asyncio.sleep(0.5)
        reporter.add(rates)
        await asyncio.sleep(5)
        task.cancel()
        return len(channel.reports)

    assert run_virtually(life()) == 1


class DeafChannel(FakeChannel):
    asked = 0

    async def report(self, request: ReportRequest) -> ReportAnswer:
        self.asked += 1
        return ReportAnswer(taken=0)


def test_a_server_that_takes_nothing_is_asked_again_later(tmp_path: Path) -> None:
    async def life() -> tuple[int, int]:
        channel, queue = DeafChannel(), ReportQueue(tmp_path / "queue")
        reporter = Reporter(queue)
        reporter.add(rates)
        task = asyncio.create_task(reporter.run(channel))
        await asyncio.sleep(600)
        task.cancel()
        return channel.asked, len(queue)

    asked, waiting = run_virtually(life())
    assert 8 <= asked <= 30
    assert waiting == 1

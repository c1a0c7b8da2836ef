"""From fetched to last-good or rolled back, on a machine in memory and a clock that jumps."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from openbond.node.agent.daemons import Daemons
from openbond.node.agent.keeper import Keeper
from openbond.node.agent.lifecycle import Lifecycle
from openbond.node.agent.reporting import Reporter
from openbond.node.agent.supervision import Supervision
from openbond.node.agent.tunnels import TunnelStates
from openbond.node.configs import ConfigStore, Journal, Stage, StoredConfig
from openbond.node.errors import ServerUnreachable
from openbond.node.paths import Paths
from openbond.node.plan.facts import Facts, Machine
from openbond.node.report_queue import ReportQueue
from openbond.node.store import write_value
from openbond.node.verify import Refusal, Verifier
from openbond.wire.config import NodeContent
from openbond.wire.exchange import ReportAnswer, ReportRequest
from openbond.wire.reports import ConfigApplied, ConfigRefused, ConfigRolledBack, Report
from openbond.wire.states import RefusalReason, RollbackReason, ShownState
from tests.node.authority import Authority
from tests.node.fake_host import FakeHost
from tests.node.samples import aggregator, bond, bonder, connected_ip, far_leg, static_leg
from tests.node.virtual_time import run_virtually

T = TypeVar("T")
AUTHORITY = Authority()


def content(ip: str = "10.1.0.1") -> NodeContent:
    return bonder(bond(legs=[static_leg()], connected_ips=[connected_ip(ip=ip)]))


FIRST = AUTHORITY.config(content("10.1.0.1"), revision=1)
SECOND = AUTHORITY.config(content("10.2.0.1"), revision=2)
THIRD = AUTHORITY.config(content("10.3.0.1"), revision=3)


class FakeChannel:
    """A server that keeps reports, while it can be reached."""

    def __init__(self) -> None:
        self.reachable = True
        self.reports: list[Report] = []

    async def report(self, request: ReportRequest) -> ReportAnswer:
        if not self.reachable:
            raise ServerUnreachable("nobody there")
        self.reports += request.reports
        return ReportAnswer(taken=max((r.number for r in self.reports), default=0))


class Node:
    """One agent's life; `paths` and `host` outlive it."""

    def __init__(self, paths: Paths, host: FakeHost) -> None:
        self.host = host
        self.channel = FakeChannel()
        self.tunnels = TunnelStates()
        self.applied: list[NodeContent] = []
        self.reporter = Reporter(ReportQueue(paths.reports))
        self.daemons = Daemons(paths.root, lambda *_: None, lambda *_: None)
        machine = Machine("/key", "/hook", "/leases", ("tunnel",))
        self.keeper = Keeper(
            host, self.daemons, lambda _: Facts(machine), Supervision(paths), lambda *_: None
        )
        self.configs = ConfigStore(paths)
        self.lifecycle = Lifecycle(
            self.configs,
            Verifier(7, [AUTHORITY.certificate]),
            self.keeper,
            self.reporter,
            self.tunnels,
            self.applied.append,
        )

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def tunnel(self, state: ShownState, bond_id: int = 7) -> None:
        self.tunnels.set_leg(bond_id, 21, state, now=self.now)

    async def boot(self) -> None:
        async def attach(_: NodeContent) -> None:
            return

        await self.lifecycle.boot(attach)

    async def settle(self, seconds: float = 10.0) -> None:
        await asyncio.sleep(seconds)

    def addresses(self) -> list[str]:
        return sorted(str(a.ip.ip) for a in self.host.state.addresses if a.interface == "lan0")

    def told(self) -> list[tuple[type[Report], int]]:
        kinds = (ConfigApplied, ConfigRolledBack, ConfigRefused)
        return [(type(r), r.revision) for r in self.channel.reports if isinstance(r, kinds)]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.fixture
def host() -> FakeHost:
    return FakeHost("eth1", "lan0")


def live(paths: Paths, host: FakeHost, story: Callable[[Node], Awaitable[T]]) -> T:
    """Let an agent live through a story; afterwards it is killed as it stands."""

    async def life() -> T:
        node = Node(paths, host)
        await node.boot()
        loops = [
            asyncio.create_task(node.lifecycle.run()),
            asyncio.create_task(node.reporter.run(node.channel)),
        ]
        try:
            return await story(node)
        finally:
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await node.daemons.close()

    return run_virtually(life())


async def in_service(node: Node, config: StoredConfig = FIRST) -> None:
    """Bring a node to a confirmed config with its tunnel up."""
    node.lifecycle.take(config)
    node.tunnel(ShownState.UP)
    await node.settle()


@contextmanager
def on_apply(node: Node, happens: Callable[[], None]) -> Iterator[None]:
    """Let something happen as soon as the next steps are done."""
    inner, loop = node.host.apply, asyncio.get_running_loop()

    def apply(steps: tuple[object, ...]) -> object:
        outcome = inner(steps)  # type: ignore[arg-type]
        node.host.apply = inner  # type: ignore[method-assign]
        loop.call_soon_threadsafe(happens)
        return outcome

    node.host.apply = apply  # type: ignore[method-assign, assignment]
    yield


# ---------------------------------------------------------------------------------- the good ways


def test_a_first_config_is_applied_and_reported_at_once(paths: Paths, host: FakeHost) -> None:
    async def story(node: Node) -> None:
        node.lifecycle.take(FIRST)
        await node.settle(1.0)

        assert node.addresses() == ["10.1.0.1"]
        assert node.told() == [(ConfigApplied, 1)]

    live(paths, host, story)
    assert ConfigStore(paths).last_good() == FIRST


def test_a_config_that_keeps_tunnel_and_server_becomes_last_good(
    paths: Paths, host: FakeHost
) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        node.lifecycle.take(SECOND)
        await node.settle()

        assert node.told() == [(ConfigApplied, 1), (ConfigApplied, 2)]
        assert node.addresses() == ["10.2.0.1"]

    live(paths, host, story)
    assert ConfigStore(paths).last_good() == SECOND
    assert ConfigStore(paths).previous() == FIRST
    assert ConfigStore(paths).journal() is None


def test_the_same_config_again_takes_no_step(paths: Paths, host: FakeHost) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        host.done.clear()
        node.lifecycle.take(FIRST)
        await node.settle()

        assert host.done == []
        assert node.channel.reports[-1] == applied_report(node)

    live(paths, host, story)


def applied_report(node: Node) -> ConfigApplied:
    last = node.channel.reports[-1]
    return ConfigApplied(
        number=last.number, at_ms=last.at_ms, revision=1, hash=FIRST.envelope.hash, steps=0
    )


def test_steps_the_kernel_refuses_are_reported_by_object_and_the_rest_is_done(
    paths: Paths, host: FakeHost
) -> None:
    host.refused.add("add address 10.1.0.1/24 dev lan0")

    async def story(node: Node) -> None:
        node.lifecycle.take(FIRST)
        await node.settle(1.0)

        (report,) = node.channel.reports
        assert isinstance(report, ConfigApplied)
        assert [problem.about for problem in report.failures] == ["connected IP 5"]
        assert "add rule 10300: iif lan0 lookup 200000007" in host.done

    live(paths, host, story)


# ---------------------------------------------------------------------------------- rolling back


def test_a_config_that_breaks_the_tunnel_is_rolled_back(paths: Paths, host: FakeHost) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        with on_apply(node, lambda: node.tunnel(ShownState.DOWN)):
            node.lifecycle.take(SECOND)
            await node.settle(59)
        assert node.addresses() == ["10.2.0.1"]

        await node.settle(5)

        assert node.addresses() == ["10.1.0.1"]
        assert node.told()[-1] == (ConfigRolledBack, 2)
        assert reason(node) is RollbackReason.TUNNEL_DOWN
        assert node.lifecycle.claimed == FIRST

    live(paths, host, story)
    assert ConfigStore(paths).last_good() == FIRST


def reason(node: Node) -> RollbackReason:
    report = node.channel.reports[-1]
    assert isinstance(report, ConfigRolledBack)
    return report.reason


def test_a_tunnel_that_dies_a_moment_after_the_apply_counts_as_down(
    paths: Paths, host: FakeHost
) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        node.lifecycle.take(SECOND)
        await node.settle(2.5)
        node.tunnel(ShownState.DOWN)
        await node.settle(60)

        assert reason(node) is RollbackReason.TUNNEL_DOWN

    live(paths, host, story)


def test_a_config_that_cuts_the_node_off_is_rolled_back_and_reported_later(
    paths: Paths, host: FakeHost
) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        node.channel.reachable = False
        node.lifecycle.take(SECOND)
        await node.settle(70)
        assert node.addresses() == ["10.1.0.1"]

        node.channel.reachable = True
        await node.settle(100)

        assert reason(node) is RollbackReason.SERVER_UNREACHABLE

    live(paths, host, story)


def test_what_did_not_hold_before_is_not_required(paths: Paths, host: FakeHost) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        node.tunnel(ShownState.DOWN)
        await node.settle(61)
        node.lifecycle.take(SECOND)
        await node.settle()

        assert node.told()[-1] == (ConfigApplied, 2)

    live(paths, host, story)


def test_a_forced_config_stays_whatever_it_breaks(paths: Paths, host: FakeHost) -> None:
    forced = AUTHORITY.config(content("10.2.0.1"), revision=2, forced=True)

    async def story(node: Node) -> None:
        await in_service(node)
        with on_apply(node, lambda: node.tunnel(ShownState.DOWN)):
            node.lifecycle.take(forced)
            await node.settle(100)

        assert node.told()[-1] == (ConfigApplied, 2)
        assert node.addresses() == ["10.2.0.1"]

    live(paths, host, story)


def test_an_apply_that_fails_as_a_whole_is_rolled_back(paths: Paths, host: FakeHost) -> None:
    wrong = AUTHORITY.config(
        bonder(bond(legs=[static_leg()], tunnel_subnet="nonsense")), revision=2
    )

    async def story(node: Node) -> None:
        await in_service(node)
        node.lifecycle.take(wrong)
        await node.settle()

        assert reason(node) is RollbackReason.APPLY_FAILED
        assert node.addresses() == ["10.1.0.1"]

    live(paths, host, story)


def test_deleting_an_aggregators_last_bond_needs_no_tunnel(paths: Paths, host: FakeHost) -> None:
    with_bond = AUTHORITY.config(aggregator(bond(legs=[far_leg()])), revision=1)
    without = AUTHORITY.config(aggregator(), revision=2)

    async def story(node: Node) -> None:
        await in_service(node, with_bond)
        node.lifecycle.take(without)
        await node.settle()

        assert node.told()[-1] == (ConfigApplied, 2)
        assert host.state.devices == frozenset()

    live(paths, host, story)


def test_a_newer_config_corrects_one_that_waits(paths: Paths, host: FakeHost) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        with on_apply(node, lambda: node.tunnel(ShownState.DOWN)):
            node.lifecycle.take(SECOND)
            await node.settle(30)
        node.lifecycle.take(THIRD)
        await node.settle(1)
        node.tunnel(ShownState.UP)
        await node.settle()

        assert node.told() == [(ConfigApplied, 1), (ConfigApplied, 3)]
        assert node.addresses() == ["10.3.0.1"]

    live(paths, host, story)


def test_a_newer_config_that_does_not_correct_it_is_rolled_back_too(
    paths: Paths, host: FakeHost
) -> None:
    async def story(node: Node) -> None:
        await in_service(node)
        with on_apply(node, lambda: node.tunnel(ShownState.DOWN)):
            node.lifecycle.take(SECOND)
            await node.settle(59)
        node.lifecycle.take(THIRD)
        await node.settle(70)

        assert node.told() == [(ConfigApplied, 1), (ConfigRolledBack, 3)]
        assert node.addresses() == ["10.1.0.1"]

    live(paths, host, story)


# --------------------------------------------------------------------------------------- refusing


def test_a_refused_config_touches_nothing_and_is_reported(paths: Paths, host: FakeHost) -> None:
    not_mine = AUTHORITY.config(content(), node_id=8, revision=2)

    async def story(node: Node) -> None:
        await in_service(node)
        host.done.clear()
        with pytest.raises(Refusal):
            node.lifecycle.take(not_mine)
        await node.settle()

        assert host.done == []
        report = node.channel.reports[-1]
        assert isinstance(report, ConfigRefused)
        assert report.reason is RefusalReason.NOT_MINE
        assert node.lifecycle.claimed == FIRST

    live(paths, host, story)


# ------------------------------------------------------------------------------ killed, and booted


async def nothing(node: Node) -> None:
    await node.settle(1.0)


def test_a_node_boots_from_last_good_without_the_server(paths: Paths, host: FakeHost) -> None:
    live(paths, host, in_service)

    async def alone(node: Node) -> None:
        node.channel.reachable = False
        assert node.addresses() == ["10.1.0.1"]
        assert node.applied == [content("10.1.0.1")]

    live(paths, FakeHost("eth1", "lan0"), alone)


def test_an_agent_that_restarts_changes_nothing(paths: Paths, host: FakeHost) -> None:
    live(paths, host, in_service)
    host.done.clear()

    live(paths, host, nothing)

    assert host.done == []


def test_killed_before_confirmation_it_rolls_back_and_says_so(paths: Paths, host: FakeHost) -> None:
    async def killed(node: Node) -> None:
        await in_service(node)
        node.tunnel(ShownState.DOWN)
        node.lifecycle.take(SECOND)
        await node.settle(1)
        assert node.addresses() == ["10.2.0.1"]

    async def again(node: Node) -> None:
        await node.settle(1)
        assert node.addresses() == ["10.1.0.1"]
        assert reason(node) is RollbackReason.APPLY_FAILED

    live(paths, host, killed)
    live(paths, host, again)


@pytest.mark.parametrize("promoted", [False, True])
def test_killed_while_it_confirmed_it_finishes(
    paths: Paths, host: FakeHost, promoted: bool
) -> None:
    live(paths, host, in_service)
    if promoted:
        ConfigStore(paths).confirm(SECOND)
    write_value(paths.journal, Journal(stage=Stage.CONFIRMED, config=SECOND, steps=[]))

    live(paths, host, nothing)

    assert ConfigStore(paths).last_good() == SECOND
    assert ConfigStore(paths).previous() == FIRST
    assert ConfigStore(paths).journal() is None


def test_a_first_config_cut_off_is_tried_again(paths: Paths, host: FakeHost) -> None:
    write_value(paths.journal, Journal(stage=Stage.APPLYING, config=FIRST, steps=[]))

    async def story(node: Node) -> None:
        await node.settle(1.0)

        assert node.addresses() == ["10.1.0.1"]
        assert node.told() == [(ConfigApplied, 1)]

    live(paths, host, story)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"envelope": {}}', b"\xff\xfe"])
def test_a_damaged_last_good_falls_back_to_the_one_before(
    paths: Paths, host: FakeHost, damage: bytes
) -> None:
    async def two(node: Node) -> None:
        await in_service(node)
        await in_service(node, SECOND)

    live(paths, host, two)
    paths.last_good.write_bytes(damage)

    async def story(node: Node) -> None:
        assert node.addresses() == ["10.1.0.1"]

    live(paths, FakeHost("eth1", "lan0"), story)


def test_with_both_damaged_the_node_waits_for_the_server(paths: Paths, host: FakeHost) -> None:
    live(paths, host, in_service)
    paths.last_good.write_bytes(b"{")

    async def story(node: Node) -> None:
        assert node.lifecycle.claimed is None
        await in_service(node, SECOND)
        assert node.addresses() == ["10.2.0.1"]

    live(paths, FakeHost("eth1", "lan0"), story)

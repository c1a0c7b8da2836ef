"""A node that was deleted stands down, keeps one DHCP leg, and asks once an hour (§1.4)."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from openbond.node.agent.known import Known
from openbond.node.agent.management import Management
from openbond.node.agent.polling import Poller
from openbond.node.agent.speed_tests import SpeedTests
from openbond.node.channel.ways import BY_OWN_ROUTING
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import plan
from openbond.node.plan.facts import Facts, Lease, Machine, ManagementLeg
from openbond.node.plan.management import choose_management_leg
from openbond.node.plan.values import Link, Observed
from openbond.wire.config import LegConfig
from openbond.wire.exchange import PollAnswer, PollRequest, PollStatus
from openbond.wire.states import LinkMode
from tests.node.fake_host import FakeHost
from tests.node.samples import aggregator, bond, bonder, dhcp_leg, far_leg, mobile_leg, static_leg
from tests.node.test_lifecycle import AUTHORITY, Node, live

MACHINE = Machine("/key", "/hook", "/leases", ("tunnel",))
LEASE = Lease(ip="198.51.100.7", prefix=24, obtained=1, seconds=60, gateway="198.51.100.1")
LEG = ManagementLeg(leg_id=22, interface="eth2")
GONE = bonder(decommission=True)


def chosen(*legs: LegConfig, leases: dict[int, Lease] | None = None) -> int | None:
    found = choose_management_leg(bonder(bond(legs=list(legs))), leases or {})
    return found.leg_id if found else None


def test_a_dhcp_leg_with_a_lease_is_the_one_to_keep() -> None:
    legs = (static_leg(21), dhcp_leg(22, "eth2"), dhcp_leg(23, "eth3"))

    assert chosen(*legs, leases={23: LEASE}) == 23
    assert chosen(*legs) == 22


def test_without_a_dhcp_leg_another_interface_may_find_a_server() -> None:
    off = dhcp_leg(23, "eth3", mode=LinkMode.OFFLINE)

    assert chosen(static_leg(21), off) == 23
    assert chosen(mobile_leg(24), static_leg(21)) == 21
    assert chosen(mobile_leg(24)) is None
    assert chosen() is None


def test_an_aggregator_keeps_no_leg() -> None:
    assert choose_management_leg(aggregator(bond(legs=[far_leg()])), {}) is None


def test_everything_goes_but_one_leg_with_its_table() -> None:
    links = {"eth2": Link("eth2", up=False, carrier=True, mtu=1500)}
    facts = Facts(MACHINE, leases={22: LEASE}, management_leg=LEG)

    found = plan(desired=desired_for(GONE, facts), observed=Observed(links=links))

    assert [str(step) for step in found.steps if "packet filter" not in str(step)] == [
        "set link eth2 up",
        "add address 198.51.100.7/24 dev eth2 noprefixroute",
        "add route 198.51.100.0/24 dev eth2 src 198.51.100.7 table 100000022",
        "add route 0.0.0.0/0 via 198.51.100.1 dev eth2 src 198.51.100.7 table 100000022",
        "add route 0.0.0.0/0 unreachable metric 4278198272 table 100000022",
        "add rule 10100: oif eth2 lookup 100000022",
        "add rule 10200: from 198.51.100.7/32 lookup 100000022",
        "add program dhcp-22",
    ]


def test_the_server_is_asked_by_that_leg() -> None:
    known = Known(MACHINE)
    known.management_leg, known.leases = LEG, {22: LEASE}

    way, own = known.ways(GONE)

    assert (way.leg_id, way.source, way.interface) == (22, "198.51.100.7", "eth2")
    assert own == BY_OWN_ROUTING


def test_the_leg_is_remembered_over_a_reboot_and_forgotten_in_service(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    before = bonder(bond(legs=[dhcp_leg(22, "eth2")]))

    assert Management(paths).leg(GONE, before, {}) == LEG
    assert Management(paths).leg(GONE, None, {}) == LEG
    assert Management(paths).leg(GONE, GONE, {}) == LEG

    Management(paths).on_applied(before)
    assert Management(paths).leg(GONE, None, {}) is None


def test_a_node_in_service_has_no_such_leg(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    before = bonder(bond(legs=[dhcp_leg(22, "eth2")]))

    assert Management(paths).leg(before, before, {}) is None
    assert not paths.management_leg.exists()


class Polls:
    """A server that has nothing new, and notes when it was asked."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.requests: list[PollRequest] = []

    async def poll(self, request: PollRequest) -> PollAnswer:
        self.times.append(asyncio.get_running_loop().time())
        self.requests.append(request)
        return PollAnswer(status=PollStatus.NOTHING)


@pytest.fixture
def host() -> FakeHost:
    return FakeHost("eth1", "lan0")


def polling(
    paths: Paths, host: FakeHost, story: Callable[[Node, Poller], Awaitable[None]]
) -> Polls:
    polls = Polls()

    async def nothing() -> None:
        return

    async def life(node: Node) -> None:
        node.lifecycle.take(AUTHORITY.config(GONE, revision=1))
        await node.settle()
        tests = SpeedTests(node.keeper, node.daemons, node.reporter)
        poller = Poller(paths, node.lifecycle, nothing, tests)
        asking = asyncio.create_task(poller.run(polls))
        try:
            await story(node, poller)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    live(paths, host, life)
    return polls


def test_it_asks_once_an_hour_more_or_less(tmp_path: Path, host: FakeHost) -> None:
    async def a_week(_: Node, __: Poller) -> None:
        await asyncio.sleep(7 * 24 * 3600)

    polls = polling(Paths(tmp_path), host, a_week)

    pauses = [later - at for at, later in pairwise(polls.times)]
    assert all(2700 <= pause <= 4500 for pause in pauses)
    assert len(set(pauses)) > 10
    assert {request.wait_ms for request in polls.requests} == {0}


def test_the_operator_can_make_it_ask_now(tmp_path: Path, host: FakeHost) -> None:
    async def story(_: Node, poller: Poller) -> None:
        await asyncio.sleep(100)
        poller.fetch()
        await asyncio.sleep(10)

    polls = polling(Paths(tmp_path), host, story)

    assert len(polls.times) == 2


def test_without_any_leg_to_keep_it_only_stands_down() -> None:
    assert not desired_for(GONE, Facts(MACHINE)).programs

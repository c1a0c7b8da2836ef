"""What many nodes ask for together is done together, and each still gets its own answer."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from openbond.server.bonds.models import LegReport
from openbond.server.control.batches import MOST, Batches
from openbond.server.control.delivery import Asked, begin_polls
from openbond.server.control.desk import Desk
from openbond.server.control.intake import Handed, take_reports
from openbond.server.control.refusals import ChannelRefusal
from openbond.wire.exchange import POLL, REPORT, PollRequest, ReportAnswer, ReportRequest
from openbond.wire.reports import LegFacts, NodeState, Report
from openbond.wire.states import ShownState
from tests.queries import queries_of

from .conftest import Fleet
from .machine import VERSION, Machine


@pytest.fixture
def bonder(fleet: Fleet) -> Machine:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    return machine


@pytest.fixture
def aggregator(fleet: Fleet) -> Machine:
    machine = Machine("agg")
    fleet.enrol(fleet.agg_1, machine)
    return machine


def states(fleet: Fleet, number: int, *, rtt_us: int = 10, state: str = "up") -> NodeState:
    """Return a report of both legs."""
    legs = [
        LegFacts(bond_id=fleet.bond.pk, leg_id=leg.pk, state=ShownState(state), rtt_us=rtt_us)
        for leg in (fleet.static_leg, fleet.dhcp_leg)
    ]
    return NodeState(number=number, at_ms=fleet.ms(fleet.now), boot_id="boot", legs=legs)


def handed(
    fleet: Fleet, machine: Machine, *reports: Report, request_number: int | None = None
) -> Handed:
    told = ReportRequest(sent_at_ms=fleet.ms(fleet.now), reports=list(reports))
    return Handed(machine.signed(REPORT, told, number=request_number), told)


def test_both_ends_are_stored_from_one_batch(
    fleet: Fleet, bonder: Machine, aggregator: Machine
) -> None:
    batch = [
        handed(fleet, bonder, states(fleet, 1)),
        handed(fleet, aggregator, states(fleet, 1, state="down")),
    ]

    answers = take_reports(batch, now=fleet.now)

    assert answers == [ReportAnswer(taken=1), ReportAnswer(taken=1)]
    for report in LegReport.objects.all():
        assert (report.bonder_state, report.aggregator_state) == ("up", "down")


def test_what_cannot_be_stored_of_one_node_holds_up_no_other(
    fleet: Fleet, bonder: Machine, aggregator: Machine
) -> None:
    batch = [
        handed(fleet, bonder, states(fleet, 1, rtt_us=-1)),
        handed(fleet, aggregator, states(fleet, 1)),
    ]

    refused, taken = take_reports(batch, now=fleet.now)

    assert isinstance(refused, Exception)
    assert taken == ReportAnswer(taken=1)
    report = LegReport.objects.get(pk=fleet.dhcp_leg.pk)
    assert (report.bonder_state, report.aggregator_state) == ("unknown", "up")
    # Nothing of it counts as taken, so the node may put it right.
    again = take_reports([handed(fleet, bonder, states(fleet, 1))], now=fleet.now)
    assert again == [ReportAnswer(taken=1)]


def test_two_requests_of_one_machine_are_taken_in_their_order(
    fleet: Fleet, bonder: Machine
) -> None:
    batch = [
        handed(fleet, bonder, states(fleet, 1, state="down")),
        handed(fleet, bonder, states(fleet, 2)),
        handed(fleet, bonder, states(fleet, 2, state="idle")),
    ]

    answers = take_reports(batch, now=fleet.now)

    assert answers == [ReportAnswer(taken=1), ReportAnswer(taken=2), ReportAnswer(taken=2)]
    assert LegReport.objects.get(pk=fleet.dhcp_leg.pk).bonder_state == "up"


def test_a_report_that_is_in_a_request_twice_counts_once(fleet: Fleet, bonder: Machine) -> None:
    (answer,) = take_reports(
        [handed(fleet, bonder, states(fleet, 1), states(fleet, 1, state="down"))], now=fleet.now
    )

    assert answer == ReportAnswer(taken=1)
    assert LegReport.objects.get(pk=fleet.dhcp_leg.pk).bonder_state == "up"


def test_of_a_request_that_is_recorded_and_sent_beside_itself_one_is_refused(
    fleet: Fleet, bonder: Machine
) -> None:
    has = PollRequest(revision=0, hash="", software_version=VERSION)
    asked = Asked(bonder.signed(POLL, has), has)

    first, second = begin_polls([asked, asked], now=fleet.now)

    assert not isinstance(first, ChannelRefusal)
    assert isinstance(second, ChannelRefusal)
    assert second.answer.code == "replayed_number"


def test_the_statements_of_a_batch_do_not_grow_with_its_nodes(
    fleet: Fleet, bonder: Machine, aggregator: Machine
) -> None:
    def take(*machines: Machine, number: int) -> list[str]:
        fleet.now += timedelta(minutes=1)
        batch = [handed(fleet, machine, states(fleet, number)) for machine in machines]
        return queries_of(lambda: take_reports(batch, now=fleet.now))

    take(bonder, aggregator, number=1)

    one = take(bonder, number=2)
    both = take(bonder, aggregator, number=3)

    # The other end's states are another statement to look up, and another to write.
    assert len(both) <= len(one) + 3


def test_who_asks_alone_waits_for_nobody_and_who_comes_meanwhile_goes_together() -> None:
    batches: list[list[int]] = []

    def work(pieces: Sequence[int]) -> list[int | Exception]:
        batches.append(list(pieces))
        return [ValueError(f"{piece} is odd") if piece % 2 else piece * 10 for piece in pieces]

    async def ask() -> list[int | BaseException]:
        desk = Desk(threads=1)
        done = Batches(desk, work)
        first = asyncio.create_task(done.do(2))
        await asyncio.sleep(0)  # it is under way now
        rest = [done.do(piece) for piece in (4, 5, 6)]
        outcomes = await asyncio.gather(first, *rest, return_exceptions=True)
        desk.close()
        return outcomes

    two, four, five, six = asyncio.run(ask())

    assert batches[0] == [2]
    assert batches[1:] == [[4, 5, 6]]
    assert (two, four, six) == (20, 40, 60)
    assert isinstance(five, ValueError)


def test_a_full_batch_waits_for_nobody_and_what_is_left_waits_for_more() -> None:
    batches: list[int] = []

    def work(pieces: Sequence[int]) -> list[int | Exception]:
        batches.append(len(pieces))
        return list(pieces)

    async def ask() -> bool:
        desk = Desk(threads=1)
        turns = Batches(desk, work, seconds_between=3600.0)
        asked = [asyncio.create_task(turns.do(piece)) for piece in range(2 * MOST + 1)]
        await asyncio.wait(asked[: 2 * MOST])
        is_last_done = asked[-1].done()
        asked[-1].cancel()
        desk.close()
        return is_last_done

    is_last_done = asyncio.run(ask())

    assert batches == [MOST, MOST]
    assert not is_last_done

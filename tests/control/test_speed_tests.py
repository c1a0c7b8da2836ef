"""Speed tests between server and nodes: whose turn it is, what nodes are told, what they tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.bonds.services import create_bond, create_leg, restart_bond, update_bond
from openbond.server.control.delivery import Later
from openbond.server.control.models import PublishedConfig
from openbond.server.fleet.models import ConfigUpdate
from openbond.server.measurement.models import SpeedTest
from openbond.server.measurement.selectors import told_to_nodes
from openbond.server.measurement.services import (
    cancel_tuning,
    create_speed_test,
    create_tuning,
    move_speed_tests,
)
from openbond.server.system.actors import SERVER
from openbond.wire.exchange import PollAnswer, PollRequest, PollStatus
from openbond.wire.reports import (
    Counted,
    Latency,
    Report,
    SpeedTestEnded,
    SpeedTestProgress,
    SpeedTestReady,
)
from openbond.wire.speed_tests import SpeedTestOrder, StoppedBy
from openbond.wire.states import LegType

from .conftest import SECOND, Fleet
from .machine import VERSION, Machine

MINUTE = timedelta(minutes=1)
ENOUGH = Counted(span_ms=9000, received_bytes=22_500_000, received_packets=18_000)


@dataclass
class Site:
    """Both nodes of the bond, enrolled and with their configs; legs up, nothing pending."""

    fleet: Fleet
    bonder: Machine = field(default_factory=Machine)
    aggregator: Machine = field(default_factory=lambda: Machine("agg"))
    numbers: dict[str, int] = field(default_factory=dict)
    told: dict[str, dict[int, bool]] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[Machine, Machine]:
        return self.bonder, self.aggregator

    def look(self, span: timedelta = SECOND) -> None:
        """Let time pass, and the server look at the tests."""
        self.fleet.later(span)
        move_speed_tests(now=self.fleet.now)

    def orders(self, machine: Machine) -> Sequence[SpeedTestOrder]:
        """Return what a poll of the machine brings, and remember it as the machine does."""
        known = self.told.get(machine.machine_id, {})
        has = PollRequest(
            revision=1, hash=self.hash_of(machine), software_version=VERSION, speed_tests=known
        )
        answer = self.fleet.ask(machine, has)
        if isinstance(answer, Later) or isinstance(answer.speed_tests, msgspec.UnsetType):
            return []
        assert answer.status is PollStatus.NOTHING
        self.told[machine.machine_id] = {one.test_id: one.begin for one in answer.speed_tests}
        return answer.speed_tests

    def hash_of(self, machine: Machine) -> str:
        return PublishedConfig.objects.get(pk=machine.node_id).hash

    def number(self, machine: Machine) -> int:
        self.numbers[machine.machine_id] = self.numbers.get(machine.machine_id, 0) + 1
        return self.numbers[machine.machine_id]

    def ready(self, machine: Machine, test: SpeedTest) -> None:
        self.tell(machine, SpeedTestReady(**self.about(machine, test)))

    def about(self, machine: Machine, test: SpeedTest) -> dict[str, Any]:
        at_ms = self.fleet.ms(self.fleet.now)
        return {"number": self.number(machine), "at_ms": at_ms, "test_id": test.pk}

    def tell(self, machine: Machine, *reports: Report) -> None:
        self.fleet.report(machine, *reports)

    def begin(self, test: SpeedTest) -> None:
        """Let a test have its turn and both ends be ready."""
        self.look()
        for machine in self.ends:
            self.ready(machine, test)
        self.look()
        assert SpeedTest.objects.get(pk=test.pk).status == "running"

    def end(self, machine: Machine, test: SpeedTest, error: str = "") -> None:
        self.tell(machine, SpeedTestEnded(**self.about(machine, test), error=error))

    def finish(self, test: SpeedTest) -> None:
        for machine in self.ends:
            self.end(machine, test)

    def test(self, *, leg: Leg | None = None, **options: object) -> SpeedTest:
        return create_speed_test(by=SERVER, bond=self.fleet.bond, leg=leg, **options)  # type: ignore[arg-type]

    def leg_test(self, **options: object) -> SpeedTest:
        return self.test(leg=self.fleet.static_leg, **options)


def now_of(test: SpeedTest) -> SpeedTest:
    return SpeedTest.objects.get(pk=test.pk)


@pytest.fixture
def site(fleet: Fleet) -> Site:
    site = Site(fleet)
    fleet.enrol(fleet.bond.bonder, site.bonder)
    fleet.enrol(fleet.agg_1, site.aggregator)
    for machine in site.ends:
        fleet.fetch(machine)
    ConfigUpdate.objects.update(status="applied")
    show(fleet, "up")
    return site


def show(fleet: Fleet, state: str) -> None:
    LegReport.objects.filter(leg__bond=fleet.bond).update(
        bonder_state=state,
        aggregator_state=state,
        bonder_reported=fleet.now,
        aggregator_reported=fleet.now,
    )


# ------------------------------------------------------------------------------ one test, well


def test_a_test_has_its_turn_is_prepared_by_both_ends_and_begins(site: Site) -> None:
    test = site.leg_test(rate_limit_kbps=5_000, concurrency=4)
    assert site.orders(site.bonder) == []

    site.look()

    (order,) = site.orders(site.bonder)
    assert (order.test_id, order.bond_id) == (test.pk, site.fleet.bond.pk)
    assert order.leg_id == site.fleet.static_leg.pk
    assert (order.rate_limit_kbps, order.concurrency, order.begin) == (5_000, 4, False)
    assert list(site.orders(site.aggregator)) == [order]
    site.ready(site.bonder, test)
    site.look()
    assert now_of(test).status == "queued"
    site.ready(site.aggregator, test)
    site.look()
    assert (now_of(test).status, now_of(test).started) == ("running", site.fleet.now)
    assert [one.begin for one in site.orders(site.bonder)] == [True]


def test_a_node_that_was_told_waits(site: Site) -> None:
    site.leg_test()
    site.look()

    assert len(site.orders(site.bonder)) == 1
    assert site.orders(site.bonder) == []


def test_a_node_that_is_older_than_orders_is_told_of_none(site: Site) -> None:
    site.leg_test()
    site.look()

    answer = site.fleet.poll(site.bonder, revision=1, hash=site.hash_of(site.bonder))

    assert answer == Later(None)


def test_a_config_and_an_order_travel_together(site: Site) -> None:
    site.leg_test()
    site.look()
    has = PollRequest(revision=0, hash="", software_version=VERSION, speed_tests={})

    site.fleet.later(MINUTE)
    answer = site.fleet.ask(site.bonder, has)

    assert isinstance(answer, PollAnswer)
    assert answer.status is PollStatus.CONFIG
    assert isinstance(answer.speed_tests, list)
    assert len(answer.speed_tests) == 1


def test_results_are_what_the_receiver_counted_and_the_bonder_probed(site: Site) -> None:
    test = site.leg_test(direction="upload", idle_seconds=5)
    site.begin(test)

    probed = Latency(mean_us=24_600, deviation_us=1_900, samples=90)
    idle = Latency(mean_us=20_000, deviation_us=500, samples=50)
    sent = Counted(sent_packets=20_000, sent_bytes=25_000_000, received_bytes=400_000)
    site.tell(
        site.bonder,
        SpeedTestEnded(
            **site.about(site.bonder, test),
            counted=Counted(span_ms=9000, queue_milli=3_200),
            whole=sent,
            latency=probed,
            idle=idle,
        ),
    )
    assert now_of(test).status == "running"
    site.tell(
        site.aggregator,
        SpeedTestEnded(
            **site.about(site.aggregator, test),
            counted=ENOUGH,
            whole=Counted(received_packets=19_996, received_bytes=24_995_000),
        ),
    )

    found = now_of(test)
    assert found.results == {
        "throughput": 20_000_000,
        "packet_rate": 2_000,
        "latency_average": 24.6,
        "latency_deviation": 1.9,
        "latency_samples": 90,
        "send_queue_average": 3.2,
        "packet_loss": 0.02,
    }
    assert (found.status, found.finished, found.error) == ("finished", site.fleet.now, "")
    assert (found.idle_latency, found.idle_deviation) == (20.0, 0.5)
    assert (found.stopped_by, found.bytes_moved) == ("length", 25_400_000)
    assert site.orders(site.bonder) == []


def test_progress_is_the_receiver_s_second_by_second_each_once(site: Site) -> None:
    test = site.leg_test()
    site.begin(test)
    counted = Counted(span_ms=1000, received_bytes=2_500_000, received_packets=2_000)
    latency = Latency(mean_us=24_100, deviation_us=0, samples=10)
    about = site.about(site.bonder, test)
    first = SpeedTestProgress(**about, second=1, counted=counted, latency=latency)

    site.tell(site.bonder, first)
    site.tell(site.bonder, first)
    site.tell(
        site.aggregator,
        SpeedTestProgress(**site.about(site.aggregator, test), second=1, counted=Counted()),
    )
    site.tell(
        site.bonder,
        SpeedTestProgress(**site.about(site.bonder, test), second=2, counted=counted),
    )

    row = {"throughput": 20_000_000, "packet_rate": 2_000}
    assert now_of(test).progress_results == [
        {"time": 1.0, **row, "latency": 24.1},
        {"time": 2.0, **row, "latency": None},
    ]


def test_a_test_stopped_by_its_bytes_is_valid_and_says_so(site: Site) -> None:
    test = site.leg_test()
    site.begin(test)
    whole = Counted(received_bytes=2_000_400_000)
    by_bytes = SpeedTestEnded(
        **site.about(site.bonder, test), stopped_by=StoppedBy.BYTES, whole=whole
    )

    site.tell(site.bonder, by_bytes)
    site.end(site.aggregator, test)

    found = now_of(test)
    assert (found.status, found.stopped_by) == ("finished", "bytes")
    assert found.description.endswith("1 stream, stopped after 2000 MB")


def test_a_bond_test_says_that_customer_traffic_stopped(site: Site) -> None:
    test = site.test()
    site.begin(test)

    site.finish(test)

    assert now_of(test).description.endswith("customer traffic stopped meanwhile")


def test_udp_without_a_limit_is_sent_at_the_configured_speed_of_what_is_tested(site: Site) -> None:
    limits = {}
    for target, leg in (("leg", site.fleet.static_leg), ("bond", None)):
        test = site.test(leg=leg, protocol="udp", direction="upload")
        site.look(MINUTE)
        show(site.fleet, "up")
        site.look()
        (order,) = site.orders(site.bonder)
        limits[target] = order.rate_limit_kbps
        site.end(site.bonder, test, error="enough")

    assert limits == {"leg": 10_000, "bond": 15_000}
    assert SpeedTest.objects.filter(rate_limit_kbps__isnull=False).count() == 0


# ---------------------------------------------------------------------------- whose turn it is


def test_tests_of_a_bond_run_one_after_the_other_in_their_order(site: Site) -> None:
    first, second = site.leg_test(), site.test()

    site.begin(first)
    assert now_of(second).ordered is None
    site.finish(first)
    site.look()

    assert [one.test_id for one in site.orders(site.aggregator)] == [second.pk]


def test_a_test_waits_until_both_nodes_have_their_configs(site: Site) -> None:
    update_bond(by=SERVER, bond=site.fleet.bond, reorder_max_hold=99)
    test = site.leg_test()

    site.look()
    assert now_of(test).ordered is None
    ConfigUpdate.objects.update(status="applied")
    site.look()

    assert now_of(test).ordered is not None


def test_while_a_bond_is_tuned_only_the_tests_of_that_tuning_run(site: Site) -> None:
    before = site.leg_test()
    tuning = create_tuning(by=SERVER, bond=site.fleet.bond)
    of_tuning = site.leg_test(tuning=tuning)

    site.look()
    assert (now_of(before).ordered, now_of(of_tuning).ordered) == (None, site.fleet.now)
    cancel_tuning(by=SERVER, tuning=tuning)
    assert told_to_nodes() == set()
    site.look()

    assert now_of(of_tuning).status == "cancelled"
    assert now_of(before).ordered is not None


def test_at_most_four_tests_run_over_one_aggregator(site: Site) -> None:
    fleet = site.fleet
    bonds = [fleet.bond]
    for number in range(4):
        bonds.append(_bond_like(fleet, f"site-{number}"))
    ConfigUpdate.objects.update(status="applied")
    tests = [create_speed_test(by=SERVER, bond=bond) for bond in bonds]

    site.look()
    assert [now_of(test).ordered is not None for test in tests] == [True] * 4 + [False]
    site.end(site.aggregator, tests[0], error="enough")
    site.look()

    assert now_of(tests[4]).ordered is not None


def _bond_like(fleet: Fleet, name: str) -> Bond:
    bond = create_bond(by=SERVER, aggregator=fleet.agg_1, space=fleet.root, name=name)
    leg = create_leg(
        by=SERVER, bond=bond, type=LegType.DHCP, interface="eth1", down_kbps=1000, up_kbps=1000
    )
    LegReport.objects.filter(leg=leg).update(
        bonder_state="up",
        aggregator_state="up",
        bonder_reported=fleet.now,
        aggregator_reported=fleet.now,
    )
    return bond


def test_a_leg_that_comes_back_from_the_test_before_is_waited_for(site: Site) -> None:
    first, second = site.leg_test(), site.leg_test()
    site.begin(first)
    site.finish(first)
    show(site.fleet, "testing")

    site.look()
    assert (now_of(second).status, now_of(second).ordered) == ("queued", None)
    show(site.fleet, "up")
    site.look()

    assert now_of(second).ordered is not None


# ------------------------------------------------------------------------------- what goes wrong


def test_a_leg_that_went_down_before_its_turn_is_not_tested(site: Site) -> None:
    test = site.leg_test()
    show(site.fleet, "down")

    site.look()

    found = now_of(test)
    assert (found.status, found.finished) == ("failed", site.fleet.now)
    assert found.error == "Only legs that are active and up can be tested."


def test_a_bond_without_traffic_is_not_tested(site: Site) -> None:
    test = site.test()
    show(site.fleet, "down")

    site.look()

    assert now_of(test).status == "failed"
    assert now_of(test).error.startswith("The bond carries no traffic")


def test_a_node_has_ten_minutes_to_answer(site: Site) -> None:
    test = site.leg_test()
    site.look()
    site.ready(site.bonder, test)

    site.look(10 * MINUTE - SECOND)
    assert now_of(test).status == "queued"
    site.look()

    assert now_of(test).status == "failed"
    assert now_of(test).error == "The aggregator did not answer within 10 minutes."


@pytest.mark.parametrize("who", [0, 1])
def test_what_one_end_says_went_wrong_ends_the_test_for_both(site: Site, who: int) -> None:
    test = site.leg_test()
    site.begin(test)
    for machine in site.ends:
        site.orders(machine)

    site.end(site.ends[who], test, error="iperf3 is not installed.")

    assert (now_of(test).status, now_of(test).error) == ("failed", "iperf3 is not installed.")
    assert now_of(test).results is None
    for machine in site.ends:
        site.orders(machine)
        assert site.told[machine.machine_id] == {}


def test_a_node_that_falls_silent_ends_the_test(site: Site) -> None:
    test = site.leg_test(length=60)
    site.begin(test)
    counted = Counted(span_ms=1000, received_bytes=1)

    for second in range(1, 17):
        site.look()
        report = SpeedTestProgress(**site.about(site.bonder, test), second=second, counted=counted)
        site.tell(site.bonder, report)
    site.look()

    assert now_of(test).status == "failed"
    assert now_of(test).error == "The aggregator was not heard of any more."


def test_a_server_that_was_away_gives_the_nodes_time_to_tell_what_they_did(site: Site) -> None:
    test = site.leg_test(length=10)
    site.begin(test)
    site.fleet.later(MINUTE)
    began = site.fleet.now

    move_speed_tests(now=site.fleet.now, listening_since=began)
    assert now_of(test).status == "running"

    site.fleet.later(16 * SECOND)
    move_speed_tests(now=site.fleet.now, listening_since=began)
    assert now_of(test).error == "The nodes did not tell the results in time."


def test_a_test_that_does_not_end_is_ended(site: Site) -> None:
    test = site.leg_test(length=1)
    site.begin(test)

    for second in range(27):
        for machine in site.ends:
            about = site.about(machine, test)
            site.tell(machine, SpeedTestProgress(**about, second=second + 1, counted=Counted()))
        site.look()

    assert now_of(test).status == "failed"
    assert now_of(test).error == "The nodes did not tell the results in time."


def test_a_restart_of_the_bond_cancels_its_test(site: Site) -> None:
    test = site.leg_test()
    site.begin(test)

    restart_bond(by=SERVER, bond=site.fleet.bond)
    site.look()

    assert now_of(test).status == "cancelled"
    assert now_of(test).error == "The bond was restarted."


def test_a_move_of_the_bond_makes_its_test_fail(site: Site) -> None:
    test = site.leg_test()
    site.begin(test)

    Bond.objects.filter(pk=site.fleet.bond.pk).update(current_aggregator=site.fleet.agg_2)
    site.look()

    assert now_of(test).status == "failed"
    assert now_of(test).error == "The bond moved to another aggregator."


def test_what_is_told_of_a_test_that_is_over_changes_nothing(site: Site) -> None:
    test = site.leg_test()
    site.begin(test)
    site.end(site.bonder, test, error="first")

    site.end(site.aggregator, test, error="second")
    site.ready(site.aggregator, test)

    assert now_of(test).error == "first"


def test_a_node_has_no_say_in_the_tests_of_others(site: Site) -> None:
    stranger = Machine("stranger")
    site.fleet.enrol(site.fleet.agg_2, stranger)
    test = site.leg_test()
    site.begin(test)

    site.end(stranger, test, error="never mind")

    assert now_of(test).status == "running"


def test_a_server_that_starts_anew_goes_on_with_the_tests_it_finds(site: Site) -> None:
    test = site.leg_test()
    site.begin(test)

    # Another process knows nothing but the rows.
    assert told_to_nodes() == {(machine.node_id, test.pk, True) for machine in site.ends}
    site.finish(test)

    assert now_of(test).status == "finished"
    assert told_to_nodes() == set()

"""Both nodes of the bond on simulated lines: they run what they are ordered, and report it.

Time is virtual. The server's side is all real: turns, orders, reports, tunings.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypedDict

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.bonds.services import create_leg
from openbond.server.fleet.models import ConfigUpdate
from openbond.server.measurement.models import SpeedTest, Tuning
from openbond.server.measurement.rules.tuning import Measured, Numbers, Wanted
from openbond.server.measurement.selectors import orders_of
from openbond.server.measurement.services import (
    create_tuning,
    move_speed_tests,
    move_tunings,
)
from openbond.server.system.actors import SERVER
from openbond.wire.reports import (
    Counted,
    Latency,
    Report,
    SpeedTestEnded,
    SpeedTestProgress,
    SpeedTestReady,
)
from openbond.wire.speed_tests import Direction, SpeedTestOrder, TrialSettings
from openbond.wire.states import Distribution, LegType
from tests.measurement.lines import Line, Way

from .conftest import SECOND, Fleet
from .machine import Machine

# The method is tested with its own numbers (tests/measurement); here there are few tests.
QUICK = Numbers(
    idle_seconds=1,
    unlimited_seconds=2,
    unlimited_times=1,
    steady_seconds=4,
    sweep_seconds=2,
    sweep_from=100,
    sweep_to=100,
    latency_seconds=2,
)
UNSTEADY = replace(QUICK, unlimited_times=3)
# Of a longer test only so many seconds of its course are told.
MOST_TOLD = 4
BYTES_OF_PACKET = 1500
ENDED = ("succeeded", "failed", "cancelled")


def line(down: float, up: float, **shape: float) -> Line:
    return Line(down=Way(down, **shape), up=Way(up, **shape))  # type: ignore[arg-type]  # names


class About(TypedDict):
    """Which report of a machine it is, and of which test."""

    number: int
    at_ms: int
    test_id: int


@dataclass
class LinedSite:
    """A bond whose legs have lines. A leg is up unless another state is given."""

    fleet: Fleet
    lines: dict[int, Line]
    numbers: Numbers = QUICK
    states: dict[int, str] = field(default_factory=dict)
    bonder: Machine = field(default_factory=Machine)
    aggregator: Machine = field(default_factory=lambda: Machine("agg"))
    reports: dict[str, int] = field(default_factory=dict)
    # What the nodes say instead of running a test, by leg: the reason in words.
    refusals: dict[int, str] = field(default_factory=dict)
    is_answering: bool = True
    # What the bond carries with a distribution that is tried, and all that was tried.
    of_bond: dict[Distribution, Line] = field(default_factory=dict)
    trials: list[TrialSettings] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet.enrol(self.fleet.bond.bonder, self.bonder)
        self.fleet.enrol(self.fleet.agg_1, self.aggregator)
        for machine in self.ends:
            self.fleet.fetch(machine)
        ConfigUpdate.objects.update(status="applied")
        self.repeat_states()

    @property
    def ends(self) -> tuple[Machine, Machine]:
        return self.bonder, self.aggregator

    @property
    def now(self) -> datetime:
        return self.fleet.now

    def tune(self, leg: Leg | None = None, *, automatic: bool = False) -> Tuning:
        bond = self.fleet.bond
        return create_tuning(by=SERVER, bond=bond, leg=leg, automatic=automatic)

    def run(self, tuning: Tuning, *, until: Iterable[str] = ENDED) -> Tuning:
        """Let time pass until the tuning is in one of the statuses."""
        for _ in range(3000):
            row = Tuning.objects.get(pk=tuning.pk)
            if row.status in until:
                return row
            self.look()
        raise AssertionError(f"the tuning never ends: {row.status}, {row.troubles}")

    def look(self, span: timedelta = SECOND) -> None:
        """Let time pass, the server look at everything, and the nodes do what they are told."""
        self.fleet.later(span)
        self.repeat_states()
        move_tunings(numbers=self.numbers, now=self.now)
        move_speed_tests(now=self.now)
        if self.is_answering:
            self.serve()

    def wait(self, span: timedelta, *, step: timedelta = 5 * SECOND) -> None:
        until = self.now + span
        while self.now < until:
            self.look(step)

    def repeat_states(self) -> None:
        for leg_id in Leg.objects.values_list("pk", flat=True):
            state = self.states.get(leg_id, "up")
            LegReport.objects.filter(pk=leg_id).update(
                bonder_state=state,
                aggregator_state=state,
                bonder_reported=self.now,
                aggregator_reported=self.now,
            )

    def serve(self) -> None:
        for order in orders_of([self.bonder.node_id]).get(self.bonder.node_id, []):
            if not order.begin:
                for machine in self.ends:
                    self.tell(machine, SpeedTestReady(**self.about(machine, order)))
            elif order.leg_id in self.refusals:
                error = self.refusals[order.leg_id or 0]
                about = self.about(self.bonder, order)
                self.tell(self.bonder, SpeedTestEnded(**about, error=error))
            else:
                self.measure(order)

    def measure(self, order: SpeedTestOrder) -> None:
        measured = self.line_of(order).run(
            Wanted(
                order.leg_id,
                order.direction,
                order.length_seconds,
                order.concurrency,
                order.rate_limit_kbps,
                order.idle_seconds,
            )
        )
        self.fleet.later(timedelta(seconds=order.idle_seconds + order.length_seconds))
        self.repeat_states()
        is_download = order.direction is Direction.DOWNLOAD
        receiver, sender = self.ends if is_download else reversed(self.ends)
        self.tell(sender, self.ended(sender, order, measured, counted=Counted(span_ms=1000)))
        course = [
            SpeedTestProgress(
                **self.about(receiver, order),
                second=int(second),
                counted=received(kbps, span_ms=1000),
            )
            for second, kbps in measured.course[-MOST_TOLD:]
            if order.length_seconds >= self.numbers.steady_seconds
        ]
        counted = received(measured.throughput_kbps, span_ms=(order.length_seconds - 1) * 1000)
        self.tell(receiver, *course, self.ended(receiver, order, measured, counted=counted))

    def line_of(self, order: SpeedTestOrder) -> Line:
        if order.trial is None:
            return self.lines[order.leg_id or 0]
        self.trials.append(order.trial)
        return self.of_bond[order.trial.packet_distribution]

    def ended(
        self, machine: Machine, order: SpeedTestOrder, measured: Measured, *, counted: Counted
    ) -> SpeedTestEnded:
        total = received(measured.throughput_kbps, span_ms=order.length_seconds * 1000)
        packets = 100_000
        whole = Counted(
            sent_bytes=min(total.received_bytes, order.most_bytes),
            sent_packets=packets,
            received_packets=round(packets * (1 - measured.loss / 100)),
        )
        return SpeedTestEnded(
            **self.about(machine, order),
            counted=counted,
            whole=whole,
            latency=probes(measured.latency, measured.deviation),
            idle=probes(measured.idle_latency, measured.idle_deviation),
        )

    def about(self, machine: Machine, order: SpeedTestOrder) -> About:
        number = self.reports.get(machine.machine_id, 0) + 1
        self.reports[machine.machine_id] = number
        return {"number": number, "at_ms": self.fleet.ms(self.now), "test_id": order.test_id}

    def tell(self, machine: Machine, *reports: Report) -> None:
        self.fleet.report(machine, *reports)

    def tests(self, tuning: Tuning) -> list[SpeedTest]:
        return list(SpeedTest.objects.filter(tuning=tuning).order_by("id"))


def received(kbps: float, *, span_ms: int) -> Counted:
    arrived = round(kbps * span_ms / 8)
    return Counted(
        span_ms=span_ms, received_bytes=arrived, received_packets=arrived // BYTES_OF_PACKET
    )


def probes(mean_ms: float | None, deviation_ms: float | None) -> Latency | None:
    if mean_ms is None:
        return None
    deviation_us = round((deviation_ms or 0.0) * 1000)
    return Latency(mean_us=round(mean_ms * 1000), deviation_us=deviation_us, samples=50)


def add_leg(fleet: Fleet, *, failover: bool = False) -> Leg:
    return create_leg(
        by=SERVER,
        bond=fleet.bond,
        type=LegType.DHCP,
        interface="eth3",
        down_kbps=30_000,
        up_kbps=6_000,
        failover=failover,
    )

"""A small installation for the channel's tests.

root    agg-1 (198.51.100.10), agg-2 (198.51.100.20); bond "site" on agg-1, secondary agg-2,
        with a static leg on eth1, a DHCP leg on eth2, connected IP 192.168.10.1/24 on eth0
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.services.bonds import create_bond
from openbond.server.bonds.services.connected_ips import create_connected_ip
from openbond.server.bonds.services.legs import create_leg
from openbond.server.control.authority import Authority
from openbond.server.control.delivery import Asked, Later, answer_polls, begin_polls
from openbond.server.control.enrolment import enrol
from openbond.server.control.installation import FirstAdministrator, install
from openbond.server.control.intake import Handed, take_reports
from openbond.server.control.outbox import publish_changes
from openbond.server.control.revocations import RevocationList
from openbond.server.control.state_files import StateDirectory
from openbond.server.fleet.models import Aggregator, Node
from openbond.server.fleet.services import create_aggregator
from openbond.server.spaces.models import Space
from openbond.server.system.actors import SERVER
from openbond.wire.exchange import (
    POLL,
    REPORT,
    EnrolAnswer,
    PollAnswer,
    PollRequest,
    PollStatus,
    ReportAnswer,
    ReportRequest,
)
from openbond.wire.reports import ConfigApplied, Report
from openbond.wire.states import LegType
from tests.replay import replayed

from .machine import VERSION, Machine

SECOND = timedelta(seconds=1)
T = TypeVar("T")


def expected(outcome: T | Exception) -> T:
    """Return what an exchange came to; raise why it did not."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@dataclass
class Fleet:
    """The installation, a clock that a test turns, and what machines do with both."""

    root: Space
    agg_1: Aggregator
    agg_2: Aggregator
    bond: Bond
    static_leg: Leg
    dhcp_leg: Leg
    crl: RevocationList
    now: datetime

    def enrol(self, node: Node, machine: Machine) -> EnrolAnswer:
        request = machine.enrol_request()
        answer = enrol(key=node.key, request=request, crl=self.crl, now=self.now)
        machine.node_id = answer.node_id
        return answer

    def poll(
        self, machine: Machine, *, revision: int = 0, hash: str = "", wait_ms: int = 50_000
    ) -> PollAnswer | Later:
        has = PollRequest(revision=revision, hash=hash, software_version=VERSION, wait_ms=wait_ms)
        return self.ask(machine, has)

    def ask(self, machine: Machine, has: PollRequest) -> PollAnswer | Later:
        (polling,) = begin_polls([Asked(machine.signed(POLL, has), has)], now=self.now)
        (answer,) = answer_polls([expected(polling)], crl=self.crl, now=self.now)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def report(self, machine: Machine, *reports: Report) -> ReportAnswer:
        return self.report_with_clock(machine, reports, ahead=timedelta(0))

    def report_with_clock(
        self, machine: Machine, reports: Sequence[Report], *, ahead: timedelta
    ) -> ReportAnswer:
        """Report from a machine whose clock is ahead of the server's."""
        told = ReportRequest(sent_at_ms=self.ms(self.now + ahead), reports=list(reports))
        (answer,) = take_reports([Handed(machine.signed(REPORT, told), told)], now=self.now)
        return expected(answer)

    def fetch(self, machine: Machine) -> PollAnswer:
        """Publish what is due, and let the machine fetch it."""
        self.later(SECOND)
        publish_changes(now=self.now)
        answer = self.poll(machine)
        assert isinstance(answer, PollAnswer)
        assert answer.status is PollStatus.CONFIG
        return answer

    def apply(self, machine: Machine, *, number: int) -> PollAnswer:
        """Let the machine fetch, apply and report."""
        answer = self.fetch(machine)
        self.report(machine, self.applied(answer, number=number))
        return answer

    def applied(self, answer: PollAnswer, *, number: int) -> ConfigApplied:
        assert answer.envelope
        return ConfigApplied(
            number=number,
            at_ms=self.ms(self.now),
            revision=answer.envelope.revision,
            hash=answer.envelope.hash,
            steps=3,
        )

    def later(self, span: timedelta) -> None:
        # Rows are written at the real time, which on a busy machine overtakes that of the fleet.
        self.now = max(self.now, timezone.now()) + span

    @staticmethod
    def ms(at: datetime) -> int:
        return int(at.timestamp() * 1000)


@pytest.fixture
def crl(tmp_path: Path) -> RevocationList:
    state = StateDirectory(tmp_path / "state")
    state.create()
    return RevocationList(Authority.open_or_create(state.authority, now=timezone.now()))


@pytest.fixture
def fleet(db: None, crl: RevocationList) -> Fleet:
    root, agg_1, agg_2, bond, static_leg, dhcp_leg = replayed(create_rows)
    return Fleet(
        root=root,
        agg_1=agg_1,
        agg_2=agg_2,
        bond=bond,
        static_leg=static_leg,
        dhcp_leg=dhcp_leg,
        crl=crl,
        now=timezone.now(),
    )


def create_rows() -> tuple[Space, Aggregator, Aggregator, Bond, Leg, Leg]:
    administrator = FirstAdministrator(email="root@example.net", password="a-long-enough-one")
    install(administrator=administrator)
    root = Space.objects.get(parent=None)
    agg_1 = create_aggregator(by=SERVER, name="agg-1", ip="198.51.100.10", space=root)
    agg_2 = create_aggregator(by=SERVER, name="agg-2", ip="198.51.100.20", space=root)
    bond = create_bond(
        by=SERVER, aggregator=agg_1, secondary_aggregator=agg_2, space=root, name="site"
    )
    static_leg = create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.STATIC,
        interface="eth1",
        down_kbps=50_000,
        up_kbps=10_000,
        ip="192.0.2.2",
        prefix=30,
        gateway="192.0.2.1",
    )
    dhcp_leg = create_dhcp_leg(bond, failover=True)
    create_connected_ip(by=SERVER, bond=bond, interface="eth0", ip="192.168.10.1", prefix=24)
    return root, agg_1, agg_2, bond, static_leg, dhcp_leg


def create_dhcp_leg(bond: Bond, *, failover: bool = False) -> Leg:
    return create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.DHCP,
        interface="eth2",
        down_kbps=20_000,
        up_kbps=5_000,
        failover=failover,
    )

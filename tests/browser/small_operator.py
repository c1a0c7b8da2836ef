"""A believable small operator, made beside a live server: by services and by reports of nodes.

python -m tests.browser.small_operator     two customers, three aggregators, a dozen bonds

Run as a process of its own (LiveServer.all_environment says on which state directory). Every node
enrols, fetches its config and reports, as machines do; only the times of their reports are past.
"""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from uuid import uuid4

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "openbond.server.project.settings"
django.setup()

from django.utils import timezone  # noqa: E402 - after setup

from openbond.server.bonds.models import Bond, Leg  # noqa: E402
from openbond.server.bonds.services import update_aggregator, update_bond  # noqa: E402
from openbond.server.bonds.services.actions import move_bond  # noqa: E402
from openbond.server.bonds.services.bonds import create_bond  # noqa: E402
from openbond.server.bonds.services.connected_ips import create_connected_ip  # noqa: E402
from openbond.server.bonds.services.legs import create_leg  # noqa: E402
from openbond.server.control.authority import Authority  # noqa: E402
from openbond.server.control.contacts import write_contacts  # noqa: E402
from openbond.server.control.delivery import Asked, answer_polls, begin_polls  # noqa: E402
from openbond.server.control.enrolment import enrol  # noqa: E402
from openbond.server.control.intake import Handed, take_reports  # noqa: E402
from openbond.server.control.outbox import publish_changes  # noqa: E402
from openbond.server.control.revocations import RevocationList  # noqa: E402
from openbond.server.fleet.models import Aggregator, Node  # noqa: E402
from openbond.server.fleet.selectors import watched_aggregators  # noqa: E402
from openbond.server.fleet.services import create_aggregator, record_check  # noqa: E402
from openbond.server.ipam.services import create_allocation  # noqa: E402
from openbond.server.measurement.services import create_speed_test  # noqa: E402
from openbond.server.spaces.models import Group, Space  # noqa: E402
from openbond.server.spaces.services import create_space, create_user  # noqa: E402
from openbond.server.system.actors import SERVER  # noqa: E402
from openbond.server.system.selectors import current_settings  # noqa: E402
from openbond.server.system.services import update_settings  # noqa: E402
from openbond.wire.exchange import POLL, REPORT, PollAnswer, PollRequest, ReportRequest  # noqa: E402
from openbond.wire.metrics import BondMetrics, Columns, LegMetrics  # noqa: E402
from openbond.wire.reports import (  # noqa: E402
    ConfigApplied,
    LegFacts,
    LegStateChanged,
    Metrics,
    NodeState,
    Report,
)
from openbond.wire.states import LegType, ShownState  # noqa: E402
from tests.control.machine import Machine  # noqa: E402

HOURS = 24
MINUTE = timedelta(minutes=1)
SITES = (
    ("harbour-office", "Nordwind"), ("harbour-store", "Nordwind"), ("fleet-yard", "Nordwind"),
    ("ferry-1", "Nordwind"), ("ferry-2", "Nordwind"), ("lighthouse", "Nordwind"),
    ("clinic-east", "Alpenmed"), ("clinic-west", "Alpenmed"), ("pharmacy", "Alpenmed"),
    ("ambulance-7", "Alpenmed"), ("laboratory", "Alpenmed"), ("head-office", "Alpenmed"),
)  # fmt: skip
# What is wrong where: leg (1, 2, 3) → its state. Everything else is up.
TROUBLE = {
    "harbour-store": {3: ShownState.DOWN},
    "ferry-1": {2: ShownState.UNHEALTHY},
    "lighthouse": {1: ShownState.DOWN, 2: ShownState.DOWN, 3: ShownState.DOWN},
    "ambulance-7": {1: ShownState.DOWN},
    "clinic-west": {3: ShownState.ADJUSTED},
}
OLD_SOFTWARE = {"ferry-2", "pharmacy"}
LINES = ((LegType.DHCP, "eth1", 50_000, 10_000), (LegType.STATIC, "eth2", 100_000, 40_000))


@dataclass
class Teller:
    """A node that enrolled, and the number of its next report."""

    node: Node
    version: str
    machine: Machine = field(default_factory=Machine)
    number: int = 1
    boot_id: str = field(default_factory=lambda: str(uuid4()))

    def next(self) -> int:
        self.number += 1
        return self.number - 1


class Operator:
    def __init__(self) -> None:
        authority = Authority.open_or_create(
            Path(os.environ["OPENBOND_STATE_DIR"]) / "ca", now=timezone.now()
        )
        self.crl = RevocationList(authority)
        self.now = timezone.now()
        self.tellers: dict[int, Teller] = {}

    def enrol(self, node: Node, version: str) -> None:
        teller = Teller(node, version)
        teller.machine.machine_id = f"machine-{node.pk}"
        answer = enrol(
            key=node.key, request=teller.machine.enrol_request(), crl=self.crl, now=self.now
        )
        teller.machine.node_id = answer.node_id
        self.tellers[node.pk] = teller

    def report(self, teller: Teller, at: datetime, *reports: Report) -> None:
        told = ReportRequest(sent_at_ms=ms(at), reports=list(reports))
        handed = Handed(teller.machine.signed(REPORT, told), told)
        (answer,) = take_reports([handed], now=at)
        if isinstance(answer, Exception):
            raise answer

    def apply_configs(self) -> None:
        """Let every node fetch what it must know, and say that it has done it."""
        self.now = timezone.now() + timedelta(seconds=1)  # changes are gathered for a while
        publish_changes(now=self.now)
        heard = {teller.node.pk: teller.version for teller in self.tellers.values()}
        write_contacts(heard, now=self.now)
        for teller in self.tellers.values():
            has = PollRequest(revision=0, hash="", software_version=teller.version, wait_ms=1_000)
            signed = teller.machine.signed(POLL, has)
            (polling,) = begin_polls([Asked(signed, has)], now=self.now)
            if isinstance(polling, Exception):
                raise polling
            (answer,) = answer_polls([polling], crl=self.crl, now=self.now)
            if isinstance(answer, PollAnswer) and answer.envelope:
                applied = ConfigApplied(
                    number=teller.next(),
                    at_ms=ms(self.now),
                    revision=answer.envelope.revision,
                    hash=answer.envelope.hash,
                    steps=3,
                )
                self.report(teller, self.now, applied)

    def tell_states(self, bond: Bond, legs: Sequence[Leg], at: datetime, *, is_past: bool) -> None:
        """Both ends say what they see of the legs."""
        wrong = {} if is_past else TROUBLE.get(bond.bonder.name, {})
        for node_id in (bond.bonder_id, bond.current_aggregator_id):
            facts = [
                self._facts(bond, leg, place, wrong.get(place, ShownState.UP))
                for place, leg in enumerate(legs, 1)
            ]
            teller = self.tellers[node_id]
            state = NodeState(
                number=teller.next(), at_ms=ms(at), boot_id=teller.boot_id, legs=facts
            )
            self.report(teller, at, state)

    def _facts(self, bond: Bond, leg: Leg, place: int, state: ShownState) -> LegFacts:
        is_up = state is not ShownState.DOWN
        is_mobile = leg.type == LegType.MOBILEBROADBAND.value
        return LegFacts(
            bond_id=bond.pk,
            leg_id=leg.pk,
            state=state,
            ip=f"100.64.{bond.pk % 250}.{10 + place}" if is_up else None,
            prefix=24 if is_up else None,
            gateway=f"100.64.{bond.pk % 250}.1" if is_up else None,
            rtt_us=9_000 * place + 500 * (bond.pk % 7) if is_up else None,
            loss_permille=(30 if state is ShownState.UNHEALTHY else 0) if is_up else None,
            operator="Example Mobile" if is_mobile else None,
            access_technology="4g" if is_mobile else None,
            signal_quality=68 if is_mobile else None,
        )

    def change(self, bond: Bond, leg: Leg, at: datetime, *, goes_down: bool) -> None:
        old, new = ShownState.UP, ShownState.DOWN
        if not goes_down:
            old, new = new, old
        for node_id in (bond.bonder_id, bond.current_aggregator_id):
            teller = self.tellers[node_id]
            changed = LegStateChanged(
                number=teller.next(),
                at_ms=ms(at),
                bond_id=bond.pk,
                leg_id=leg.pk,
                old=old,
                new=new,
                signal="ping_timeout" if goes_down else "probes_passed",
            )
            self.report(teller, at, changed)

    def measure(self, bond: Bond, legs: Sequence[Leg], begin: datetime, minutes: int) -> None:
        """Both ends tell one sample a minute: a day that is busy in the afternoon."""
        times = [begin + MINUTE * number for number in range(minutes)]
        load = [_load(at, bond.pk) for at in times]
        for node_id, is_bonder in ((bond.bonder_id, True), (bond.current_aggregator_id, False)):
            teller = self.tellers[node_id]
            up, down = ([int(rate * share) for share in load] for rate in (9_000_000, 61_000_000))
            whole: Columns = {"up": list(up), "down": list(down)}
            parts = [
                LegMetrics(
                    leg_id=leg.pk,
                    series={
                        "up": [value // len(legs) for value in up],
                        "down": [value // len(legs) for value in down],
                        "latency": [9_000 * place + value // 9_000 for value in down],
                        ("loss_up" if is_bonder else "loss_down"): [
                            3 if value > 55_000_000 else 0 for value in down
                        ],
                    },
                )
                for place, leg in enumerate(legs, 1)
            ]
            report = Metrics(
                number=teller.next(),
                at_ms=ms(times[-1]),
                interval_ms=60_000,
                times_ms=[ms(at) for at in times],
                node={"cpu": [120 + int(200 * share) for share in load], "memory": [310]},
                bonds=[BondMetrics(bond_id=bond.pk, series=whole, legs=parts)],
            )
            self.report(teller, times[-1], report)


def _load(at: datetime, seed: int) -> float:
    hour = at.hour + at.minute / 60
    day = 0.25 + 0.55 * max(0.0, math.sin((hour - 6) / 15 * math.pi))
    return max(0.03, day + 0.18 * math.sin(at.minute * 0.9 + seed) * math.cos(at.minute * 0.37))


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def make_spaces(root: Space) -> dict[str, Space]:
    """Two customers of the operator, and who works there."""
    found = {}
    for name, mail in (("Nordwind", "ana@nordwind.example"), ("Alpenmed", "otto@alpenmed.example")):
        found[name] = create_space(
            by=SERVER,
            name=name,
            key=name.lower(),
            parent=root,
            use_parent_aggregators=True,
            use_parent_qos_profiles=True,
            use_parent_mobile_provider_profiles=True,
        )
        group = Group.objects.get(name="View")
        create_user(by=SERVER, email=mail, space=found[name], groups=[group])
    return found


def make_aggregators(root: Space) -> list[Aggregator]:
    places = (
        ("frankfurt", "198.51.100.10"),
        ("vienna", "198.51.100.20"),
        ("oslo", "198.51.100.30"),
    )
    return [create_aggregator(by=SERVER, name=name, ip=ip, space=root) for name, ip in places]


def make_bond(place: int, space: Space, aggregators: Sequence[Aggregator]) -> list[Leg]:
    """A bond with two lines and a modem, and a network behind it."""
    name, _ = SITES[place]
    bond = create_bond(
        by=SERVER,
        aggregator=aggregators[place % 3],
        secondary_aggregator=aggregators[(place + 1) % 3],
        space=space,
        name=name,
        circuit_id=f"OB-{4100 + place}",
    )
    create_connected_ip(
        by=SERVER, bond=bond, interface="eth0", ip=f"192.168.{10 + place}.1", prefix=24
    )
    legs = []
    for number, (kind, interface, down, up) in enumerate(LINES):
        more = (
            {"ip": f"192.0.2.{4 * place + 2}", "prefix": 30, "gateway": f"192.0.2.{4 * place + 1}"}
            if kind is LegType.STATIC
            else {}
        )
        legs.append(
            create_leg(
                by=SERVER, bond=bond, type=kind, interface=interface, down_kbps=down,
                up_kbps=up, note=("DSL", "fibre")[number], **more,  # type: ignore[arg-type]
            )
        )  # fmt: skip
    legs.append(
        create_leg(
            by=SERVER, bond=bond, type=LegType.PPPOE, interface="eth3", down_kbps=30_000,
            up_kbps=12_000, username=f"{name}@isp.example", password="not a real one",
        )
    )  # fmt: skip
    return legs


def fill() -> None:
    operator = Operator()
    end = operator.now
    operator.now = end - timedelta(hours=HOURS, minutes=10)
    root = Space.objects.get(parent=None)
    # What is told here stays fresh while pages are looked at.
    update_settings(
        by=SERVER,
        node_status_timeout=3600,
        server_hostname="bond.example.net",
        email_from="openbond@example.net",
        email_recipients=["noc@example.net"],
    )
    spaces, aggregators = make_spaces(root), make_aggregators(root)
    create_allocation(by=SERVER, space=root, network=IPv4Network("203.0.113.0/24"), note="public")
    bonds = [make_bond(at, spaces[SITES[at][1]], aggregators) for at in range(len(SITES))]
    for aggregator in aggregators:
        operator.enrol(aggregator, "0.1.0")
    for legs in bonds:
        name = legs[0].bond.bonder.name
        operator.enrol(legs[0].bond.bonder, "0.0.9" if name in OLD_SOFTWARE else "0.1.0")
    tell_a_day(operator, bonds, end)
    fail_one(aggregators[2], bonds)
    operator.apply_configs()
    for legs in bonds:
        bond = Bond.objects.select_related("bonder").get(pk=legs[0].bond_id)
        operator.tell_states(bond, legs, end, is_past=False)
    by_hand(bonds)


def tell_a_day(operator: Operator, bonds: Sequence[Sequence[Leg]], end: datetime) -> None:
    begin = operator.now
    for legs in bonds:
        bond = legs[0].bond
        operator.tell_states(bond, legs, begin, is_past=True)
        first = bond.bonder.name == "harbour-office"
        for hour in range(HOURS if first else 3):
            back = HOURS - hour if first else 3 - hour
            operator.measure(bond, legs, end - timedelta(hours=back), 60)
    for place, (hour, minutes) in enumerate(((20, 12), (15, 3), (9, 45), (4, 7), (2, 1))):
        legs = bonds[place]
        at = end - timedelta(hours=hour)
        leg = legs[place % 3]
        operator.change(legs[0].bond, leg, at, goes_down=True)
        operator.change(legs[0].bond, leg, at + MINUTE * minutes, goes_down=False)


def fail_one(aggregator: Aggregator, bonds: Sequence[Sequence[Leg]]) -> None:
    """One aggregator failed for a while; one of its bonds is still away."""
    update_aggregator(by=SERVER, aggregator=aggregator, failover_monitoring=True)
    for misses, is_answered in ((2, False), (3, True)):
        watched = watched_aggregators(current_settings())[0]
        now = timezone.now()
        record_check(watched=watched, misses=misses, answered=is_answered, now=now)
        if not is_answered:
            bond = Bond.objects.get(pk=bonds[2][0].bond_id)
            move_bond(by=SERVER, bond=bond, to=bond.secondary_aggregator, reason="failover")  # type: ignore[arg-type]
    update_aggregator(by=SERVER, aggregator=aggregator, failover_monitoring=False)


def by_hand(bonds: Sequence[Sequence[Leg]]) -> None:
    """What somebody did lately: a change that no node has fetched yet, and a test that waits."""
    bond = Bond.objects.get(pk=bonds[0][0].bond_id)
    update_bond(by=SERVER, bond=bond, note="Two lines by Nordnet, LTE as a spare.")
    create_speed_test(by=SERVER, bond=bond)


if __name__ == "__main__":
    fill()
    sys.stdout.write("{}\n")

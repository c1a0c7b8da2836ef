"""Reports: each number once, at corrected times, into rows and histories."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from openbond.server.bonds.models import BondReport, LegReport
from openbond.server.bonds.services.actions import move_bond
from openbond.server.bonds.services.bonds import update_bond
from openbond.server.bonds.services.legs import update_leg
from openbond.server.control.models import Enrolment, NodeEvent
from openbond.server.control.outbox import publish_changes
from openbond.server.measurement.models import LegChange
from openbond.server.measurement.selectors import state_history
from openbond.server.system.actors import SERVER
from openbond.wire.reports import (
    BondRates,
    LegFacts,
    LegStateChanged,
    NodeState,
    Noted,
    PathMtuMeasured,
    ProgramRestarted,
    Report,
    ReportsLost,
)
from openbond.wire.states import MtuMethod, ShownState

from .conftest import SECOND, Fleet
from .machine import Machine

UP, DOWN, UNKNOWN = ShownState.UP, ShownState.DOWN, ShownState.UNKNOWN
TIMEOUT = timedelta(seconds=180)


@pytest.fixture
def bonder(fleet: Fleet) -> Machine:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    fleet.fetch(machine)
    return machine


@pytest.fixture
def aggregator(fleet: Fleet) -> Machine:
    machine = Machine("agg")
    fleet.enrol(fleet.agg_1, machine)
    return machine


def states(
    fleet: Fleet,
    state: ShownState,
    *,
    number: int,
    at: datetime | None = None,
    boot_id: str = "boot-1",
    **facts: int | str | None,
) -> NodeState:
    leg = LegFacts(
        bond_id=fleet.bond.pk,
        leg_id=fleet.dhcp_leg.pk,
        state=state,
        **facts,  # type: ignore[arg-type]
    )
    return NodeState(number=number, at_ms=fleet.ms(at or fleet.now), boot_id=boot_id, legs=[leg])


def changed(
    fleet: Fleet, old: ShownState, new: ShownState, *, number: int, at: datetime | None = None
) -> LegStateChanged:
    return LegStateChanged(
        number=number,
        at_ms=fleet.ms(at or fleet.now),
        bond_id=fleet.bond.pk,
        leg_id=fleet.dhcp_leg.pk,
        old=old,
        new=new,
        signal="SILENT",
    )


def leg_report(fleet: Fleet) -> LegReport:
    return LegReport.objects.get(pk=fleet.dhcp_leg.pk)


def shown(fleet: Fleet) -> list[tuple[ShownState, int]]:
    found = state_history(fleet.dhcp_leg, now=fleet.now, timeout=TIMEOUT)
    return [(one.state, one.duration) for one in found]


def test_the_answer_says_up_to_which_number_all_is_stored(fleet: Fleet, bonder: Machine) -> None:
    answer = fleet.report(bonder, states(fleet, UP, number=1), states(fleet, UP, number=2))

    assert answer.taken == 2


def test_a_report_sent_twice_counts_once(fleet: Fleet, bonder: Machine) -> None:
    lost = ReportsLost(number=1, at_ms=fleet.ms(fleet.now), count=5)

    fleet.report(bonder, lost)
    again = fleet.report(bonder, lost)

    assert again.taken == 1
    assert NodeEvent.objects.count() == 1


def test_reports_out_of_order_are_taken_by_number(fleet: Fleet, bonder: Machine) -> None:
    fleet.report(bonder, changed(fleet, UP, DOWN, number=2), changed(fleet, UNKNOWN, UP, number=1))

    assert leg_report(fleet).bonder_state == "down"


def test_each_end_is_stored_apart(fleet: Fleet, bonder: Machine, aggregator: Machine) -> None:
    fleet.report(bonder, states(fleet, UP, number=1))
    fleet.report(aggregator, states(fleet, DOWN, number=1))

    report = leg_report(fleet)
    assert (report.bonder_state, report.aggregator_state) == ("up", "down")
    assert report.bonder_reported == fleet.now


def test_facts_of_the_bonder_are_stored(fleet: Fleet, bonder: Machine) -> None:
    an_hour_ago = fleet.ms(fleet.now) // 1000 * 1000 - 3_600_000
    fleet.report(
        bonder,
        states(
            fleet,
            ShownState.ADJUSTED,
            number=1,
            ip="192.0.2.77",
            prefix=24,
            gateway="192.0.2.1",
            dhcp_server="192.0.2.1",
            lease_obtained_ms=an_hour_ago,
            adapted_kbps=4_000,
            rtt_us=21_000,
            loss_permille=3,
        ),
    )

    report = leg_report(fleet)
    assert (report.ip, report.prefix, report.gateway) == ("192.0.2.77", 24, "192.0.2.1")
    assert report.ip_key is not None
    assert (report.adapted_up_kbps, report.adapted_down_kbps) == (4_000, None)
    assert (report.rtt_us, report.up_loss_permille) == (21_000, 3)
    assert report.lease_obtained is not None
    assert abs(report.lease_obtained - (fleet.now - timedelta(hours=1))) <= SECOND


def test_the_aggregator_speaks_for_the_other_direction(fleet: Fleet, aggregator: Machine) -> None:
    fleet.report(
        aggregator,
        states(fleet, UP, number=1, adapted_kbps=15_000),
        PathMtuMeasured(
            number=2,
            at_ms=fleet.ms(fleet.now),
            bond_id=fleet.bond.pk,
            leg_id=fleet.dhcp_leg.pk,
            mtu=1400,
        ),
    )

    report = leg_report(fleet)
    assert (report.adapted_down_kbps, report.down_mtu) == (15_000, 1400)
    assert report.down_mtu_method == MtuMethod.MEASURED
    assert report.up_mtu is None


def test_nobody_reports_about_what_it_does_not_carry(fleet: Fleet, bonder: Machine) -> None:
    other = Machine("other")
    fleet.enrol(fleet.agg_2, other)

    answer = fleet.report(
        other,
        states(fleet, DOWN, number=1),
        BondRates(
            number=2,
            at_ms=fleet.ms(fleet.now),
            bond_id=fleet.bond.pk,
            download_bps=1,
            upload_bps=1,
        ),
    )

    assert answer.taken == 2
    assert leg_report(fleet).aggregator_state == "unknown"
    assert BondReport.objects.get(pk=fleet.bond.pk).download_rate == 0


def test_an_aggregator_that_is_back_overwrites_nothing_of_a_bond_it_lost(
    fleet: Fleet, aggregator: Machine
) -> None:
    fleet.report(aggregator, states(fleet, UP, number=1))
    move_bond(by=SERVER, bond=fleet.bond, to=fleet.agg_2, reason="moved")

    answer = fleet.report(aggregator, states(fleet, DOWN, number=2))

    assert answer.taken == 2
    assert leg_report(fleet).aggregator_state == "up"


def test_rates_come_in_bytes_and_are_kept_in_bits(fleet: Fleet, bonder: Machine) -> None:
    rates = BondRates(
        number=1,
        at_ms=fleet.ms(fleet.now),
        bond_id=fleet.bond.pk,
        download_bps=1_000_000,
        upload_bps=125,
    )
    fleet.report(bonder, rates)

    report = BondReport.objects.get(pk=fleet.bond.pk)
    assert (report.download_rate, report.upload_rate) == (8_000_000, 1_000)


def test_a_restarted_program_is_remembered(fleet: Fleet, bonder: Machine) -> None:
    restarted = ProgramRestarted(
        number=1, at_ms=fleet.ms(fleet.now), program="tunnel 8", reason="killed", count=2
    )
    fleet.report(bonder, restarted)

    event = NodeEvent.objects.get()
    assert (event.text, event.count) == ("tunnel 8 was restarted: killed", 2)


def test_what_a_node_notes_is_kept_in_its_words(fleet: Fleet, bonder: Machine) -> None:
    noted = Noted(number=1, at_ms=fleet.ms(fleet.now), about="leg 24", text="the modem was reset")
    fleet.report(bonder, noted)

    event = NodeEvent.objects.get()
    assert (event.kind, event.text) == ("noted", "leg 24: the modem was reset")


def test_what_the_bonder_knows_of_a_modem_is_stored(fleet: Fleet, bonder: Machine) -> None:
    facts: dict[str, Any] = {
        "interface": "wwan0",
        "imei": "490154203237518",
        "operator": "Example Mobile",
        "access_technology": "4g",
        "signal_quality": 71,
    }
    fleet.report(bonder, states(fleet, UP, number=1, **facts))

    report = leg_report(fleet)
    assert {name: getattr(report, name) for name in facts} == facts


def test_times_are_corrected_by_the_difference_of_the_clocks(fleet: Fleet, bonder: Machine) -> None:
    fleet.later(timedelta(hours=2))
    fleet.report(bonder, states(fleet, UP, number=1))
    fleet.later(timedelta(seconds=20))
    wrong = timedelta(days=1)  # the node's clock is ahead
    happened = fleet.now - timedelta(seconds=5)

    fleet.now += wrong
    report = changed(fleet, UP, DOWN, number=2, at=happened + wrong)
    sent: list[Report] = [report]
    fleet.now -= wrong
    fleet.report_with_clock(bonder, sent, ahead=wrong)

    assert shown(fleet)[-2:] == [(UP, 15), (DOWN, 5)]


def test_the_history_follows_the_reports(fleet: Fleet, bonder: Machine) -> None:
    fleet.later(timedelta(seconds=10))
    fleet.report(bonder, states(fleet, UP, number=1))
    fleet.later(timedelta(seconds=60))
    fleet.report(bonder, changed(fleet, UP, DOWN, number=2))
    fleet.later(timedelta(seconds=20))
    fleet.report(bonder, changed(fleet, DOWN, UP, number=3))
    fleet.later(timedelta(seconds=30))

    assert shown(fleet)[1:] == [(UP, 60), (DOWN, 20), (UP, 30)]


def test_what_is_repeated_adds_no_row(fleet: Fleet, bonder: Machine) -> None:
    for number in range(1, 20):
        fleet.later(timedelta(seconds=60))
        fleet.report(bonder, states(fleet, UP, number=number))

    assert LegChange.objects.filter(leg=fleet.dhcp_leg, source="bonder").count() == 1


def test_a_silent_node_is_unknown_after_the_timeout(fleet: Fleet, bonder: Machine) -> None:
    fleet.report(bonder, states(fleet, UP, number=1))
    fleet.later(timedelta(seconds=300))

    assert shown(fleet)[-1] == (UNKNOWN, 120)


def test_an_hour_without_server_is_filled_in_by_queued_reports(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.report(bonder, states(fleet, UP, number=1))
    began = fleet.now
    fleet.later(timedelta(hours=1))

    minute = timedelta(minutes=1)
    fleet.report(
        bonder,
        changed(fleet, UP, DOWN, number=2, at=began + 20 * minute),
        changed(fleet, DOWN, UP, number=3, at=began + 30 * minute),
        states(fleet, UP, number=4),
    )

    assert [state for state, _ in shown(fleet)][-3:] == [UP, DOWN, UP]
    assert shown(fleet)[-2][1] in (599, 600, 601)


def test_a_node_that_was_rebooted_leaves_a_gap_that_is_unknown(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.report(bonder, states(fleet, UP, number=1))
    fleet.later(timedelta(hours=1))

    fleet.report(bonder, states(fleet, UP, number=2, boot_id="boot-2"))

    assert [state for state, _ in shown(fleet)][-3:] == [UP, UNKNOWN, UP]


def test_offline_is_offline_at_once_and_unknown_on_leaving_it(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.report(bonder, states(fleet, UP, number=1))
    update_leg(by=SERVER, leg=fleet.dhcp_leg, link_mode="offline")
    fleet.later(timedelta(seconds=10))
    publish_changes(now=fleet.now)
    offline = shown(fleet)[-1][0]

    fleet.dhcp_leg.refresh_from_db()
    update_leg(by=SERVER, leg=fleet.dhcp_leg, link_mode="active")
    fleet.later(timedelta(seconds=10))
    publish_changes(now=fleet.now)
    back = shown(fleet)[-1][0]

    # The node has not acted yet and still says what it was told before.
    fleet.report(bonder, states(fleet, ShownState.OFFLINE, number=2))

    assert (offline, back) == (ShownState.OFFLINE, UNKNOWN)
    assert leg_report(fleet).bonder_state == "unknown"


def test_a_moved_bond_is_unknown_to_its_new_aggregator(
    fleet: Fleet, bonder: Machine, aggregator: Machine
) -> None:
    fleet.report(aggregator, states(fleet, UP, number=1))
    update_bond(by=SERVER, bond=fleet.bond, aggregator=fleet.agg_2, secondary_aggregator=None)
    # The bonder is told when the new aggregator has applied the move, or after 30 s.
    fleet.later(timedelta(minutes=1))
    publish_changes(now=fleet.now)

    assert shown(fleet)[-1][0] is UNKNOWN


def test_the_boot_is_remembered_with_the_machine(fleet: Fleet, bonder: Machine) -> None:
    fleet.report(bonder, states(fleet, UP, number=1))

    assert Enrolment.objects.get(node_id=fleet.bond.bonder_id).boot_id == "boot-1"

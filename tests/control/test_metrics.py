"""Metrics from the channel to the database of their own, and what its trouble does to others."""

from datetime import timedelta

import pytest
from django.db import connections, transaction

from openbond.server.bonds.models import BondReport
from openbond.server.control.intake import Handed, take_reports
from openbond.server.control.models import NodeEvent
from openbond.server.telemetry import ALIAS
from openbond.server.telemetry.models import Samples, Subject
from openbond.server.telemetry.rules import samples as rules
from openbond.server.telemetry.rules.series import Told
from openbond.wire.exchange import REPORT, ReportAnswer, ReportRequest
from openbond.wire.metrics import BondMetrics, Columns, LegMetrics
from openbond.wire.reports import Metrics, Noted

from .conftest import Fleet
from .machine import Machine

pytestmark = pytest.mark.django_db(databases=["default", ALIAS])


@pytest.fixture
def bonder(fleet: Fleet) -> Machine:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    return machine


def metrics(fleet: Fleet, *, number: int = 1, bond_id: int | None = None) -> Metrics:
    newest = fleet.ms(fleet.now)
    series: Columns = {"down": [1_000, 8_000_000], "up": [500]}
    leg = LegMetrics(leg_id=fleet.static_leg.pk, series={"up": [400]})
    return Metrics(
        number=number,
        at_ms=newest,
        interval_ms=10_000,
        times_ms=[newest - 10_000, newest],
        node={"cpu": [125]},
        bonds=[BondMetrics(bond_id=bond_id or fleet.bond.pk, series=series, legs=[leg])],
    )


def handed(fleet: Fleet, machine: Machine, report: Metrics) -> Handed:
    told = ReportRequest(sent_at_ms=fleet.ms(fleet.now), reports=[report])
    return Handed(machine.signed(REPORT, told), told)


def told() -> dict[Told, rules.Samples]:
    told_by = dict(Subject.objects.values_list("pk", "told"))
    return {
        Told(told_by[row.subject_id]): rules.decoded(bytes(row.packed))
        for row in Samples.objects.all()
    }


def test_the_rates_of_a_bond_are_those_of_the_newest_sample(fleet: Fleet, bonder: Machine) -> None:
    fleet.report(bonder, metrics(fleet))

    report = BondReport.objects.get(pk=fleet.bond.pk)
    assert (report.download_rate, report.upload_rate) == (8_000_000, 500)
    assert report.reported == fleet.now


def test_both_ends_of_a_bond_tell_of_it_each_for_itself(fleet: Fleet, bonder: Machine) -> None:
    aggregator = Machine("agg")
    fleet.enrol(fleet.agg_1, aggregator)

    fleet.report(bonder, metrics(fleet))
    fleet.report(aggregator, metrics(fleet))

    assert set(told()) == {Told.NODE, Told.BOND_BY_BONDER, Told.BOND_BY_AGGREGATOR}
    # The customer's rates are the bonder's word alone.
    assert BondReport.objects.get(pk=fleet.bond.pk).reported == fleet.now


def test_nobody_measures_what_it_does_not_carry(fleet: Fleet, bonder: Machine) -> None:
    other = Machine("other")
    fleet.enrol(fleet.agg_2, other)

    fleet.report(other, metrics(fleet))

    assert set(told()) == {Told.NODE}
    assert BondReport.objects.get(pk=fleet.bond.pk).download_rate == 0


def test_times_are_corrected_by_the_clock_of_the_node(fleet: Fleet, bonder: Machine) -> None:
    ahead = timedelta(hours=7)
    fleet.now += ahead
    report = metrics(fleet)
    fleet.now -= ahead

    fleet.report_with_clock(bonder, [report], ahead=ahead)

    row = told()[Told.BOND_BY_BONDER]
    assert (row.start_ms, row.offsets_ms) == (fleet.ms(fleet.now) - 10_000, [0, 10_000])


def test_a_report_whose_answer_was_lost_counts_once(fleet: Fleet, bonder: Machine) -> None:
    report = metrics(fleet)
    with transaction.atomic():
        fleet.report(bonder, report)
        # The server dies before it has written down which reports it took.
        transaction.set_rollback(True)

    fleet.report(bonder, report)

    assert Samples.objects.count() == 2
    assert BondReport.objects.get(pk=fleet.bond.pk).download_rate == 8_000_000


@pytest.mark.django_db(databases=["default", ALIAS], transaction=True)
def test_while_metrics_cannot_be_stored_everything_else_is(
    fleet: Fleet, bonder: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    noted = Noted(number=2, at_ms=fleet.ms(fleet.now), about="leg 24", text="the modem was reset")
    with table_away():
        answer = fleet.report(bonder, metrics(fleet), noted)
        fleet.report(bonder, metrics(fleet, number=3))
    fleet.report(bonder, metrics(fleet, number=4))

    assert answer.taken == 2
    assert NodeEvent.objects.get().text == "leg 24: the modem was reset"
    assert BondReport.objects.get(pk=fleet.bond.pk).download_rate == 8_000_000
    assert set(told()) == {Told.NODE, Told.BOND_BY_BONDER}
    words = [record.getMessage() for record in caplog.records]
    assert sum("metrics cannot be stored" in line for line in words) == 1
    assert sum("metrics are stored again" in line for line in words) == 1


def test_what_cannot_be_stored_of_one_node_costs_the_others_none(
    fleet: Fleet, bonder: Machine
) -> None:
    aggregator = Machine("agg")
    fleet.enrol(fleet.agg_1, aggregator)
    batch = [
        handed(fleet, bonder, metrics(fleet, number=2**70)),
        handed(fleet, aggregator, metrics(fleet)),
    ]

    refused, taken = take_reports(batch, now=fleet.now)

    assert isinstance(refused, Exception)
    assert taken == ReportAnswer(taken=1)
    assert Samples.objects.count() == 2
    assert set(told()) == {Told.NODE, Told.BOND_BY_AGGREGATOR}
    # The bonder puts it right: both go on.
    again = take_reports([handed(fleet, bonder, metrics(fleet))], now=fleet.now)
    assert again == [ReportAnswer(taken=1)]


class table_away:
    """The table of samples is gone for a while, as on a disk that is full or damaged."""

    def __enter__(self) -> None:
        self._rename("telemetry_samples", "away")

    def __exit__(self, *trouble: object) -> None:
        self._rename("away", "telemetry_samples")

    def _rename(self, old: str, new: str) -> None:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(f'ALTER TABLE "{old}" RENAME TO "{new}"')

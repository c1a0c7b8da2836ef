"""What the two ends tell of legs and bonds: the observed rows, and the histories behind them.

Each end speaks for the direction in which it sends: the bonder for up, the aggregator for down
(behaviour 3.2). A node is heard only about bonds that it carries now.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q

from openbond.server.bonds.models import Bond, BondReport, Leg, LegReport
from openbond.server.measurement.rules import Change, Source
from openbond.server.measurement.services import record_states
from openbond.server.system.prepared import Among, ManyWrites, Prepared, ids_of
from openbond.wire.metrics import Columns
from openbond.wire.reports import (
    BondRates,
    LegStateChanged,
    Metrics,
    PathMtuMeasured,
    Report,
)
from openbond.wire.states import ShownState

from .node_states import shown
from .tellers import Arrival, Teller


def take_change(report: LegStateChanged, *, teller: Teller, at: datetime) -> None:
    """Take one change of state, sent at once when it happened."""
    for leg, end in _legs_told_by(teller, [report.leg_id]):
        # What is told now to be left is what was in force during a silence.
        alive = teller.in_row or report.old == _state_of(leg.report, end)
        record_states(
            source=end,
            told={leg.pk: Change(at, shown(leg.link_mode, report.new))},
            heard={leg.pk: _heard(leg.report, end)},
            continuous={leg.pk} if alive else (),
            timeout=teller.timeout,
        )
        columns = _state_columns(leg, end, report.new, at)
        LegReport.objects.filter(pk=leg.pk).update(**columns)


def take_path_mtu(report: PathMtuMeasured, *, teller: Teller, at: datetime) -> None:
    """Store a path MTU of the direction in which the reporting end sends (behaviour 3.7)."""
    for leg, end in _legs_told_by(teller, [report.leg_id]):
        way = _WAYS[end]
        columns = {
            f"{way}_mtu": report.mtu,
            f"{way}_mtu_method": report.method.value,
            f"{way}_mtu_measured": at,
        }
        LegReport.objects.filter(pk=leg.pk).update(**columns)


def take_rates(arrivals: Sequence[Arrival[BondRates]]) -> None:
    """Store the customers' throughput: told in bytes per second, kept in bit/s."""
    _store_rates(
        (one, one.report.bond_id, one.report.download_bps * 8, one.report.upload_bps * 8)
        for one in arrivals
    )


def take_newest_rates(arrivals: Sequence[Arrival[Metrics]]) -> None:
    """Store the customers' throughput as the newest sample has it (behaviour 4.7)."""
    newest = (
        (one, bond.bond_id, _newest(bond.series, "down"), _newest(bond.series, "up"))
        for one in arrivals
        for bond in one.report.bonds
    )
    _store_rates(
        (one, bond_id, down, up)
        for one, bond_id, down, up in newest
        if down is not None and up is not None
    )


def _newest(series: Columns, name: str) -> int | None:
    column = series.get(name)
    return column[-1] if column else None


def _store_rates(told: Iterable[tuple[Arrival[Report], int, int, int]]) -> None:
    """Store bond id, down and up in bit/s; only of bonds whose bonder tells them."""
    rates = list(told)
    rows = _BONDERS.run(ids=ids_of([bond_id for _, bond_id, _, _ in rates]))
    bonders = {row["id"]: row["bonder_id"] for row in rows}
    own = {
        bond_id: (down, up, one.at)
        for one, bond_id, down, up in rates
        if bonders.get(bond_id) == one.teller.node_id
    }
    _WRITE_RATES.run((bond_id, *values) for bond_id, values in own.items())


_BONDERS = Prepared(lambda: Bond.objects.filter(Among("id", "ids")).order_by(), "id", "bonder_id")
_WRITE_RATES = ManyWrites(BondReport, "download_rate", "upload_rate", "reported")
_WAYS = {Source.BONDER: "up", Source.AGGREGATOR: "down"}


def _legs_told_by(teller: Teller, leg_ids: Iterable[int]) -> list[tuple[Leg, Source]]:
    """Return those of the legs that the node carries, with the end that it is."""
    carried = Q(bond__bonder_id=teller.node_id) | Q(bond__current_aggregator_id=teller.node_id)
    legs = Leg.objects.filter(carried, pk__in=list(leg_ids)).select_related("bond", "report")
    return [
        (leg, Source.BONDER if leg.bond.bonder_id == teller.node_id else Source.AGGREGATOR)
        for leg in legs.order_by("id")
    ]


def _state_columns(leg: Leg, end: Source, state: ShownState, at: datetime) -> dict[str, object]:
    return {f"{end}_state": shown(leg.link_mode, state).value, f"{end}_reported": at}


def _state_of(report: LegReport, end: Source) -> str:
    state: str = getattr(report, f"{end}_state")
    return state


def _heard(report: LegReport, end: Source) -> datetime | None:
    heard: datetime | None = getattr(report, f"{end}_reported")
    return heard

"""What the two ends tell of legs and bonds: the observed rows, and the histories behind them.

Each end speaks for the direction in which it sends: the bonder for up, the aggregator for down
(behaviour 3.2). A node is heard only about bonds that it carries now.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q

from openbond.server.bonds.models import Bond, BondReport, Leg, LegReport
from openbond.server.measurement.rules import Change, Source
from openbond.server.measurement.services import record_states
from openbond.wire.metrics import Columns
from openbond.wire.reports import (
    BondRates,
    LegFacts,
    LegStateChanged,
    Metrics,
    NodeState,
    PathMtuMeasured,
)
from openbond.wire.states import LinkMode, ShownState

from .models import Enrolment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Teller:
    """The machine that reports, and how far its clock is ahead of the server's.

    `in_row`: its report follows the last one, nothing was lost between.
    """

    enrolment: Enrolment
    timeout: timedelta
    clock_ahead: timedelta
    in_row: bool

    @property
    def node_id(self) -> int:
        return self.enrolment.node_id


def take_change(report: LegStateChanged, *, teller: Teller, at: datetime) -> None:
    """Take one change of state, sent at once when it happened."""
    for leg, end in _legs_told_by(teller, [report.leg_id]):
        # What is told now to be left is what was in force during a silence.
        alive = teller.in_row or report.old == _state_of(leg.report, end)
        _record(end, {leg.pk: (leg, report.new)}, at=at, teller=teller, continuous=alive)
        columns = _state_columns(leg, end, report.new, at)
        LegReport.objects.filter(pk=leg.pk).update(**columns)


def take_states(report: NodeState, *, teller: Teller, at: datetime) -> None:
    """Take the states of all legs, told every minute; rows that do not change are not written."""
    alive = teller.in_row and teller.enrolment.boot_id == report.boot_id
    teller.enrolment.boot_id = report.boot_id
    facts = {fact.leg_id: fact for fact in report.legs}
    told: dict[Source, dict[int, tuple[Leg, ShownState]]] = {}
    for leg, end in _legs_told_by(teller, facts):
        told.setdefault(end, {})[leg.pk] = (leg, facts[leg.pk].state)
    for end, legs in told.items():
        _record(end, legs, at=at, teller=teller, continuous=alive)
        for leg, _ in legs.values():
            _write_facts(leg, end, facts[leg.pk], at=at, teller=teller)


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


def take_rates(report: BondRates, *, teller: Teller, at: datetime) -> None:
    """Store the customer's throughput: told in bytes per second, kept in bit/s."""
    rates = {report.bond_id: (report.download_bps * 8, report.upload_bps * 8)}
    _store_rates(rates, teller=teller, at=at)


def take_newest_rates(report: Metrics, *, teller: Teller, at: datetime) -> None:
    """Store the customer's throughput as the newest sample has it (behaviour 4.7)."""
    rates = {
        bond.bond_id: (down, up)
        for bond in report.bonds
        if (down := _newest(bond.series, "down")) is not None
        and (up := _newest(bond.series, "up")) is not None
    }
    _store_rates(rates, teller=teller, at=at)


def _newest(series: Columns, name: str) -> int | None:
    column = series.get(name)
    return column[-1] if column else None


def _store_rates(rates: Mapping[int, tuple[int, int]], *, teller: Teller, at: datetime) -> None:
    """Store down and up, bit/s, of those bonds whose bonder tells."""
    own = Bond.objects.filter(pk__in=list(rates), bonder_id=teller.node_id)
    for bond_id in own.values_list("pk", flat=True):
        down, up = rates[bond_id]
        told = {"download_rate": down, "upload_rate": up, "reported": at}
        BondReport.objects.update_or_create(bond_id=bond_id, defaults=told)


_WAYS = {Source.BONDER: "up", Source.AGGREGATOR: "down"}


def _legs_told_by(teller: Teller, leg_ids: Iterable[int]) -> list[tuple[Leg, Source]]:
    """Return those of the legs that the node carries, with the end that it is."""
    carried = Q(bond__bonder_id=teller.node_id) | Q(bond__current_aggregator_id=teller.node_id)
    legs = Leg.objects.filter(carried, pk__in=list(leg_ids)).select_related("bond", "report")
    return [
        (leg, Source.BONDER if leg.bond.bonder_id == teller.node_id else Source.AGGREGATOR)
        for leg in legs.order_by("id")
    ]


def _record(
    end: Source,
    told: Mapping[int, tuple[Leg, ShownState]],
    *,
    at: datetime,
    teller: Teller,
    continuous: bool,
) -> None:
    record_states(
        source=end,
        told={leg_id: Change(at, _shown(leg, state)) for leg_id, (leg, state) in told.items()},
        heard={leg_id: _heard(leg.report, end) for leg_id, (leg, _) in told.items()},
        continuous=continuous,
        timeout=teller.timeout,
    )


def _shown(leg: Leg, state: ShownState) -> ShownState:
    # An end that has not yet acted on the mode says "offline" of a leg that no longer is.
    stale = state is ShownState.OFFLINE and leg.link_mode != LinkMode.OFFLINE
    return ShownState.UNKNOWN if stale else state


def _write_facts(leg: Leg, end: Source, facts: LegFacts, *, at: datetime, teller: Teller) -> None:
    columns = {**_state_columns(leg, end, facts.state, at), **_measured(end, facts)}
    if end is Source.BONDER:
        columns |= {**_addresses(facts, teller), **_mobile(facts)}
    changed = {name: value for name, value in columns.items() if getattr(leg.report, name) != value}
    for name, value in changed.items():
        setattr(leg.report, name, value)
    if "ip" in changed:
        changed["ip_key"] = None
    leg.report.save(update_fields=list(changed))


def _state_columns(leg: Leg, end: Source, state: ShownState, at: datetime) -> dict[str, object]:
    return {f"{end}_state": _shown(leg, state).value, f"{end}_reported": at}


def _measured(end: Source, facts: LegFacts) -> dict[str, object]:
    way = _WAYS[end]
    columns: dict[str, object] = {
        f"adapted_{way}_kbps": facts.adapted_kbps,
        f"{way}_loss_permille": facts.loss_permille,
        "spill_reason": facts.spill_reason[:64],
    }
    return columns if facts.rtt_us is None else {**columns, "rtt_us": facts.rtt_us}


def _addresses(facts: LegFacts, teller: Teller) -> dict[str, object]:
    return {
        "ip": facts.ip,
        "prefix": facts.prefix,
        "gateway": facts.gateway,
        "dhcp_server": facts.dhcp_server,
        "lease_obtained": _time(facts.lease_obtained_ms, teller),
        "lease_expires": _time(facts.lease_expires_ms, teller),
    }


def _mobile(facts: LegFacts) -> dict[str, object]:
    return {
        "interface": facts.interface and facts.interface[:15],
        "imei": facts.imei and facts.imei[:20],
        "operator": facts.operator and facts.operator[:64],
        "access_technology": facts.access_technology and facts.access_technology[:2],
        "signal_quality": facts.signal_quality,
    }


def _time(milliseconds: int | None, teller: Teller) -> datetime | None:
    if milliseconds is None:
        return None
    on_server = EPOCH + timedelta(milliseconds=milliseconds) - teller.clock_ahead
    return on_server.replace(microsecond=0)


def _state_of(report: LegReport, end: Source) -> str:
    state: str = getattr(report, f"{end}_state")
    return state


def _heard(report: LegReport, end: Source) -> datetime | None:
    heard: datetime | None = getattr(report, f"{end}_reported")
    return heard

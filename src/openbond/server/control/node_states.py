"""The states of all legs, as nodes tell them every minute: many nodes' reports in one go.

Each end speaks for the direction in which it sends, as in leg_reports.py. Per batch this costs a
fixed number of statements and one row written per leg, however many nodes there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.measurement.rules import Change, Source
from openbond.server.measurement.services import record_states
from openbond.server.system.addresses import address_key
from openbond.server.system.prepared import Among, ManyWrites, Prepared, ids_of, stored_time
from openbond.wire.reports import LegFacts, NodeState
from openbond.wire.states import LinkMode, ShownState

from .tellers import EPOCH, Arrival, Teller

_LEGS = Prepared(
    lambda: Leg.objects.filter(Among("id", "ids")).order_by(),
    "id",
    "link_mode",
    "bond__bonder_id",
    "bond__current_aggregator_id",
    "report__bonder_reported",
    "report__aggregator_reported",
    "report__rtt_us",
)

_OF_BONDERS = (
    "up_spill_reason",
    "rtt_us",
    "ip",
    "ip_key",
    "prefix",
    "gateway",
    "dhcp_server",
    "lease_obtained",
    "lease_expires",
    "interface",
    "imei",
    "operator",
    "access_technology",
    "signal_quality",
)
_WRITE = {
    Source.BONDER: ManyWrites(
        LegReport,
        "bonder_state",
        "bonder_reported",
        "adapted_up_kbps",
        "up_loss_permille",
        *_OF_BONDERS,
    ),
    Source.AGGREGATOR: ManyWrites(
        LegReport,
        "aggregator_state",
        "aggregator_reported",
        "adapted_down_kbps",
        "down_loss_permille",
        "down_spill_reason",
        "rtt_us",
    ),
}


@dataclass(frozen=True, slots=True)
class _Told:
    """What one end tells of one leg. `heard`: when it was last heard of it before."""

    leg_id: int
    facts: LegFacts
    state: ShownState
    heard: datetime | None
    rtt_us: int | None
    lived: bool
    arrival: Arrival[NodeState]


def take_states(arrivals: Sequence[Arrival[NodeState]]) -> None:
    """Take the states of all legs, as told by one or many nodes; none of them twice.

    A node is heard only about legs of bonds that it carries now.
    """
    told: dict[Source, list[_Told]] = {Source.BONDER: [], Source.AGGREGATOR: []}
    for end, one in _all_told(arrivals):
        told[end].append(one)
    for end, legs in told.items():
        if legs:
            _record(end, legs)
            _WRITE[end].run(_columns(end, one) for one in legs)


def _all_told(arrivals: Sequence[Arrival[NodeState]]) -> Iterator[tuple[Source, _Told]]:
    ids = {facts.leg_id for arrival in arrivals for facts in arrival.report.legs}
    rows = {row["id"]: row for row in _LEGS.run(ids=ids_of(list(ids)))}
    for arrival in arrivals:
        teller = arrival.teller
        lived = teller.in_row and teller.boot_id == arrival.report.boot_id
        # The last word counts, should a report name a leg twice.
        for facts in {facts.leg_id: facts for facts in arrival.report.legs}.values():
            row = rows.get(facts.leg_id)
            if row is None:
                continue
            end = _end(row, teller)
            if end is not None:
                yield end, _told(end, facts, row, arrival, lived=lived)


def _told(
    end: Source, facts: LegFacts, row: dict[str, Any], arrival: Arrival[NodeState], *, lived: bool
) -> _Told:
    heard = row[f"report__{end}_reported"]
    return _Told(
        leg_id=facts.leg_id,
        facts=facts,
        state=shown(row["link_mode"], facts.state),
        heard=heard and stored_time(heard),
        rtt_us=row["report__rtt_us"],
        lived=lived,
        arrival=arrival,
    )


def shown(link_mode: str, state: ShownState) -> ShownState:
    """Return what a state counts as: an end that has not yet acted on the mode says "offline" of
    a leg that no longer is."""
    stale = state is ShownState.OFFLINE and link_mode != LinkMode.OFFLINE
    return ShownState.UNKNOWN if stale else state


def _end(row: dict[str, int], teller: Teller) -> Source | None:
    if row["bond__bonder_id"] == teller.node_id:
        return Source.BONDER
    return Source.AGGREGATOR if row["bond__current_aggregator_id"] == teller.node_id else None


def _record(end: Source, legs: Sequence[_Told]) -> None:
    record_states(
        source=end,
        told={one.leg_id: Change(one.arrival.at, one.state) for one in legs},
        heard={one.leg_id: one.heard for one in legs},
        continuous={one.leg_id for one in legs if one.lived},
        timeout=legs[0].arrival.teller.timeout,
    )


def _columns(end: Source, told: _Told) -> tuple[object, ...]:
    facts = told.facts
    measured = (
        told.leg_id,
        told.state.value,
        told.arrival.at,
        facts.adapted_kbps,
        facts.loss_permille,
        facts.spill_reason[:64],
        told.rtt_us if facts.rtt_us is None else facts.rtt_us,
    )
    if end is Source.AGGREGATOR:
        return measured
    return (*measured, *_addresses(facts, told.arrival.teller), *_mobile(facts))


def _addresses(facts: LegFacts, teller: Teller) -> tuple[object, ...]:
    return (
        facts.ip,
        address_key(facts.ip) if facts.ip else None,
        facts.prefix,
        facts.gateway,
        facts.dhcp_server,
        _time(facts.lease_obtained_ms, teller),
        _time(facts.lease_expires_ms, teller),
    )


def _mobile(facts: LegFacts) -> tuple[object, ...]:
    return (
        facts.interface and facts.interface[:15],
        facts.imei and facts.imei[:20],
        facts.operator and facts.operator[:64],
        facts.access_technology and facts.access_technology[:2],
        facts.signal_quality,
    )


def _time(milliseconds: int | None, teller: Teller) -> datetime | None:
    if milliseconds is None:
        return None
    on_server = EPOCH + timedelta(milliseconds=milliseconds) - teller.clock_ahead
    return on_server.replace(microsecond=0)

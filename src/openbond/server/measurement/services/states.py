"""Writes what was observed of legs over time."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from openbond.server.bonds.models import Bond, Leg
from openbond.server.measurement.models import LegChange, LegWatch
from openbond.server.measurement.rules import Change, Source, changes_to_record
from openbond.wire.states import LinkMode, ShownState


@transaction.atomic
def record_states(
    *,
    source: Source,
    told: Mapping[int, Change],
    heard: Mapping[int, datetime | None],
    continuous: bool,
    timeout: timedelta,
) -> None:
    """Note what one end said of legs (leg id → state and time); what it repeats adds no row.

    `heard`: when the end was last heard of each leg before. See rules.changes_to_record.
    """
    last = _last_changes(source, told)
    rows = [
        LegChange(leg_id=leg_id, source=source, state=change.state, start=change.at)
        for leg_id, said in told.items()
        for change in changes_to_record(
            last=last.get(leg_id),
            heard=heard.get(leg_id),
            told=said,
            continuous=continuous,
            timeout=timeout,
        )
    ]
    LegChange.objects.bulk_create(rows)


@transaction.atomic
def record_records(*, bond: Bond, at: datetime) -> None:
    """Note what the records say of a bond's legs: offline or not, and which aggregator reports.

    A leg that leaves `offline`, or whose bond moved, is unknown until an end says more.
    """
    watches = {watch.leg_id: watch for watch in LegWatch.objects.filter(leg__bond=bond)}
    for leg in bond.legs.all():
        seen = watches.get(leg.pk)
        now = LegWatch(
            leg=leg,
            offline=leg.link_mode == LinkMode.OFFLINE,
            on_duty=leg.link_mode == LinkMode.ACTIVE and not leg.failover,
            aggregator_id=bond.current_aggregator_id,
        )
        moves = _moves(seen, now)
        if moves:
            now.save(force_insert=seen is None)
            _write_moves(leg, moves, at=max(at, leg.created))


def _moves(seen: LegWatch | None, now: LegWatch) -> dict[Source, ShownState]:
    mode = ShownState.OFFLINE if now.offline else ShownState.UP
    duty = ShownState.UP if now.on_duty else ShownState.IDLE
    if seen is None:
        return {Source.MODE: mode, Source.DUTY: duty}
    moves = {Source.MODE: mode} if seen.offline != now.offline else {}
    if seen.on_duty != now.on_duty:
        moves[Source.DUTY] = duty
    left_offline = seen.offline and not now.offline
    if left_offline:
        moves[Source.BONDER] = ShownState.UNKNOWN
    if left_offline or seen.aggregator_id != now.aggregator_id:
        moves[Source.AGGREGATOR] = ShownState.UNKNOWN
    return moves


def _write_moves(leg: Leg, moves: Mapping[Source, ShownState], *, at: datetime) -> None:
    for source, state in moves.items():
        last = _last_changes(source, [leg.pk]).get(leg.pk)
        # What an end told of a later moment may be here already; rows stay in order.
        start = max(at, last.at) if last else at
        LegChange.objects.create(leg=leg, source=source, state=state, start=start)


def _last_changes(source: Source, leg_ids: Iterable[int]) -> dict[int, Change]:
    of_source = LegChange.objects.filter(source=source, leg_id__in=list(leg_ids))
    newest = of_source.order_by().values("leg_id").annotate(last=Max("id")).values("last")
    rows = LegChange.objects.filter(id__in=newest)
    return {row.leg_id: Change(row.start, ShownState(row.state)) for row in rows}


def forget_changes(*, before: datetime) -> None:
    """Delete changes of states older than `before`; the last of each leg and source stays."""
    old = LegChange.objects.filter(start__lt=before)
    last = old.order_by().values("leg_id", "source").annotate(last=Max("id")).values("last")
    old.exclude(id__in=list(last.values_list("last", flat=True))).delete()

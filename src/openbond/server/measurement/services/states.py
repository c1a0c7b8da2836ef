"""Writes what was observed of legs over time."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import CharField, Max, QuerySet

from openbond.server.bonds.models import Bond, Leg
from openbond.server.measurement.models import LegChange, LegWatch
from openbond.server.measurement.rules import Change, Source, changes_to_record
from openbond.server.system.prepared import Among, Given, Prepared, ids_of, stored_time
from openbond.wire.states import LinkMode, ShownState


@transaction.atomic
def record_states(
    *,
    source: Source,
    told: Mapping[int, Change],
    heard: Mapping[int, datetime | None],
    continuous: Container[int],
    timeout: timedelta,
) -> None:
    """Note what one end said of legs (leg id → state and time); what it repeats adds no row.

    `heard`: when the end was last heard of each leg before; `continuous`: the legs whose end did
    live since then. See rules.changes_to_record.
    """
    last = _last_changes(source, told)
    rows = [
        LegChange(leg_id=leg_id, source=source, state=change.state, start=change.at)
        for leg_id, said in told.items()
        for change in changes_to_record(
            last=last.get(leg_id),
            heard=heard.get(leg_id),
            told=said,
            continuous=leg_id in continuous,
            timeout=timeout,
        )
    ]
    LegChange.objects.bulk_create(rows)


@transaction.atomic
def record_records(bonds: Mapping[int, tuple[Bond, datetime]]) -> None:
    """Note what the records say of legs: offline or not, and which aggregator reports.

    `bonds`: by id, with the time of the change. A leg that leaves `offline`, or whose bond moved,
    is unknown until an end says more.
    """
    legs = list(Leg.objects.filter(bond__in=bonds).order_by("id"))
    watches = {watch.leg_id: watch for watch in LegWatch.objects.filter(leg__bond__in=bonds)}
    moved: list[tuple[Leg, dict[Source, ShownState]]] = []
    written = []
    for leg in legs:
        seen, now = watches.get(leg.pk), _watch_of(leg, bonds[leg.bond_id][0])
        moves = _moves(seen, now)
        if moves:
            moved.append((leg, moves))
            written.append(now)
    if not moved:
        return
    LegWatch.objects.bulk_create(
        written,
        update_conflicts=True,
        unique_fields=["leg"],
        update_fields=["offline", "on_duty", "aggregator_id"],
    )
    _write_moves(moved, {bond_id: at for bond_id, (_, at) in bonds.items()})


def _watch_of(leg: Leg, bond: Bond) -> LegWatch:
    return LegWatch(
        leg=leg,
        offline=leg.link_mode == LinkMode.OFFLINE,
        on_duty=leg.link_mode == LinkMode.ACTIVE and not leg.failover,
        aggregator_id=bond.current_aggregator_id,
    )


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


def _write_moves(
    moved: Sequence[tuple[Leg, Mapping[Source, ShownState]]], times: Mapping[int, datetime]
) -> None:
    touched: dict[Source, list[int]] = {}
    for leg, moves in moved:
        for source in moves:
            touched.setdefault(source, []).append(leg.pk)
    last = {source: _last_changes(source, leg_ids) for source, leg_ids in touched.items()}
    LegChange.objects.bulk_create(
        LegChange(leg=leg, source=source, state=state, start=start)
        for leg, moves in moved
        for source, state in moves.items()
        for start in [_start(leg, times[leg.bond_id], last[source].get(leg.pk))]
    )


def _start(leg: Leg, at: datetime, last: Change | None) -> datetime:
    # What an end told of a later moment may be here already; rows stay in order.
    return max(at, leg.created, last.at if last else at)


def _newest_rows() -> QuerySet[LegChange]:
    source = Given("source", CharField())
    of_source = LegChange.objects.filter(Among("leg_id", "ids"), source=source)
    newest = of_source.order_by().values("leg_id").annotate(last=Max("id")).values("last")
    return LegChange.objects.filter(id__in=newest).order_by()


_NEWEST = Prepared(_newest_rows, "leg_id", "state", "start")


def _last_changes(source: Source, leg_ids: Iterable[int]) -> dict[int, Change]:
    rows = _NEWEST.run(ids=ids_of(list(leg_ids)), source=source.value)
    return {
        row["leg_id"]: Change(stored_time(row["start"]), ShownState(row["state"])) for row in rows
    }


def forget_changes(*, before: datetime) -> None:
    """Delete changes of states older than `before`; the last of each leg and source stays."""
    old = LegChange.objects.filter(start__lt=before)
    last = old.order_by().values("leg_id", "source").annotate(last=Max("id")).values("last")
    old.exclude(id__in=list(last.values_list("last", flat=True))).delete()

"""Prevented downtime of the bonds that a viewer found (behaviour 4.9; api-v3 05-performance 4)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Max, Q, QuerySet

from openbond.server.bonds.models import Bond, LegReport
from openbond.server.measurement.models import LegChange
from openbond.server.measurement.rules import Change, Source, fresh
from openbond.server.measurement.rules.outages import (
    Outage,
    Period,
    Prevented,
    outages,
    prevented,
    previous_month,
    previous_week,
)
from openbond.server.system.selectors import current_settings
from openbond.wire.states import ShownState

Tracks = dict[Source, list[Change]]


@dataclass(frozen=True, slots=True)
class PreventedIn:
    """What was prevented in a period, over all bonds asked about."""

    period: Period
    prevented: Prevented


def downtime_prevented(bonds: QuerySet[Bond], *, now: datetime) -> tuple[PreventedIn, PreventedIn]:
    """Return what `bonds` prevented in the previous week and in the previous month."""
    settings = current_settings()
    zone = ZoneInfo(settings.timezone)
    shortest = timedelta(seconds=settings.prevented_downtime_outage_length)
    timeout = timedelta(seconds=settings.node_status_timeout)
    week, month = previous_week(now, zone), previous_month(now, zone)
    # An outage that began before the view by as much as the shortest one is long enough anyway.
    since = min(week.start, month.start) - shortest
    by_bond = _outages_by_bond(bonds, since=since, now=now, timeout=timeout)
    return (
        PreventedIn(week, _sum(by_bond, week, shortest)),
        PreventedIn(month, _sum(by_bond, month, shortest)),
    )


def _sum(by_bond: dict[int, list[list[Outage]]], period: Period, shortest: timedelta) -> Prevented:
    parts = [prevented(legs, period=period, shortest=shortest) for legs in by_bond.values()]
    return Prevented(
        duration=sum(part.duration for part in parts), count=sum(part.count for part in parts)
    )


def _outages_by_bond(
    bonds: QuerySet[Bond], *, since: datetime, now: datetime, timeout: timedelta
) -> dict[int, list[list[Outage]]]:
    tracks: dict[tuple[int, int], Tracks] = defaultdict(lambda: {one: [] for one in Source})
    for row in _changes(bonds, since):
        track = tracks[row.leg.bond_id, row.leg_id][Source(row.source)]
        track.append(Change(row.start, ShownState(row.state)))
    heard = _heard(leg_id for _, leg_id in tracks)
    found: dict[int, list[list[Outage]]] = defaultdict(list)
    for (bond_id, leg_id), of_leg in tracks.items():
        for end in (Source.BONDER, Source.AGGREGATOR):
            last = heard.get(leg_id, {}).get(end)
            of_leg[end] = fresh(of_leg[end], heard=last, now=now, timeout=timeout)
        found[bond_id].append(outages(of_leg, since=since, until=now))
    return found


def _changes(bonds: QuerySet[Bond], since: datetime) -> Iterable[LegChange]:
    """Return the rows of legs that were ever down, those from `since` and the last before it."""
    down = LegChange.objects.filter(
        leg__bond__in=bonds.order_by().values("pk"), state=ShownState.DOWN.value
    )
    rows = LegChange.objects.filter(leg__in=down.order_by().values("leg"))
    before = rows.filter(start__lt=since).order_by().values("leg", "source")
    last = before.annotate(last=Max("id")).values("last")
    return rows.filter(Q(start__gte=since) | Q(id__in=last)).select_related("leg").order_by("id")


def _heard(leg_ids: Iterable[int]) -> dict[int, dict[Source, datetime | None]]:
    reports = LegReport.objects.filter(leg__in=list(leg_ids))
    return {
        report.leg_id: {
            Source.BONDER: report.bonder_reported,
            Source.AGGREGATOR: report.aggregator_reported,
        }
        for report in reports
    }

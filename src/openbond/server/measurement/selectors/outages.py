"""Prevented downtime of the bonds that a viewer found (behaviour 4.9; api-v3 05-performance 4)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Max, Q, QuerySet

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.measurement.models import FixedPeriod, LegChange
from openbond.server.measurement.rules import Change, Source, fresh
from openbond.server.measurement.rules.outages import (
    LegTimes,
    Period,
    Prevented,
    fit_times,
    outages,
    prevented,
    previous_month,
    previous_week,
)
from openbond.server.system.selectors import current_settings
from openbond.wire.states import ShownState

Tracks = dict[Source, list[Change]]

# For so long after its end, late reports change the figures of a period.
FIXED_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PreventedIn:
    """What was prevented in a period, over all bonds asked about."""

    period: Period
    prevented: Prevented


@dataclass(frozen=True, slots=True)
class Figure:
    """What one bond prevented, with the ids of its legs that were looked at."""

    prevented: Prevented
    legs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What each bond prevented in a period, by its id; bonds that prevented nothing are absent."""

    period: Period
    figures: dict[int, Figure]


@dataclass(frozen=True, slots=True)
class _View:
    """The periods that are asked about now, and what decides what counts in them."""

    now: datetime
    zone: ZoneInfo
    shortest: timedelta
    timeout: timedelta

    @property
    def week(self) -> Period:
        return previous_week(self.now, self.zone)

    @property
    def month(self) -> Period:
        return previous_month(self.now, self.zone)

    @property
    def since(self) -> datetime:
        # An outage that began before by as much as the shortest one is long enough anyway.
        return min(self.week.start, self.month.start) - self.shortest


def downtime_prevented(bonds: QuerySet[Bond], *, now: datetime) -> tuple[PreventedIn, PreventedIn]:
    """Return what `bonds` prevented in the previous week and in the previous month."""
    view = _view(now)
    times = _times_by_bond(bonds, view)
    week, month = _figures(times, view.week, view), _figures(times, view.month, view)
    fixed = FixedPeriod.objects.filter(start=view.month.start, end=view.month.end).first()
    if fixed is not None:
        month = {**_of_changed_bonds(bonds, fixed, month), **_fixed(bonds, fixed)}
    return PreventedIn(view.week, _sum(week)), PreventedIn(view.month, _sum(month))


def figures_to_fix(bonds: QuerySet[Bond], *, now: datetime) -> Figures | None:
    """Return the figures of the previous month once it is time to keep them; None: not now."""
    view = _view(now)
    month = view.month
    kept = FixedPeriod.objects.filter(start=month.start, end=month.end)
    if now < month.end + FIXED_AFTER or kept.exists():
        return None
    return Figures(month, _figures(_times_by_bond(bonds, view), month, view))


def _view(now: datetime) -> _View:
    settings = current_settings()
    return _View(
        now,
        ZoneInfo(settings.timezone),
        timedelta(seconds=settings.prevented_downtime_outage_length),
        timedelta(seconds=settings.node_status_timeout),
    )


def _sum(figures: dict[int, Figure]) -> Prevented:
    parts = [figure.prevented for figure in figures.values()]
    return Prevented(
        duration=sum(part.duration for part in parts),
        count=sum(part.count for part in parts),
        none_left=sum(part.none_left for part in parts),
    )


def _figures(
    times: dict[int, dict[int, LegTimes]], period: Period, view: _View
) -> dict[int, Figure]:
    found = {
        bond_id: Figure(
            prevented(legs.values(), period=period, shortest=view.shortest), frozenset(legs)
        )
        for bond_id, legs in times.items()
    }
    return {bond_id: one for bond_id, one in found.items() if one.prevented.count}


def _fixed(bonds: QuerySet[Bond], period: FixedPeriod) -> dict[int, Figure]:
    """Return the kept figures of bonds whose legs are all there: deleted legs do not count."""
    rows = period.figures.filter(bond__in=bonds.order_by().values("pk"))
    figures = {
        row.bond_id: Figure(Prevented(row.duration, row.count, row.none_left), frozenset(row.legs))
        for row in rows
    }
    there = set(Leg.objects.filter(bond__in=list(figures)).values_list("pk", flat=True))
    return {bond_id: one for bond_id, one in figures.items() if one.legs <= there}


def _of_changed_bonds(
    bonds: QuerySet[Bond], period: FixedPeriod, figures: dict[int, Figure]
) -> dict[int, Figure]:
    """Return the figures of bonds that had one when the period was fixed."""
    had = set(period.figures.filter(bond__in=list(figures)).values_list("bond", flat=True))
    return {bond_id: one for bond_id, one in figures.items() if bond_id in had}


def _times_by_bond(bonds: QuerySet[Bond], view: _View) -> dict[int, dict[int, LegTimes]]:
    """Return the times of legs by bond and leg, of bonds that have an outage at all."""
    tracks: dict[tuple[int, int], Tracks] = defaultdict(lambda: {one: [] for one in Source})
    for row in _changes(bonds, view.since):
        track = tracks[row.leg.bond_id, row.leg_id][Source(row.source)]
        track.append(Change(row.start, ShownState(row.state)))
    heard = _heard(leg_id for _, leg_id in tracks)
    found: dict[int, dict[int, LegTimes]] = defaultdict(dict)
    for (bond_id, leg_id), of_leg in tracks.items():
        for end in (Source.BONDER, Source.AGGREGATOR):
            last = heard.get(leg_id, {}).get(end)
            of_leg[end] = fresh(of_leg[end], heard=last, now=view.now, timeout=view.timeout)
        found[bond_id][leg_id] = LegTimes(
            outages(of_leg, since=view.since, until=view.now),
            fit_times(of_leg, since=view.since, until=view.now),
        )
    return found


def _changes(bonds: QuerySet[Bond], since: datetime) -> Iterable[LegChange]:
    """Return the rows of bonds one of whose legs was ever down: from `since`, and the last before.

    Of all their legs, as those tell whether any was left.
    """
    down = LegChange.objects.filter(
        leg__bond__in=bonds.order_by().values("pk"), state=ShownState.DOWN.value
    )
    rows = LegChange.objects.filter(leg__bond__in=down.order_by().values("leg__bond"))
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

"""Reads what was observed over time. Callers have found the leg through their viewer."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Max, Q

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.measurement.models import LegChange
from openbond.server.measurement.rules import HISTORY, Change, Interval, Source, fresh, history
from openbond.wire.states import ShownState


def state_history(leg: Leg, *, now: datetime, timeout: timedelta) -> list[Interval]:
    """Return the intervals of a leg's overall state over the last 24 h, oldest first.

    Contiguous; the first starts exactly 24 h ago or at creation, the last is open (behaviour 3.9).
    `timeout` is the setting node_status_timeout.
    """
    since = max(now - HISTORY, leg.created)
    tracks: dict[Source, list[Change]] = {source: [] for source in Source}
    for row in _changes_since(leg, since):
        tracks[Source(row.source)].append(Change(row.start, ShownState(row.state)))
    heard = _heard(leg)
    for end, last in heard.items():
        tracks[end] = fresh(tracks[end], heard=last, now=now, timeout=timeout)
    return history(tracks, since=since, now=now)


def _changes_since(leg: Leg, since: datetime) -> Iterable[LegChange]:
    """Return the rows in the window, and of each source the last one before it."""
    rows = LegChange.objects.filter(leg=leg)
    before = rows.filter(start__lt=since).order_by().values("source").annotate(last=Max("id"))
    return rows.filter(Q(start__gte=since) | Q(id__in=before.values("last"))).order_by("id")


def _heard(leg: Leg) -> dict[Source, datetime | None]:
    report = LegReport.objects.filter(leg=leg).first() or LegReport(leg=leg)
    return {
        Source.BONDER: report.bonder_reported,
        Source.AGGREGATOR: report.aggregator_reported,
    }

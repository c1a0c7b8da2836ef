"""Reads what was observed over time. Callers have found the leg through their viewer."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Max, Q

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.measurement.models import LegChange
from openbond.server.measurement.rules import HISTORY, Change, Interval, Source, fresh, history
from openbond.wire.states import ShownState

NEVER: dict[Source, datetime | None] = {Source.BONDER: None, Source.AGGREGATOR: None}


def state_history(leg: Leg, *, now: datetime, timeout: timedelta) -> list[Interval]:
    """Return the intervals of a leg's overall state over the last 24 h, oldest first.

    Contiguous; the first starts exactly 24 h ago or at creation, the last is open (behaviour 3.9).
    `timeout` is the setting node_status_timeout.
    """
    return state_histories([leg], now=now, timeout=timeout)[leg.pk]


def state_histories(
    legs: Sequence[Leg], *, now: datetime, timeout: timedelta
) -> dict[int, list[Interval]]:
    """Return the state_history of each leg by its id: two statements for all of them."""
    tracks: dict[int, dict[Source, list[Change]]] = {
        leg.pk: {source: [] for source in Source} for leg in legs
    }
    for row in _changes_since(legs, now - HISTORY):
        change = Change(row.start, ShownState(row.state))
        tracks[row.leg_id][Source(row.source)].append(change)
    heard = _heard(legs)
    found = {}
    for leg in legs:
        for end, last in heard.get(leg.pk, NEVER).items():
            track = tracks[leg.pk][end]
            tracks[leg.pk][end] = fresh(track, heard=last, now=now, timeout=timeout)
        found[leg.pk] = history(tracks[leg.pk], since=max(now - HISTORY, leg.created), now=now)
    return found


def _changes_since(legs: Sequence[Leg], since: datetime) -> Iterable[LegChange]:
    """Return the rows in the window, and of each leg and source the last one before it."""
    rows = LegChange.objects.filter(leg__in=[leg.pk for leg in legs])
    before = rows.filter(start__lt=since).order_by().values("leg", "source")
    last = before.annotate(last=Max("id")).values("last")
    return rows.filter(Q(start__gte=since) | Q(id__in=last)).order_by("id")


def _heard(legs: Sequence[Leg]) -> dict[int, dict[Source, datetime | None]]:
    reports = LegReport.objects.filter(leg__in=[leg.pk for leg in legs])
    rows = reports.values_list("leg_id", "bonder_reported", "aggregator_reported")
    return {pk: {Source.BONDER: one, Source.AGGREGATOR: other} for pk, one, other in rows}

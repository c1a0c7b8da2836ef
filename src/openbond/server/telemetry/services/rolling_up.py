"""Samples become roll-ups of 60 s, these of 3,600 s: each exactly once (behaviour 4.7, ADR 0010).

A subject's cursor says up to when, by the time of arrival, its samples stand in roll-ups. A pass
adds what came since as one more row, and moves the cursor in the same transaction. So it does not
matter when a sample was measured: a late one amends its minute and its hour like any other.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from django.db import transaction
from django.db.models import F

from openbond.server.system.prepared import ids_of
from openbond.server.telemetry import ALIAS
from openbond.server.telemetry.models import Hours, Minutes, Subject
from openbond.server.telemetry.rules import roll_ups, samples
from openbond.server.telemetry.rules.gathering import Gathering
from openbond.server.telemetry.rules.roll_ups import MONTH_S, RollUps, rolled_up
from openbond.server.telemetry.rules.samples import Samples
from openbond.server.telemetry.rules.series import Told
from openbond.server.telemetry.rules.times import DAY_MS, HOUR_MS, SECOND_MS
from openbond.server.telemetry.selectors.rows import HOURS, MINUTES, SAMPLES, readable

# Transactions that began to store samples have ended after this.
SETTLED_MS = 120 * SECOND_MS
MINUTE_S, HOUR_S = 60, 3600
# So many subjects in one transaction, and so many in one turn of the job.
CHUNK, MOST = 40, 400

Row: TypeAlias = dict[str, Any]  # of a prepared read


def roll_up_minutes(*, now_ms: int, most: int = MOST) -> int:
    """Roll up the samples of those subjects that were not for an hour, longest first.

    Return how many subjects were.
    """
    until = now_ms - SETTLED_MS
    due = Subject.objects.filter(minutes_until__lte=until - HOUR_MS).order_by("minutes_until", "pk")
    waiting = list(due[:most])
    for chunk in _chunks(waiting):
        _roll_up_minutes(chunk, until)
    return len(waiting)


def roll_up_hours(*, now_ms: int, most: int = MOST) -> int:
    """Roll up the minutes of those subjects whose minutes were not for a day, longest first."""
    due = Subject.objects.filter(
        hours_until__lte=now_ms - DAY_MS, minutes_until__gt=F("hours_until")
    ).order_by("hours_until", "pk")
    waiting = list(due[:most])
    for chunk in _chunks(waiting):
        _roll_up_hours(chunk)
    return len(waiting)


def _roll_up_minutes(subjects: Sequence[Subject], until: int) -> None:
    oldest = min(subject.minutes_until for subject in subjects)
    found = _by_subject(SAMPLES.run(subjects=_ids(subjects), after=oldest))
    rows = []
    for subject in subjects:
        told = [
            row["packed"]
            for row in found.get(subject.pk, [])
            if subject.minutes_until < row["at"] <= until
        ]
        for minutes in minutes_of(Told(subject.told), readable(told, samples.decoded)):
            packed = roll_ups.encoded(minutes)
            rows.append(Minutes(subject_id=subject.pk, at=until, packed=packed))
    with transaction.atomic(using=ALIAS):
        if not _are_still(subjects):
            return
        Minutes.objects.bulk_create(rows)
        Subject.objects.filter(pk__in=[subject.pk for subject in subjects]).update(
            minutes_until=until
        )


def minutes_of(told: Told, found: Iterable[Samples]) -> list[RollUps]:
    """Return samples as roll-ups of a minute, a row for each day in which some began."""
    ordered = sorted(found, key=lambda one: one.start_ms)
    rows = []
    for _, of_day in groupby(ordered, key=lambda one: one.start_ms // DAY_MS):
        together = list(of_day)
        first_ms = min(one.start_ms + min(one.offsets_ms) for one in together)
        last_s = max(one.start_ms + max(one.offsets_ms) for one in together) // SECOND_MS
        start_s = first_ms // SECOND_MS // MINUTE_S * MINUTE_S
        gathering = Gathering(
            start_s=start_s, step_s=MINUTE_S, length=(last_s - start_s) // MINUTE_S + 1
        )
        for one in together:
            gathering.add_samples(one)
        rows.append(_row(told, gathering))
    return [row for row in rows if row.series]


def _roll_up_hours(subjects: Sequence[Subject]) -> None:
    oldest = min(subject.hours_until for subject in subjects)
    found = _by_subject(MINUTES.run(subjects=_ids(subjects), after=oldest))
    fresh = {}
    for subject in subjects:
        made = [
            row["packed"]
            for row in found.get(subject.pk, [])
            if subject.hours_until < row["at"] <= subject.minutes_until
        ]
        fresh[subject.pk] = list(readable(made, roll_ups.decoded))
    with transaction.atomic(using=ALIAS):
        if not _are_still(subjects):
            return
        for subject in subjects:
            _amend_months(subject, fresh[subject.pk])
            Subject.objects.filter(pk=subject.pk).update(hours_until=subject.minutes_until)


def _amend_months(subject: Subject, minutes: Sequence[RollUps]) -> None:
    """Add minutes to the rows of the months in which they lie."""
    months = {
        at_s // MONTH_S * MONTH_S
        for row in minutes
        for at_s in (row.start_s, row.start_s + (row.length - 1) * row.step_s)
    }
    if not months:
        return
    known = {
        row["at"]: row["packed"]
        for row in HOURS.run(subjects=ids_of([subject.pk]), after=min(months) * 1000 - 1)
    }
    for month in sorted(months):
        before = [known[month * 1000]] if month * 1000 in known else []
        gathering = Gathering(start_s=month, step_s=HOUR_S, length=MONTH_S // HOUR_S)
        for row in (*readable(before, roll_ups.decoded), *minutes):
            gathering.add_roll_ups(row)
        Hours.objects.update_or_create(
            subject_id=subject.pk,
            at=month * 1000,
            defaults={"packed": roll_ups.encoded(_row(Told(subject.told), gathering))},
        )


def _row(told: Told, gathering: Gathering) -> RollUps:
    return rolled_up(
        told,
        gathering.cells,
        step_s=gathering.step_s,
        start_s=gathering.start_s,
        length=gathering.length,
    )


def _are_still(subjects: Sequence[Subject]) -> bool:
    """Lock the subjects; report whether no other server rolled them up meanwhile."""
    rows = Subject.objects.select_for_update().order_by("pk")
    now = {row.pk: row for row in rows.filter(pk__in=[subject.pk for subject in subjects])}
    return all(
        (row := now.get(subject.pk)) is not None
        and row.minutes_until == subject.minutes_until
        and row.hours_until == subject.hours_until
        for subject in subjects
    )


def _by_subject(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["subject_id"], []).append(row)
    return found


def _ids(subjects: Iterable[Subject]) -> str:
    return ids_of([subject.pk for subject in subjects])


def _chunks(subjects: Sequence[Subject]) -> Iterable[Sequence[Subject]]:
    for begin in range(0, len(subjects), CHUNK):
        yield subjects[begin : begin + CHUNK]

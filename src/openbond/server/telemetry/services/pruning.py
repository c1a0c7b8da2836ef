"""Rows that were kept long enough go, some at a time (behaviour 4.7, Retention)."""

from typing import TypeAlias

from django.db import transaction
from django.db.models import Min

from openbond.server.telemetry import ALIAS
from openbond.server.telemetry.models import Hours, Minutes, Samples, Subject
from openbond.server.telemetry.rules.times import DAY_MS

SAMPLES_KEPT_MS = 2 * DAY_MS
MINUTES_KEPT_MS = 15 * DAY_MS
HOURS_KEPT_MS = 3 * 365 * DAY_MS
MONTH_MS = 30 * DAY_MS
# So many rows in one transaction, which others wait for; and in one turn of the job.
CHUNK, MOST = 1_000, 20_000

Packed: TypeAlias = type[Samples] | type[Minutes] | type[Hours]


def prune(*, now_ms: int, most: int = MOST) -> int:
    """Delete what is older than its time; return how many rows went.

    Nothing goes that is not in a roll-up yet, however long that takes.
    """
    cursors = Subject.objects.aggregate(minutes=Min("minutes_until"), hours=Min("hours_until"))
    samples_before = min(now_ms - SAMPLES_KEPT_MS, (cursors["minutes"] or 0) + 1)
    minutes_before = min(now_ms - MINUTES_KEPT_MS, (cursors["hours"] or 0) + 1)
    gone = _prune(Samples, samples_before, most) + _prune(Minutes, minutes_before, most)
    return gone + _prune(Hours, now_ms - HOURS_KEPT_MS - MONTH_MS, most)


def _prune(rows: Packed, before: int, most: int) -> int:
    """Delete from the oldest row on; rows were written in the order of their times, or nearly."""
    gone = 0
    while gone < most:
        first = rows.objects.order_by("pk").values_list("pk", "at")[:CHUNK]
        old = [pk for pk, at in first if at < before]
        if not old:
            return gone
        with transaction.atomic(using=ALIAS):
            rows.objects.filter(pk__in=old).delete()
        gone += len(old)
    return gone

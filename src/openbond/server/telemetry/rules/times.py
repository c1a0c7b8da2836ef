"""The times of this room: ms since 1970."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
SECOND_MS, MINUTE_MS, HOUR_MS = 1000, 60_000, 3_600_000
DAY_MS = 24 * HOUR_MS


def ms_of(moment: datetime) -> int:
    return (moment - EPOCH) // MS

"""The status of a config update: one table (behaviour 1.9)."""

from datetime import datetime, timedelta
from enum import Enum, auto

from openbond.server.fleet.models import UpdateStatus


class Event(Enum):
    """What happens to a row. Only reports make APPLIED and FAILED; silence is no event."""

    DELIVERED = auto()  # the node fetched a revision that contains the row
    APPLIED = auto()  # the node reported that revision, or a later one, as applied
    FAILED = auto()  # the node reported that revision as refused or rolled back


# Every change of status is a row here. A pair that is absent changes nothing.
TRANSITIONS = {
    (UpdateStatus.PENDING, Event.DELIVERED): UpdateStatus.SENT,
    (UpdateStatus.PENDING, Event.APPLIED): UpdateStatus.APPLIED,
    (UpdateStatus.PENDING, Event.FAILED): UpdateStatus.FAILED,
    (UpdateStatus.SENT, Event.APPLIED): UpdateStatus.APPLIED,
    (UpdateStatus.SENT, Event.FAILED): UpdateStatus.FAILED,
    (UpdateStatus.FAILED, Event.DELIVERED): UpdateStatus.SENT,
    (UpdateStatus.FAILED, Event.APPLIED): UpdateStatus.APPLIED,
    (UpdateStatus.FAILED, Event.FAILED): UpdateStatus.FAILED,
}

# A revision that failed is offered again after these times, then once a night.
OFFERED_AGAIN_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
NIGHT_HOUR = 3  # UTC


def sources_of(event: Event) -> dict[UpdateStatus, list[UpdateStatus]]:
    """Return, for each status that `event` leads to, the statuses it leads there from."""
    found: dict[UpdateStatus, list[UpdateStatus]] = {}
    for (old, happened), new in TRANSITIONS.items():
        if happened is event:
            found.setdefault(new, []).append(old)
    return found


def offered_again_at(failures: int, *, now: datetime) -> datetime:
    """Return when a revision that has failed `failures` times (at least 1) is offered again."""
    if failures <= len(OFFERED_AGAIN_AFTER):
        return now + OFFERED_AGAIN_AFTER[failures - 1]
    night = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return night if night > now else night + timedelta(days=1)

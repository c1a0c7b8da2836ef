"""When a periodic job is due: arithmetic, no clock."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class Every:
    """Due when this much time has passed since the last run."""

    span: timedelta

    def last_due(self, *, now: datetime, zone: tzinfo) -> datetime:
        """Return the moment since which a job is due that has not run after it."""
        return now - self.span


@dataclass(frozen=True, slots=True)
class Nightly:
    """Due once a day at a time of the installation's time zone."""

    at: time

    def last_due(self, *, now: datetime, zone: tzinfo) -> datetime:
        """Return the moment since which a job is due that has not run after it."""
        local = now.astimezone(zone)
        today = datetime.combine(local.date(), self.at, tzinfo=zone)
        return today if today <= local else today - timedelta(days=1)


Schedule = Every | Nightly


def is_due(schedule: Schedule, *, last: datetime | None, now: datetime, zone: tzinfo) -> bool:
    """Report whether a job must run now; one missed while nothing ran is due once."""
    return last is None or last <= schedule.last_due(now=now, zone=zone)

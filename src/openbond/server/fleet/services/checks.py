"""What the failover checks find, and which process makes them (behaviour 6.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from openbond.server.fleet.models import Aggregator, AggregatorCheck, MonitorLease
from openbond.server.fleet.rules import CheckMark, after_check
from openbond.server.fleet.selectors import Watched
from openbond.server.system.actors import SERVER
from openbond.server.system.changes import Change
from openbond.server.system.services import record

# A process that stops renewing has died; another one takes the checks over after this.
LEASE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Checked:
    """Where an aggregator stands after a check, and whether it was marked, or cleared, by it."""

    mark: CheckMark
    has_changed: bool


def hold_lease(*, holder: str, now: datetime) -> bool:
    """Take or renew the right to check aggregators; report whether `holder` has it now."""
    mine = MonitorLease.objects.filter(pk=1, holder=holder)
    if mine.filter(until__gt=now + LEASE / 2).exists():
        return True
    defaults = {"holder": holder, "until": now + LEASE}
    if MonitorLease.objects.get_or_create(pk=1, defaults=defaults)[1]:
        return True
    free = MonitorLease.objects.filter(Q(holder=holder) | Q(until__lte=now), pk=1)
    return free.update(holder=holder, until=now + LEASE) == 1


def holds_lease(*, holder: str, now: datetime) -> bool:
    """Report whether `holder` has the lease, which nobody takes away until this transaction ends.

    What two processes decide is thus decided one after the other.
    """
    rows = MonitorLease.objects.select_for_update().filter(pk=1, holder=holder, until__gt=now)
    return rows.exists()


@transaction.atomic
def record_check(*, watched: Watched, misses: int, answered: bool, now: datetime) -> Checked | None:
    """Count a check, and set or clear `failed`; None: it is no longer monitored.

    `misses`: those in a row before this check, which the checker alone remembers.
    """
    rows = Aggregator.objects.select_for_update(of=("self",))
    row = rows.filter(pk=watched.aggregator_id, failover_monitoring=True).first()
    if row is None:
        return None
    _count(row, answered=answered, now=now)
    mark = CheckMark(misses=misses, failed=row.failed)
    after = after_check(mark, answered=answered, retries=watched.retries)
    if after.failed == row.failed:
        return Checked(after, has_changed=False)
    Aggregator.objects.filter(pk=row.pk).update(failed=after.failed)
    change = Change(before={"failed": row.failed}, after={"failed": after.failed})
    action = "failed" if after.failed else "recovered"
    record(by=SERVER, action=action, row=row, change=change, now=now, space_id=row.space_id)
    return Checked(after, has_changed=True)


@transaction.atomic
def forget_held(*, holder: str, now: datetime) -> None:
    """Forget what held up moves, once no aggregator is failed any more."""
    if not holds_lease(holder=holder, now=now) or Aggregator.objects.filter(failed=True).exists():
        return
    note_held(why="")
    note_hosts(fault="")


def note_held(*, why: str) -> bool:
    """Remember why due moves are not made; report whether that is a new occasion."""
    return MonitorLease.objects.filter(pk=1).exclude(held=why).update(held=why) == 1 and bool(why)


def note_hosts(*, fault: str) -> None:
    """Remember what the known hosts said when they were last asked; "": all answered."""
    MonitorLease.objects.filter(pk=1).exclude(hosts_fault=fault).update(hosts_fault=fault)


def _count(row: Aggregator, *, answered: bool, now: datetime) -> None:
    AggregatorCheck.objects.get_or_create(aggregator=row, defaults={"since": now})
    counter = "success" if answered else "failure"
    AggregatorCheck.objects.filter(pk=row.pk).update(**{counter: F(counter) + 1}, last_check=now)

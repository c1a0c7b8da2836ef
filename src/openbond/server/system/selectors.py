"""Reads of the installation's own rows."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django_tasks_db.compat import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from .models import AuditEntry, Settings
from .prepared import Prepared

STATUSES_OF_TASKS: list[str] = [status.value for status in TaskResultStatus]
KeptTask = DBTaskResult[Any, Any]

TIMEOUT = Prepared(lambda: Settings.objects.filter(pk=1), "node_status_timeout")


def current_settings() -> Settings:
    """Return the settings; the defaults where none were ever written."""
    return Settings.objects.filter(pk=1).first() or Settings(pk=1)


def node_status_timeout() -> int:
    """Return the one setting that every list of nodes, bonds and legs needs, in seconds."""
    stored = TIMEOUT.run()
    return stored[0]["node_status_timeout"] if stored else Settings(pk=1).node_status_timeout


def audit_entries(
    *,
    kind: str = "",
    object_id: int | None = None,
    actor: str = "",
    since: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Return what was changed, newest first: of one kind, one object, by one actor, since a time.

    `actor` is an e-mail address, in any case.
    """
    entries = AuditEntry.objects.select_related("space").order_by("-id")
    if kind:
        entries = entries.filter(kind=kind)
    if object_id is not None:
        entries = entries.filter(object_id=object_id)
    if actor:
        entries = entries.filter(actor_name__iexact=actor)
    return entries if since is None else entries.filter(at__gte=since)


def audit_kinds() -> list[str]:
    """Return the kinds of objects that the audit tells of, in order."""
    return sorted(AuditEntry.objects.order_by().values_list("kind", flat=True).distinct())


def kept_tasks() -> QuerySet[KeptTask]:
    """Return the background tasks, those that wait and those that ended not long ago."""
    return DBTaskResult.objects.order_by("-enqueued_at")


def words_of_failure(task: KeptTask) -> str:
    """Return what a failed task said, without the way to it; "" of one that did not fail."""
    last = task.traceback.rstrip().rpartition("\n")[2]
    name, colon, words = last.partition(": ")
    return words if colon and name.endswith(task.exception_class_path) else last


def of_failover(entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """Leave what tells of failover: marks of aggregators set and cleared, bonds moved."""
    marks = Q(kind="aggregator", action__in=("failed", "recovered"))
    return entries.filter(marks | Q(kind="bond", action="move"))

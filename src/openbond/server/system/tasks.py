"""Work for later, once however often it is asked for; rebuilding the provisioning images."""

from datetime import datetime

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone
from django_tasks import task
from django_tasks.base import Task
from django_tasks_db.compat import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from .actors import Actor
from .alerts import raise_alert
from .changes import Change
from .locks import Lock, take
from .selectors import KeptTask, current_settings
from .services import record

UNFINISHED = (TaskResultStatus.READY, TaskResultStatus.RUNNING)
NO_BUILDER = (
    "Provisioning images cannot be built: no image builder is set up on this server. "
    "The images that are there stay as they are."
)


class NoImageBuilder(Exception):
    """Nothing on this server can build images."""


def queue_iso_creation(*, by: Actor, now: datetime) -> str:
    """Queue the rebuilding of the images; return the id of the task."""
    return queue_once(create_isos, by=by, action="createisos", kind="images", now=now)


@transaction.atomic
def queue_once(what: Task[[], None], *, by: Actor, action: str, kind: str, now: datetime) -> str:
    """Queue a task that somebody asks for; return its id.

    While one is queued or running it is that one's, so that asking twice does it once.
    """
    take(Lock.TASKS)
    present = unfinished(what).values_list("pk", flat=True).first()
    if present is not None:
        return str(present)
    queued = what.enqueue()
    record(by=by, action=action, row=current_settings(), change=Change(), now=now, kind=kind)
    return str(queued.id)


def unfinished(what: Task[[], None]) -> QuerySet[KeptTask]:
    """Return those of a task that wait or run."""
    return DBTaskResult.objects.filter(task_path=what.module_path, status__in=UNFINISHED)


def task_counts() -> dict[str, int]:
    """Return how many tasks there are by status; every status is there, be it 0."""
    counts = DBTaskResult.objects.order_by().values_list("status").annotate(Count("pk"))
    return {status.lower(): 0 for status in TaskResultStatus.values} | {
        status.lower(): count for status, count in counts
    }


@task()
def create_isos() -> None:
    """Rebuild the provisioning images; say so where that cannot be done."""
    raise_alert(code="no_image_builder", about="images", text=NO_BUILDER, now=timezone.now())
    raise NoImageBuilder(NO_BUILDER)

"""Work for later: rebuilding the provisioning images."""

from datetime import datetime

from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django_tasks import task
from django_tasks_db.compat import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from .actors import Actor
from .alerts import raise_alert
from .changes import Change
from .locks import Lock, take
from .selectors import current_settings
from .services import record

UNFINISHED = (TaskResultStatus.READY, TaskResultStatus.RUNNING)
NO_BUILDER = (
    "Provisioning images cannot be built: no image builder is set up on this server. "
    "The images that are there stay as they are."
)


class NoImageBuilder(Exception):
    """Nothing on this server can build images."""


@transaction.atomic
def queue_iso_creation(*, by: Actor, now: datetime) -> str:
    """Queue the rebuilding of the images; return the id of the task.

    While one is queued or running it is that one's, so that asking twice builds once.
    """
    take(Lock.TASKS)
    unfinished = DBTaskResult.objects.filter(
        task_path=create_isos.module_path, status__in=UNFINISHED
    )
    present = unfinished.values_list("pk", flat=True).first()
    if present is not None:
        return str(present)
    queued = create_isos.enqueue()
    row = current_settings()
    record(by=by, action="createisos", row=row, change=Change(), now=now, kind="images")
    return str(queued.id)


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

"""A backup that somebody asks for at a page: made in the background, as the nightly one is."""

from datetime import datetime

from django.utils import timezone
from django_tasks import task

from openbond.server.system.actors import Actor
from openbond.server.system.tasks import queue_once, unfinished

from .upkeep import back_up


@task()
def make_backup_now() -> None:
    """Make one, and delete those that were kept long enough."""
    back_up(now=timezone.now())


def queue_backup(*, by: Actor, now: datetime) -> str:
    """Queue a backup; return the id of the task. One that waits or runs already is enough."""
    return queue_once(make_backup_now, by=by, action="backup", kind="backups", now=now)


def is_backup_under_way() -> bool:
    return unfinished(make_backup_now).exists()

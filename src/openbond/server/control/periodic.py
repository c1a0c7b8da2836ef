"""The periodic jobs, and the queue of tasks: heavy work, one piece at a time, in one thread."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django_tasks_db.compat import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from openbond.server.measurement.services import fix_prevented_downtime, watch_alarms
from openbond.server.system.alerts import raise_alert
from openbond.server.system.mail import MAIL_QUEUE
from openbond.server.system.selectors import current_settings
from openbond.server.system.turns import in_no_hurry

from . import metric_reports
from .counted import check_counts, fold_counts
from .models import PeriodicRun
from .schedule import Every, Nightly, Schedule, is_due
from .upkeep import back_up, compare_configs, expire_certificates, purge, watch_backups

log = structlog.get_logger(__name__)

# How far jobs stand back behind others that write.
SECONDS_BACK = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    schedule: Schedule
    work: Callable[..., None]  # takes `now`


JOBS = (
    Job("expire certificates", Every(timedelta(minutes=1)), expire_certificates),
    Job("watch alarms", Every(timedelta(seconds=10)), watch_alarms),
    Job("fix prevented downtime", Every(timedelta(hours=1)), fix_prevented_downtime),
    Job("fold counts", Every(timedelta(minutes=1)), fold_counts),
    Job("check counts", Nightly(time(4, 0)), check_counts),
    Job("purge", Every(timedelta(hours=1)), purge),
    Job("roll up metrics", Every(timedelta(seconds=10)), metric_reports.roll_up),
    Job("forget metrics", Every(timedelta(minutes=1)), metric_reports.forget),
    Job("back up", Nightly(time(2, 0)), back_up),
    Job("watch backups", Every(timedelta(hours=1)), watch_backups),
    Job("compare configs", Nightly(time(3, 30)), compare_configs),
)


def run_due_jobs(*, now: datetime) -> None:
    """Run the periodic jobs that are due; one that fails is told and waits for its next turn."""
    zone = ZoneInfo(current_settings().timezone)
    for job in JOBS:
        last = PeriodicRun.objects.filter(pk=job.name).values_list("last", flat=True).first()
        if is_due(job.schedule, last=last, now=now, zone=zone) and _claim(job, last, now):
            _run(job, now)


def run_queued_tasks() -> None:
    """Run the tasks that wait in the queue, mail apart, oldest first, until none is left."""
    if DBTaskResult.objects.ready().exclude(queue_name=MAIL_QUEUE).exists():
        _run_worker(queues=["*"], without=[MAIL_QUEUE])


def send_queued_mails() -> None:
    """Send the mails that are due, one after the other."""
    if DBTaskResult.objects.ready().filter(queue_name=MAIL_QUEUE).exists():
        _run_worker(queues=[MAIL_QUEUE], without=[])


def _run_worker(*, queues: list[str], without: list[str]) -> None:
    worker = Worker(
        queue_names=queues,
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=f"{_worker_name()}:{os.getpid()}",
        excluded_queue_names=without,
    )
    worker.run()


def requeue_interrupted_tasks() -> None:
    """Queue again the tasks in whose midst a server on this state directory was killed."""
    for row in DBTaskResult.objects.filter(status=TaskResultStatus.RUNNING):
        if row.worker_ids and row.worker_ids[-1].startswith(_worker_name()):
            log.warning("task was interrupted and is queued again", task=row.task_path)
            DBTaskResult.objects.filter(pk=row.pk).update(status=TaskResultStatus.READY)


def _claim(job: Job, last: datetime | None, now: datetime) -> bool:
    if last is None:
        return PeriodicRun.objects.get_or_create(pk=job.name, defaults={"last": now})[1]
    return PeriodicRun.objects.filter(pk=job.name, last=last).update(last=now) == 1


def _run(job: Job, now: datetime) -> None:
    try:
        with in_no_hurry(SECONDS_BACK):
            job.work(now=now)
    except Exception as error:
        log.exception("periodic job failed", job=job.name)
        words = f"The periodic job {job.name!r} failed: {error}. It is tried again next time."
        raise_alert(code="job_failed", about=job.name, text=words, now=now)


def _worker_name() -> str:
    # One server at a time owns a state directory, so what bears its name and runs is left over.
    place = f"{socket.gethostname()}:{settings.STATE_DIR}"
    return sha256(place.encode()).hexdigest()[:16]

"""What is done from time to time."""

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from openbond.server.bonds.models import Bond
from openbond.server.control import periodic
from openbond.server.control.models import EndReason, Enrolment, PeriodicRun, PublishedConfig
from openbond.server.control.outbox import publish_changes
from openbond.server.control.periodic import (
    Job,
    requeue_interrupted_tasks,
    run_due_jobs,
    run_queued_tasks,
)
from openbond.server.control.publish import content_of
from openbond.server.control.schedule import Every
from openbond.server.control.upkeep import compare_configs, expire_certificates, purge
from openbond.server.fleet.models import ConfigUpdate, Tombstone
from openbond.server.measurement.models import LegChange
from openbond.server.system.models import Alert, AuditEntry

from .conftest import SECOND, Fleet
from .machine import Machine

YEAR = timedelta(days=365)


def test_an_expired_certificate_is_forgotten_at_the_other_end(fleet: Fleet) -> None:
    fleet.enrol(fleet.bond.bonder, Machine())
    known = content_of(fleet.agg_1.pk).bonds[0].peer_public_key
    fleet.later(YEAR + SECOND)

    expire_certificates(now=fleet.now)
    expire_certificates(now=fleet.now)

    assert known
    assert content_of(fleet.agg_1.pk).bonds[0].peer_public_key == ""
    assert Enrolment.objects.get().end_reason == EndReason.EXPIRED
    told = ConfigUpdate.objects.filter(node=fleet.agg_1, reason__contains="expired")
    assert told.count() == 1
    assert Alert.objects.get(code="certificate_expired").count == 1


def test_a_certificate_in_time_is_left_alone(fleet: Fleet) -> None:
    fleet.enrol(fleet.bond.bonder, Machine())
    fleet.later(YEAR - SECOND)

    expire_certificates(now=fleet.now)

    assert Enrolment.objects.get().ended is None


def test_applied_updates_are_kept_a_week_and_all_others_for_ever(fleet: Fleet) -> None:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    fleet.apply(machine, number=1)
    of_bonder = ConfigUpdate.objects.filter(node_id=fleet.bond.bonder_id)
    of_aggregator = ConfigUpdate.objects.filter(node=fleet.agg_1)
    waiting = of_aggregator.count()

    fleet.later(timedelta(days=6))
    purge(now=fleet.now)
    kept = of_bonder.count()
    fleet.later(timedelta(days=2))
    purge(now=fleet.now)

    assert kept > 0
    assert of_bonder.count() == 0
    assert of_aggregator.count() == waiting


def test_a_tombstone_is_forgotten_after_400_days_with_all_that_hangs_on_it(fleet: Fleet) -> None:
    Tombstone.objects.create(
        node_id=999, kind="bonder", name="old", key_digest="x", deleted=fleet.now
    )
    PublishedConfig.objects.create(node_id=999, published=fleet.now, offered_from=fleet.now)

    purge(now=fleet.now + timedelta(days=399))
    kept = Tombstone.objects.count()
    purge(now=fleet.now + timedelta(days=401))

    assert kept == 1
    assert not Tombstone.objects.exists()
    assert not PublishedConfig.objects.filter(pk=999).exists()


def test_old_states_go_and_the_one_still_in_force_stays(fleet: Fleet) -> None:
    leg = fleet.dhcp_leg
    for state, days in (("up", 900), ("down", 800), ("up", 700)):
        start = fleet.now - timedelta(days=days)
        LegChange.objects.create(leg=leg, source="bonder", state=state, start=start)

    purge(now=fleet.now)

    assert [row.state for row in LegChange.objects.filter(source="bonder")] == ["up"]


def test_a_change_behind_the_servers_back_is_found_told_and_mended(fleet: Fleet) -> None:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    fleet.enrol(fleet.agg_1, Machine("agg"))
    fleet.apply(machine, number=1)
    publish_changes(now=fleet.now)
    compare_configs(now=fleet.now)
    before = Alert.objects.count()
    Bond.objects.filter(pk=fleet.bond.pk).update(reorder_max_hold=999)

    compare_configs(now=fleet.now)

    differing = Alert.objects.filter(code="config_differs")
    assert before == 0
    assert f"node {fleet.bond.bonder_id}" in differing.values_list("about", flat=True)
    fleet.later(2 * SECOND)
    publish_changes(now=fleet.now)
    assert PublishedConfig.objects.get(pk=fleet.bond.bonder_id).revision == 2


def test_jobs_run_when_due_and_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[datetime] = []
    job = Job("count", Every(timedelta(hours=1)), lambda now: ran.append(now))
    monkeypatch.setattr(periodic, "JOBS", (job,))

    for minutes in (0, 1, 59, 60, 61):
        run_due_jobs(now=fleet.now + timedelta(minutes=minutes))

    assert ran == [fleet.now, fleet.now + timedelta(hours=1)]


def test_a_job_that_fails_is_told_and_the_others_run(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[datetime] = []

    def fails(now: datetime) -> None:
        raise OSError("no space left")

    hour = Every(timedelta(hours=1))
    jobs = (Job("fails", hour, fails), Job("works", hour, lambda now: ran.append(now)))
    monkeypatch.setattr(periodic, "JOBS", jobs)

    run_due_jobs(now=fleet.now)

    assert ran == [fleet.now]
    assert "no space left" in Alert.objects.get(code="job_failed").text
    assert PeriodicRun.objects.count() == 2


DONE: list[str] = []


@task()
def note(words: str) -> None:
    DONE.append(words)


def test_queued_tasks_run(transactional_db: None) -> None:
    DONE.clear()
    note.enqueue("first")
    note.enqueue("second")

    run_queued_tasks()
    run_queued_tasks()

    assert DONE == ["first", "second"]


def test_a_task_that_was_interrupted_by_a_kill_runs_again(transactional_db: None) -> None:
    DONE.clear()
    note.enqueue("once more")
    row = DBTaskResult.objects.get()
    row.claim(f"{periodic._worker_name()}:4711")

    requeue_interrupted_tasks()
    run_queued_tasks()

    assert DONE == ["once more"]


def test_a_task_that_another_server_runs_is_left_to_it(transactional_db: None) -> None:
    DONE.clear()
    note.enqueue("theirs")
    DBTaskResult.objects.get().claim("another server:1")

    requeue_interrupted_tasks()
    run_queued_tasks()

    assert DONE == []
    assert settings.TASKS["default"]["BACKEND"] == "django_tasks_db.DatabaseBackend"


def test_the_audit_is_kept_for_400_days(fleet: Fleet) -> None:
    written = AuditEntry.objects.count()

    purge(now=fleet.now + timedelta(days=399))
    kept = AuditEntry.objects.count()
    purge(now=fleet.now + timedelta(days=401))

    assert kept == written > 0
    assert not AuditEntry.objects.exists()

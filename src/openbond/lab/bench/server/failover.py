"""An aggregator with 500 bonds fails: from its third miss to the last config published."""

import time
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from openbond.lab.bench.rows import Row, Say
from openbond.lab.errors import LabError
from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import Check, take_check
from openbond.server.control.models import PublishedConfig
from openbond.server.control.outbox import publish_changes
from openbond.server.fleet.models import Aggregator, ConfigUpdate
from openbond.server.fleet.selectors import watched_aggregators
from openbond.server.fleet.services import create_aggregator, hold_lease, request_config_update
from openbond.server.spaces.models import Space
from openbond.server.system.actors import SERVER
from openbond.server.system.selectors import current_settings

from .rows_in import make_bonds, make_spaces, new_installation

BONDS = 500
RETRIES = 3
HOLDER = "bench"
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="  # noqa: S105 - of no bond that is served


def fill(say: Say) -> None:
    say(f"failover: {BONDS} bonds on one aggregator")
    home = new_installation()
    root = Space.objects.get(parent__isnull=True)
    away = create_aggregator(by=SERVER, name="away", ip="198.51.100.20", space=root)
    make_bonds(make_spaces([1]), BONDS, home)
    sealed = Bond()
    sealed.secret = SECRET
    Bond.objects.update(sealed_secret=sealed.sealed_secret, secondary_aggregator=away)
    Aggregator.objects.update(failover_monitoring=True)
    nodes = [home.pk, away.pk, *Bond.objects.values_list("bonder_id", flat=True)]
    say("failover: the configs as they were before")
    with transaction.atomic():
        request_config_update(nodes, reason="bench")
    _publish()


def measure(say: Say) -> list[Row]:
    """Return the CPU time of the decision and of publishing; one process, as in service."""
    say("failover: the third miss")
    now = timezone.now()
    hold_lease(holder=HOLDER, now=now)
    (home, _) = watched_aggregators(current_settings())
    began, began_cpu = time.monotonic(), time.process_time()
    take_check(
        holder=HOLDER,
        watched=home,
        check=Check("No answer within 5 s.", now),
        misses=RETRIES - 1,
        hosts_fault="",
        now=now,
    )
    decided = time.process_time() - began_cpu
    say("failover: publishing")
    _publish()
    cpu, wall = time.process_time() - began_cpu, time.monotonic() - began
    _check()
    return [
        Row(
            name=f"failover of {BONDS} bonds, CPU until all configs are published",
            value=cpu,
            unit="s",
            most=5.0,
            detail=f"of it {decided:.2f} s to decide and move; {wall:.1f} s on the clock",
            figures={"decided": decided, "cpu": cpu, "wall": wall},
        )
    ]


def _publish() -> None:
    published = publish_changes(now=timezone.now() + timedelta(seconds=1))
    if published.failed:
        raise LabError(f"configs could not be compiled: {next(iter(published.failed.values()))}")


def _check() -> None:
    moved = Bond.objects.filter(current_aggregator__name="away").count()
    waiting = ConfigUpdate.objects.filter(revision__isnull=True).count()
    configs = PublishedConfig.objects.filter(revision=2).count()
    if (moved, waiting, configs) != (BONDS, 0, BONDS + 2):
        raise LabError(f"{moved} bonds moved, {waiting} updates wait, {configs} configs are new")

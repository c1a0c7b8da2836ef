"""Writes to speed tests. They wait in the queue until a node takes them (api-v3 05 1.2)."""

from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.selectors import state_of_leg
from openbond.server.errors import AlreadyFinished, InvalidFields, Refused
from openbond.server.measurement.models import Direction, Protocol, SpeedTest, TestStatus, Tuning
from openbond.server.measurement.rules.tests import NOT_TESTABLE, described
from openbond.server.measurement.selectors.tests import testable_states
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, shown_values
from openbond.server.system.locks import locked
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import record
from openbond.wire.speed_tests import TrialSettings
from openbond.wire.states import LinkMode

CANCELLED = "The test was cancelled."
ENDED = "The test has already ended."
OF_TUNING = "A tuning runs this test: cancel the tuning."
SHOWN = ("protocol", "direction", "length", "rate_limit_kbps", "concurrency")


class SpeedTestOptions(TypedDict, total=False):
    """`length` in seconds; `rate_limit_kbps` None is no limit.

    `idle_seconds`, and `tuning`: for tests that a tuning runs; `create_speed_test` takes what such
    a test of the bond tries in place of the bond's settings.
    """

    protocol: str
    direction: str
    length: int
    rate_limit_kbps: int | None
    concurrency: int
    idle_seconds: int
    tuning: Tuning | None


@transaction.atomic
def create_speed_test(
    *,
    by: Actor,
    bond: Bond,
    leg: Leg | None = None,
    trial: TrialSettings | None = None,
    now: datetime | None = None,
    **options: Unpack[SpeedTestOptions],
) -> SpeedTest:
    """Queue a test of a bond, or of one of its legs. Raises InvalidFields."""
    now = now or timezone.now()
    owner = locked(Bond.objects.select_related("bonder", "current_aggregator"), bond.pk)
    tuning = options.get("tuning")
    if leg is not None and not _is_testable(locked(Leg.objects.all(), leg.pk), tuning, now):
        raise InvalidFields.one("leg", NOT_TESTABLE)
    test = SpeedTest(bond=owner, leg=leg, submitted=now, created=now, modified=now, **options)
    test.description = described(
        protocol=Protocol(test.protocol).value,
        direction=Direction(test.direction).value,
        length=test.length,
        rate_limit_kbps=test.rate_limit_kbps,
        concurrency=test.concurrency,
        tries=trial.packet_distribution.value if trial else "",
    )
    test.aggregator = owner.current_aggregator
    test.bonder_version = owner.bonder.version
    test.aggregator_version = owner.current_aggregator.version
    test.bond_configuration = None if leg else _configuration(owner, trial)
    test.save(force_insert=True)
    change = Change(after=shown_values(test, SHOWN))
    record(by=by, action="create", row=test, change=change, now=now, space_id=owner.space_id)
    return test


@transaction.atomic
def cancel_speed_test(*, by: Actor, test: SpeedTest) -> SpeedTest:
    """Take a test from the queue, or end it where it runs: its nodes are told no more of it.

    Raises AlreadyFinished; Refused for a test that a tuning runs.
    """
    now = timezone.now()
    locked(Bond.objects.all(), test.bond_id)  # whoever moves tests takes the bond first
    row = locked(SpeedTest.objects.select_related("bond"), test.pk)
    if row.tuning_id is not None:
        raise Refused(OF_TUNING)
    if row.status not in (TestStatus.QUEUED, TestStatus.RUNNING):
        raise AlreadyFinished(ENDED)
    row.status, row.finished, row.error = TestStatus.CANCELLED, now, CANCELLED
    row.save(update_fields=["status", "finished", "error"])
    record(by=by, action="cancel", row=row, change=Change(), now=now, space_id=row.bond.space_id)
    return row


def _is_testable(leg: Leg, tuning: Tuning | None, now: datetime) -> bool:
    since = now - timedelta(seconds=current_settings().node_status_timeout)
    active = Leg.objects.filter(pk=leg.pk, link_mode=LinkMode.ACTIVE.value)
    states = testable_states(leg_id=leg.pk, tuning_id=tuning.pk if tuning else None, now=now)
    return active.alias(state=state_of_leg(since=since)).filter(state__in=states).exists()


def _configuration(bond: Bond, trial: TrialSettings | None) -> dict[str, object]:
    """Return what a bond test is made under; speeds in kbit/s."""
    columns = ("id", "link_mode", "failover", "down_kbps", "up_kbps")
    legs = list(Leg.objects.filter(bond=bond).order_by("id").values(*columns))
    tried = {leg.leg_id: leg for leg in trial.legs} if trial else {}
    for leg in legs:
        if found := tried.get(leg["id"]):
            leg |= {"down_kbps": found.down_kbps, "up_kbps": found.up_kbps}
    distribution = trial.packet_distribution.value if trial else bond.packet_distribution
    return {
        "packet_distribution": distribution,
        "compression": bond.compression,
        "reorder_max_hold": bond.reorder_max_hold,
        "legs": legs,
    }

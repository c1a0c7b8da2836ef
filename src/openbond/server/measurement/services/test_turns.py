"""Whose turn it is to be tested, and which tests take too long (behaviour 4.3).

One look at a time, over all processes of the server, moves every unfinished test on:

    queued ─► ordered, told to both nodes ─► both ready: running ─► finished (test_reports.py)
       │               │                                │
       └───────────────┴────────────────────────────────┴─► failed | cancelled
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from openbond.server.bonds.models import Leg
from openbond.server.bonds.selectors import state_of_leg
from openbond.server.fleet.models import ConfigUpdate, UpdateStatus
from openbond.server.measurement.models import SpeedTest, TestStatus, Tuning, TuningStatus
from openbond.server.measurement.rules.limits import (
    BACK_WITHIN,
    HEARD_WITHIN,
    MOST_ON_AGGREGATOR,
    Limits,
    over_after,
)
from openbond.server.measurement.rules.measured import ENDS
from openbond.server.measurement.rules.tests import NO_TRAFFIC, NOT_TESTABLE
from openbond.server.measurement.selectors.limits import limits_of
from openbond.server.measurement.selectors.tests import testable_states
from openbond.server.system.locks import Lock, take
from openbond.server.system.selectors import current_settings
from openbond.wire.speed_tests import Direction, Protocol
from openbond.wire.states import LegType, LinkMode

from .test_ends import end_test, silent_end

UNFINISHED = (TestStatus.QUEUED, TestStatus.RUNNING)
WAITING_UPDATES = (UpdateStatus.PENDING, UpdateStatus.SENT)
# The dynamic ports: where the aggregator listens is drawn for each test.
FIRST_PORT, LAST_PORT = 49152, 65535


def move_speed_tests(*, now: datetime, listening_since: datetime | None = None) -> None:
    """Give turns, begin what both nodes are ready for, and end what cannot go on.

    `listening_since`: when this server began to hear nodes. What was told before is told again, so
    nobody counts as silent for a while.
    """
    if not SpeedTest.objects.filter(status__in=UNFINISHED).exists():
        return
    with transaction.atomic():
        take(Lock.SPEED_TESTS)
        tests = SpeedTest.objects.filter(status__in=UNFINISHED).select_for_update(of=("self",))
        unfinished = list(tests.select_related("bond", "leg").order_by("id"))
        for test in unfinished:
            if test.ordered is not None:
                _watch(test, now, listening_since)
        for test in _next_of_each_bond(unfinished):
            if _has_turn(test):
                _begin_turn(test, now)


def _watch(test: SpeedTest, now: datetime, listening_since: datetime | None) -> None:
    """Let a test that was ordered begin, or end it when it cannot go on."""
    status, error = _obstacle(test, now, listening_since)
    if error:
        end_test(test, status, error=error, now=now)
    elif test.status == TestStatus.QUEUED and all(_end(test, end).get("ready") for end in ENDS):
        test.status, test.started = TestStatus.RUNNING, now
        test.save(update_fields=["status", "started"])


def _obstacle(
    test: SpeedTest, now: datetime, listening_since: datetime | None
) -> tuple[TestStatus, str]:
    """Return how and why a test cannot go on; "" for nothing."""
    bond, nodes = test.bond, test.ends["nodes"]
    if bond.restart_count != test.ends["restart_count"]:
        return TestStatus.CANCELLED, "The bond was restarted."
    if bond.current_aggregator_id != nodes["aggregator"]:
        return TestStatus.FAILED, "The bond moved to another aggregator."
    if test.started is None:
        return TestStatus.FAILED, _no_answer(test, now)
    if listening_since is not None and now < listening_since + HEARD_WITHIN:
        return TestStatus.FAILED, ""
    if now >= test.started + over_after(length=test.length, idle_seconds=test.idle_seconds):
        return TestStatus.FAILED, "The nodes did not tell the results in time."
    silent_one = silent_end(test, now)
    why = f"The {silent_one} was not heard of any more." if silent_one else ""
    return TestStatus.FAILED, why


def _no_answer(test: SpeedTest, now: datetime) -> str:
    """Return which end took too long to be ready; "" for none."""
    minutes = test.ends.get("answer_minutes", Limits().answer_minutes)
    if now < (test.ordered or now) + timedelta(minutes=minutes):
        return ""
    silent = [end for end in ENDS if not _end(test, end).get("ready")]
    return f"The {silent[0]} did not answer within {minutes} minutes." if silent else ""


def _next_of_each_bond(unfinished: Iterable[SpeedTest]) -> list[SpeedTest]:
    """Return, of each bond without a test under way, the one that comes next."""
    busy = {t.bond_id for t in unfinished if t.ordered is not None and t.status in UNFINISHED}
    queued = [t for t in unfinished if t.ordered is None and t.bond_id not in busy]
    tunings = _tunings_of({test.bond_id for test in queued})
    first: dict[int, SpeedTest] = {}
    for test in queued:
        # While a bond is tuned, only the tests of that tuning run.
        if tunings.get(test.bond_id, test.tuning_id) == test.tuning_id:
            first.setdefault(test.bond_id, test)
    return list(first.values())


def _tunings_of(bond_ids: set[int]) -> dict[int, int]:
    unfinished = (TuningStatus.QUEUED, TuningStatus.RUNNING)
    rows = Tuning.objects.filter(bond__in=bond_ids, status__in=unfinished)
    return dict(rows.values_list("bond_id", "id"))


def _has_turn(test: SpeedTest) -> bool:
    """Report whether nothing but the state of the line keeps a test from being ordered now."""
    bond = test.bond
    nodes = (bond.bonder_id, bond.current_aggregator_id)
    if ConfigUpdate.objects.filter(node__in=nodes, status__in=WAITING_UPDATES).exists():
        return False
    under_way = SpeedTest.objects.filter(
        status__in=UNFINISHED,
        ordered__isnull=False,
        bond__current_aggregator=bond.current_aggregator_id,
    )
    return under_way.count() < MOST_ON_AGGREGATOR


def _begin_turn(test: SpeedTest, now: datetime) -> None:
    """Order a test from both nodes, or end it: what was so when it was submitted may have changed.

    After another test a leg needs some seconds to come back; it is waited for.
    """
    if not _carries(test, now):
        if not _was_tested_since(test, now - BACK_WITHIN):
            end_test(test, TestStatus.FAILED, error=_why_not(test), now=now)
        return
    limits = limits_of(test.bond.space_id)
    is_mobile = _legs(test).filter(type=LegType.MOBILEBROADBAND.value).exists()
    test.ordered = now
    test.port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT + 1)
    test.ends = {
        "nodes": {
            "bonder": test.bond.bonder_id,
            "aggregator": test.bond.current_aggregator_id,
        },
        "restart_count": test.bond.restart_count,
        "rate_limit_kbps": _rate_limit(test),
        "most_bytes": limits.most_bytes_of_test(is_mobile=is_mobile),
        "answer_minutes": limits.answer_minutes,
    }
    test.save(update_fields=["ordered", "port", "ends"])


def _legs(test: SpeedTest) -> QuerySet[Leg]:
    """Return the legs that the traffic of a test may run over."""
    only = Q(pk=test.leg_id) if test.leg_id else Q(bond=test.bond_id)
    return Leg.objects.filter(only, link_mode=LinkMode.ACTIVE.value)


def _carries(test: SpeedTest, now: datetime) -> bool:
    since = now - timedelta(seconds=current_settings().node_status_timeout)
    states = testable_states(leg_id=test.leg_id, tuning_id=test.tuning_id, now=now)
    return _legs(test).alias(state=state_of_leg(since=since)).filter(state__in=states).exists()


def _why_not(test: SpeedTest) -> str:
    return NOT_TESTABLE if test.leg_id else NO_TRAFFIC


def _was_tested_since(test: SpeedTest, moment: datetime) -> bool:
    return SpeedTest.objects.filter(
        bond=test.bond_id, ordered__isnull=False, finished__gt=moment
    ).exists()


def _rate_limit(test: SpeedTest) -> int | None:
    """Return the limit in kbit/s; that of UDP is the configured speed unless another was given."""
    if test.rate_limit_kbps is not None or test.protocol != Protocol.UDP.value:
        return test.rate_limit_kbps
    way = "down_kbps" if test.direction == Direction.DOWNLOAD.value else "up_kbps"
    configured: int | None = _legs(test).aggregate(sum=Sum(way))["sum"]
    return configured or None


def _end(test: SpeedTest, end: str) -> dict[str, object]:
    told: dict[str, object] = test.ends.get(end, {})
    return told

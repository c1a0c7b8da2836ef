"""What the nodes tell of their speed tests, and how tests end (behaviour 4.3)."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db.models import QuerySet

from openbond.server.measurement.models import SpeedTest, TestStatus
from openbond.server.measurement.rules.limits import HEARD_WITHIN
from openbond.server.measurement.rules.measured import (
    ENDS,
    measured,
    progress_element,
    receiver_of,
)
from openbond.wire.reports import SpeedTestEnded, SpeedTestProgress, SpeedTestReady
from openbond.wire.speed_tests import StoppedBy

UNFINISHED = (TestStatus.QUEUED, TestStatus.RUNNING)


def take_test_ready(report: SpeedTestReady, *, node_id: int, now: datetime) -> None:
    """Note that a node can begin; the next look begins the test when both can."""
    if (found := _told_by(node_id, report.test_id)) is not None:
        test, end = found
        _note(test, end, ready=True, heard=now)
        test.save(update_fields=["ends"])


def take_test_progress(report: SpeedTestProgress, *, node_id: int, now: datetime) -> None:
    """Store one second of a test; the receiver's word is what is shown."""
    if (found := _told_by(node_id, report.test_id)) is None:
        return
    test, end = found
    _note(test, end, heard=now)
    if end == receiver_of(test.direction):
        element = progress_element(report)
        others = [one for one in test.progress_results if one["time"] != element["time"]]
        test.progress_results = sorted([*others, element], key=lambda one: float(one["time"]))
    test.save(update_fields=["ends", "progress_results"])


def take_test_ended(report: SpeedTestEnded, *, node_id: int, now: datetime) -> None:
    """Store the last word of one end; with both of them, or with an error, the test is over."""
    if (found := _told_by(node_id, report.test_id)) is None:
        return
    test, end = found
    if report.error:
        end_test(test, TestStatus.FAILED, error=report.error, now=now)
        return
    _note(test, end, heard=now, ended=msgspec.to_builtins(report))
    ended = {end: _ended(test, end) for end in ENDS}
    if not all(ended.values()):
        test.save(update_fields=["ends"])
        return
    _finish(test, {end: one for end, one in ended.items() if one is not None}, now)


def end_test(test: SpeedTest, status: TestStatus, *, error: str, now: datetime) -> None:
    """End a test without results, for a reason in words. The nodes hear of it by their orders."""
    test.status, test.error, test.finished = status, error, now
    test.save(update_fields=["status", "error", "finished", "ends"])


def silent_end(test: SpeedTest, now: datetime) -> str:
    """Return the end of a running test that told nothing for too long; "" for none.

    While the idle latency is probed, nothing is told.
    """
    for end in ENDS:
        told: dict[str, Any] = test.ends.get(end, {})
        if "ended" in told:
            continue
        heard = max(test.started or now, datetime.fromisoformat(told["heard"]))
        if now >= heard + timedelta(seconds=test.idle_seconds) + HEARD_WITHIN:
            return end
    return ""


def _told_by(node_id: int, test_id: int) -> tuple[SpeedTest, str] | None:
    """Return an unfinished test with the end that a node is in it; None: it has no say."""
    tests: QuerySet[SpeedTest] = SpeedTest.objects.select_for_update(of=("self",))
    test = tests.filter(pk=test_id, status__in=UNFINISHED, ordered__isnull=False).first()
    if test is None:
        return None
    for end in ENDS:
        if test.ends["nodes"][end] == node_id:
            return test, end
    return None


def _note(test: SpeedTest, end: str, *, heard: datetime, **told: object) -> None:
    before: dict[str, Any] = test.ends.get(end, {})
    test.ends = {**test.ends, end: {**before, "heard": heard.isoformat(), **told}}


def _ended(test: SpeedTest, end: str) -> SpeedTestEnded | None:
    told = test.ends.get(end, {}).get("ended")
    return None if told is None else msgspec.convert(told, SpeedTestEnded)


def _finish(test: SpeedTest, ended: dict[str, SpeedTestEnded], now: datetime) -> None:
    found = measured(test.direction, ended)
    by_bytes = any(one.stopped_by is StoppedBy.BYTES for one in ended.values())
    test.status, test.finished = TestStatus.FINISHED, now
    test.results = found.results
    test.idle_latency, test.idle_deviation = found.idle_latency, found.idle_deviation
    test.stopped_by = StoppedBy.BYTES.value if by_bytes else StoppedBy.LENGTH.value
    test.bytes_moved = found.bytes_moved
    if by_bytes:
        test.description += f", stopped after {found.bytes_moved // 1_000_000} MB"
    if test.leg_id is None:
        test.description += ", customer traffic stopped meanwhile"
    test.save()

"""Which speed tests the nodes must know of now."""

from collections.abc import Collection
from datetime import timedelta

from django.db.models import Q

from openbond.server.measurement.models import SpeedTest, TestStatus
from openbond.server.measurement.rules.limits import LEG_KEPT, Limits
from openbond.server.system.prepared import Prepared
from openbond.wire.speed_tests import (
    Direction,
    Protocol,
    SpeedTestOrder,
    TrialSettings,
    TrialSpeed,
)
from openbond.wire.states import Distribution

MILLISECOND = timedelta(milliseconds=1)
UNFINISHED = (TestStatus.QUEUED, TestStatus.RUNNING)

_ORDERED = Prepared(
    lambda: SpeedTest.objects.filter(status__in=UNFINISHED, ordered__isnull=False).order_by()[:1],
    "id",
)


def orders_of(node_ids: Collection[int]) -> dict[int, list[SpeedTestOrder]]:
    """Return the tests that nodes shall prepare or run, oldest first; mostly none.

    For many nodes at once, in two queries, mostly in one; nodes without a test are left out.
    """
    # Nearly always nobody tests anything; that is found out without all those ids.
    if not node_ids or not _ORDERED.run():
        return {}
    carried = Q(bond__bonder_id__in=node_ids) | Q(bond__current_aggregator_id__in=node_ids)
    tests = SpeedTest.objects.filter(carried, status__in=UNFINISHED, ordered__isnull=False)
    found: dict[int, list[SpeedTestOrder]] = {}
    # Sorted here: asked for in order of ids, SQLite reads all tests ever made in that order.
    for test in sorted(tests.order_by().select_related("bond"), key=lambda test: test.pk):
        ends = {test.bond.bonder_id, test.bond.current_aggregator_id}
        for node_id in ends.intersection(_nodes(test)).intersection(node_ids):
            found.setdefault(node_id, []).append(_order(test))
    return found


def told_to_nodes() -> set[tuple[int, int, bool]]:
    """Return node, test and whether it has begun, of all tests that any node must know of."""
    tests = SpeedTest.objects.filter(status__in=UNFINISHED, ordered__isnull=False)
    return {
        (node_id, test.pk, test.status == TestStatus.RUNNING)
        for test in tests.order_by().only("id", "status", "ends")
        for node_id in _nodes(test)
    }


def _nodes(test: SpeedTest) -> list[int]:
    return list(test.ends["nodes"].values())


def _order(test: SpeedTest) -> SpeedTestOrder:
    return SpeedTestOrder(
        test_id=test.pk,
        bond_id=test.bond_id,
        leg_id=test.leg_id,
        protocol=Protocol(test.protocol),
        direction=Direction(test.direction),
        length_seconds=test.length,
        rate_limit_kbps=test.ends["rate_limit_kbps"],
        concurrency=test.concurrency,
        most_bytes=test.ends.get("most_bytes", Limits().most_bytes_of_test(is_mobile=False)),
        port=test.port,
        idle_seconds=test.idle_seconds,
        begin=test.status == TestStatus.RUNNING,
        keeps_leg_ms=LEG_KEPT // MILLISECOND if test.tuning_id and test.leg_id else 0,
        trial=_trial(test),
    )


def _trial(test: SpeedTest) -> TrialSettings | None:
    """Return what a tuning tries: its tests of the bond run with what they were made under."""
    told = test.bond_configuration
    if test.tuning_id is None or told is None:
        return None
    return TrialSettings(
        packet_distribution=Distribution(told["packet_distribution"]),
        legs=[
            TrialSpeed(leg_id=leg["id"], down_kbps=leg["down_kbps"], up_kbps=leg["up_kbps"])
            for leg in told["legs"]
        ],
    )

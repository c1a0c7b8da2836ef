"""Reads of speed tests and tunings, from who asks."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import QuerySet

from openbond.server.bonds.models import Leg
from openbond.server.measurement.models import SpeedTest, TestStatus, Tuning
from openbond.server.measurement.rules.limits import LEG_KEPT
from openbond.server.measurement.rules.tests import TESTABLE
from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import RollUp, counted
from openbond.server.spaces.viewer import Viewer
from openbond.wire.states import ShownState


def speed_tests_visible_to(viewer: Viewer) -> QuerySet[SpeedTest]:
    return SpeedTest.objects.filter(viewer.in_reach("bond__space"))


def bond_tunings_visible_to(viewer: Viewer) -> QuerySet[Tuning]:
    return Tuning.objects.filter(viewer.in_reach("bond__space"), leg__isnull=True)


def leg_tunings_visible_to(viewer: Viewer) -> QuerySet[Tuning]:
    return Tuning.objects.filter(viewer.in_reach("bond__space"), leg__isnull=False)


def tests_of_tunings(tuning_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the ids of the speed tests that tunings ran, by the id of the tuning."""
    tests = SpeedTest.objects.filter(tuning__in=tuning_ids).order_by("id")
    found: dict[int, list[int]] = {}
    for tuning_id, test_id in tests.values_list("tuning_id", "id"):
        if tuning_id is not None:
            found.setdefault(tuning_id, []).append(test_id)
    return found


def leg_types(bond_ids: Iterable[int]) -> dict[int, str]:
    """Return the type of every leg of the bonds, by the id of the leg."""
    legs = Leg.objects.filter(bond__in=set(bond_ids))
    return dict(legs.values_list("id", "type"))


def testable_states(*, leg_id: int | None, tuning_id: int | None, now: datetime) -> frozenset[str]:
    """Return the states in which a leg, or any of the bond's without one, can be tested.

    Between two tests of a tuning its leg stays out of the bond, and so does `testing`.
    """
    kept = SpeedTest.objects.filter(
        leg=leg_id, tuning=tuning_id, status=TestStatus.FINISHED, finished__gt=now - LEG_KEPT
    )
    if leg_id is None or tuning_id is None or not kept.exists():
        return TESTABLE
    return TESTABLE | {ShownState.TESTING.value}


def speed_test_statistics(space: Space) -> RollUp:
    """Return `count`, `leg` and `bond` (by target) of the tests in a space and below."""
    return counted(space, "speed_test", keys={"leg": "1", "bond": "0"})

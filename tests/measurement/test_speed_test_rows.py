"""What a speed test keeps beside what version 3 of the API shows, and what the database refuses."""

import pytest
from django.db import IntegrityError, transaction

from openbond.server.measurement.models import SpeedTest
from openbond.server.measurement.services import create_speed_test, create_tuning
from openbond.server.system.actors import SERVER
from tests.contract.field_tables import fields_of
from tests.world import World


def test_a_test_of_a_tuning_is_linked_and_probes_the_idle_line(world: World) -> None:
    tuning = create_tuning(by=SERVER, bond=world.bond)

    test = create_speed_test(by=SERVER, bond=world.bond, tuning=tuning, idle_seconds=5)

    row = SpeedTest.objects.get(pk=test.pk)
    assert (row.tuning, row.idle_seconds) == (tuning, 5)
    assert (row.idle_latency, row.idle_deviation) == (None, None)
    assert (row.stopped_by, row.bytes_moved) == ("", 0)


def test_what_only_tunings_need_is_not_shown(world: World) -> None:
    create_speed_test(by=SERVER, bond=world.bond)

    (shown,) = world.client("ana").get(f"/api/v3/bonds/{world.bond.pk}/speedtests/").json()

    assert set(shown) == set(fields_of("speedtest"))


def test_the_idle_line_is_probed_for_a_minute_at_most(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        create_speed_test(by=SERVER, bond=world.bond, idle_seconds=61)


def test_of_one_bond_one_test_has_its_turn(world: World) -> None:
    create_speed_test(by=SERVER, bond=world.bond)
    create_speed_test(by=SERVER, bond=world.bond)

    with pytest.raises(IntegrityError), transaction.atomic():
        SpeedTest.objects.update(ordered=world.now)

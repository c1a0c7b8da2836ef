"""Who waits for changes hears of them when they are committed, and of nothing else."""

import pytest
from django.db import transaction

from openbond.server.fleet.services import request_config_update
from openbond.server.system.doorbell import heard_by, ring_on_commit
from tests.world import create_world


@pytest.fixture
def rings() -> list[str]:
    return []


@pytest.mark.django_db(transaction=True)
def test_a_change_that_nodes_must_learn_of_rings_when_it_is_committed(rings: list[str]) -> None:
    world = create_world()

    with heard_by(lambda: rings.append("rung")), transaction.atomic():
        request_config_update([world.bond.bonder_id], reason="a test")
        before = list(rings)

    assert (before, rings) == ([], ["rung"])


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_rings_nobody(rings: list[str]) -> None:
    def fail() -> None:
        with transaction.atomic():
            ring_on_commit()
            raise LookupError

    with heard_by(lambda: rings.append("rung")), pytest.raises(LookupError):
        fail()

    assert rings == []


@pytest.mark.django_db(transaction=True)
def test_who_went_away_hears_nothing(rings: list[str]) -> None:
    with heard_by(lambda: rings.append("gone")):
        pass

    with heard_by(lambda: rings.append("here")), transaction.atomic():
        ring_on_commit()

    assert rings == ["here"]

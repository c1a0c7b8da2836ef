"""A planned move is told to the new aggregator, then the bonder, then the old one (6.2)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from openbond.server.bonds.services import move_bond, update_bond
from openbond.server.control.outbox import publish_changes
from openbond.server.control.publish import publish
from openbond.server.system.actors import SERVER

from .conftest import Fleet
from .machine import Machine


@pytest.fixture
def machines(fleet: Fleet) -> dict[str, Machine]:
    """All three nodes, up to date."""
    found = {}
    for node in (fleet.agg_1, fleet.agg_2, fleet.bond.bonder):
        machine = Machine(node.name)
        fleet.enrol(node, machine)
        found[node.name] = machine
    for node in (fleet.agg_1, fleet.agg_2, fleet.bond.bonder):
        publish(node_id=node.pk, now=fleet.now)
    for machine in found.values():
        fleet.apply(machine, number=1)
    assert published(fleet, 2) == set()
    return found


def published(fleet: Fleet, seconds: float) -> set[str]:
    """Let time pass, and return the nodes whose configs were published at its end."""
    fleet.later(timedelta(seconds=seconds))
    names = {
        fleet.agg_1.pk: "agg-1",
        fleet.agg_2.pk: "agg-2",
        fleet.bond.bonder_id: "bonder",
    }
    return {names[node_id] for node_id in publish_changes(now=fleet.now).nodes}


def move(fleet: Fleet) -> None:
    fleet.now = timezone.now()  # services have a clock of their own
    move_bond(by=SERVER, bond=fleet.bond, to=fleet.agg_2, reason="planned")


def test_each_end_is_told_when_the_one_before_has_applied(
    fleet: Fleet, machines: dict[str, Machine]
) -> None:
    move(fleet)
    first = published(fleet, 1), published(fleet, 5)
    fleet.apply(machines["agg-2"], number=2)
    second = published(fleet, 0), published(fleet, 5)
    fleet.apply(machines[fleet.bond.name], number=2)
    third = published(fleet, 0)

    assert first == ({"agg-2"}, set())
    assert second == ({"bonder"}, set())
    assert third == {"agg-1"}
    assert published(fleet, 60) == set()


def test_nobody_waits_longer_than_thirty_seconds_for_the_one_before(
    fleet: Fleet, machines: dict[str, Machine]
) -> None:
    move(fleet)

    assert published(fleet, 1) == {"agg-2"}
    assert published(fleet, 28) == set()
    assert published(fleet, 2) == {"bonder"}
    assert published(fleet, 27) == set()
    assert published(fleet, 3) == {"agg-1"}


def test_other_changes_of_a_waiting_node_wait_with_it(
    fleet: Fleet, machines: dict[str, Machine]
) -> None:
    move(fleet)
    assert published(fleet, 1) == {"agg-2"}
    update_bond(by=SERVER, bond=fleet.bond, reorder_max_hold=77)

    assert published(fleet, 1) == {"agg-2"}
    assert published(fleet, 30) == {"bonder"}


def test_an_operators_change_of_the_primary_is_a_planned_move(
    fleet: Fleet, machines: dict[str, Machine]
) -> None:
    fleet.now = timezone.now()
    update_bond(by=SERVER, bond=fleet.bond, aggregator=fleet.agg_2, secondary_aggregator=None)

    assert published(fleet, 1) == {"agg-2"}
    assert published(fleet, 30) == {"bonder"}

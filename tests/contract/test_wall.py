"""Permission by construction: every row, method, asker and relation, generated from the URI table.

`wall.py` walks, this asks what it found. Then single bricks are taken out of the wall, one by one,
and the same walk must find the hole: a wall that cannot fail proves nothing.
"""

import logging
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction

from tests.contract.conftest import tell
from tests.contract.mutants import Mutant, code_mutants, scope_mutants, sharing_mutants
from tests.contract.wall import WALKS, Hole, Wall, build_wall
from tests.databases import CHOICE
from tests.world import World

# What a whole walk asks, at least: a walk that shrinks is a wall that shrinks.
REQUESTS = 4900
RELATIONS = 50

# Bricks behind bricks: taken out alone they open nothing, because an object below a bond is only
# looked for below a bond in reach; the others, no URI asks
# (the site does: tests/web/test_system.py).
BEHIND = {
    "bonds.selectors.bonds.bonds_visible_to call 0",
    "bonds.selectors.bonds.legs_visible_to call 0",
    "bonds.selectors.routing.connected_ips_visible_to call 0",
    "bonds.selectors.routing.cpe_nat_ips_visible_to call 0",
    "bonds.selectors.routing.routes_visible_to call 0",
    "fleet.selectors.versions_of_nodes call 0",
    "measurement.selectors.tests.bond_tunings_visible_to call 0",
    "measurement.selectors.tests.leg_tunings_visible_to call 0",
    "measurement.selectors.tests.speed_tests_visible_to call 0",
    "spaces.selectors.audit_visible_to call 0",
}


@pytest.fixture
def wall(world: World) -> Iterator[Wall]:
    # Thousands of refusals are no news.
    logging.disable(logging.CRITICAL)
    yield build_wall(world)
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(1800)
def test_nobody_gets_through_the_wall(wall: Wall, pytestconfig: pytest.Config) -> None:
    holes = [hole for walk in WALKS for hole in wall.holes(walk)]

    asked = f"{wall.requests} requests, {wall.relations} relations"
    tell(pytestconfig, f"wall: {asked}, {len(holes)} holes")
    assert holes == []
    assert wall.requests >= REQUESTS
    assert wall.relations >= RELATIONS


# A test of the walk above: the code it is tried on is the same on both databases.
@pytest.mark.skipif(CHOICE != "sqlite", reason="bricks are taken out on SQLite alone")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("mutants", "at_least"),
    [
        pytest.param(scope_mutants, 18, id="a scope of a selector"),
        pytest.param(code_mutants, 15, id="the codes of a view"),
        pytest.param(sharing_mutants, 5, id="what protects shared objects"),
    ],
)
def test_the_wall_falls_in_when_a_brick_is_taken_out(
    mutants: Callable[[], list[Mutant]], at_least: int, wall: Wall, pytestconfig: pytest.Config
) -> None:
    tried = [mutant for mutant in mutants() if mutant.name not in BEHIND]

    survivors = [mutant.name for mutant in tried if first_hole(wall, mutant) is None]

    tell(pytestconfig, f"wall: {len(tried)} bricks taken out, {len(survivors)} not missed")
    assert survivors == []
    assert len(tried) >= at_least


def test_the_bricks_behind_others_are_still_there() -> None:
    assert {mutant.name for mutant in scope_mutants()} >= BEHIND


def first_hole(wall: Wall, mutant: Mutant) -> Hole | None:
    """Return the first hole that the walk finds without the brick; undo what went through."""
    walks = [*mutant.walks, *(walk for walk in WALKS if walk not in mutant.walks)]
    with transaction.atomic():
        with mutant.applied():
            found = next((hole for walk in walks for hole in wall.holes(walk)), None)
        transaction.set_rollback(True)
    return found

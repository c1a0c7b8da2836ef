"""Counts that triggers keep are those that counting anew gives, whatever is written."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Model, Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openbond.server.bonds.models import Bond, Leg
from openbond.server.control.counted import COUNTED, check_counts
from openbond.server.fleet.models import Node
from openbond.server.fleet.selectors import node_statistics
from openbond.server.measurement.models import SpeedTest
from openbond.server.measurement.selectors import speed_test_statistics
from openbond.server.spaces import counting
from openbond.server.spaces.models import Space, SpaceCount, User
from openbond.server.spaces.roll_ups import ALL, RollUp, counted, roll_up
from openbond.server.system.models import Alert
from openbond.wire.states import LegType, LinkMode, NodeKind
from tests.queries import queries_of
from tests.world import World

M = TypeVar("M", bound=Model)
SPACES = ("root", "acme", "acme_east", "globex")


def plain_legs(space: Space) -> RollUp:
    conditions = {"count": ALL}
    conditions |= {kind.value: Q(type=kind.value) for kind in LegType}
    conditions |= {mode.value: Q(link_mode=mode.value) for mode in LinkMode}
    return roll_up(Leg.objects.all(), space=space, counts=conditions)


def kept_legs(space: Space) -> RollUp:
    keys = {value: value for value in [*map(str, LegType), *map(str, LinkMode)]}
    return counted(space, "leg", keys=keys)


def plain_tests(space: Space) -> RollUp:
    conditions = {"count": ALL, "leg": Q(leg__isnull=False), "bond": Q(leg__isnull=True)}
    return roll_up(SpeedTest.objects.all(), space=space, counts=conditions, path="bond__space")


def plain_bonds(space: Space) -> RollUp:
    return roll_up(Bond.objects.all(), space=space, counts={"count": ALL})


def kept_bonds(space: Space) -> RollUp:
    return counted(space, "bond", keys={})


def plain_users(space: Space) -> RollUp:
    return roll_up(User.objects.all(), space=space, counts={"count": ALL, "1": Q(active=True)})


def kept_users(space: Space) -> RollUp:
    return counted(space, "user", keys={"1": "1"})


PAIRS: list[tuple[Callable[[Space], RollUp], Callable[[Space], RollUp]]] = [
    (plain_legs, kept_legs),
    (plain_tests, speed_test_statistics),
    (plain_bonds, kept_bonds),
    (plain_users, kept_users),
]


class Writer:
    """Writes by numbers, past services and all at once, as only the database sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._spaces = [getattr(world, name) for name in SPACES]
        self._names = itertools.count()

    def move(self, which: int, where: int) -> None:
        space = self._spaces[where % 4]
        bond = self._pick(Bond, which)
        Bond.objects.filter(pk=bond.pk).update(space=space)
        Leg.objects.filter(bond=bond).update(space=space)

    def change_mode(self, which: int, mode: int) -> None:
        value = list(LinkMode)[mode % 3].value
        Leg.objects.filter(pk__gte=self._pick(Leg, which).pk).update(link_mode=value)

    def save_whole(self, which: int, mode: int) -> None:
        leg = self._pick(Leg, which)
        leg.link_mode = list(LinkMode)[mode % 3].value
        leg.save()

    def copy_leg(self, which: int, count: int) -> None:
        leg = self._pick(Leg, which)
        rows = [Leg.objects.get(pk=leg.pk) for _ in range(count % 3 + 1)]
        for row in rows:
            row.pk, row.interface = None, f"n{next(self._names)}"
        Leg.objects.bulk_create(rows)

    def drop_leg(self, which: int, _: int) -> None:
        if Leg.objects.count() > 1:
            self._pick(Leg, which).delete()

    def add_test(self, which: int, kind: int) -> None:
        bond = self._pick(Bond, which)
        leg = bond.legs.first() if kind % 2 else None
        SpeedTest.objects.create(
            bond=bond, leg=leg, description="", submitted=self._world.now, status="queued"
        )

    def drop_tests(self, which: int, _: int) -> None:
        SpeedTest.objects.filter(bond=self._pick(Bond, which)).delete()

    def retarget_test(self, which: int, _: int) -> None:
        SpeedTest.objects.filter(bond=self._pick(Bond, which)).update(leg=None)

    def switch_user(self, which: int, active: int) -> None:
        User.objects.filter(pk=self._pick(User, which).pk).update(active=bool(active % 2))

    def hear(self, which: int, days: int) -> None:
        heard = self._world.now - timedelta(days=days) if days % 4 else None
        Node.objects.filter(pk=self._pick(Node, which).pk).update(last_connected=heard)

    def fold(self, _: int, __: int) -> None:
        counting.fold()

    @staticmethod
    def _pick(model: type[M], which: int) -> M:
        rows = list(model._default_manager.order_by("pk"))
        return rows[which % len(rows)]


VERBS = [name for name in vars(Writer) if not name.startswith("_")]
WRITES = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 9), st.integers(0, 9)), max_size=12
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(writes=WRITES)
def test_kept_counts_are_the_plain_ones_after_any_writes(
    world: World, writes: list[tuple[str, int, int]]
) -> None:
    with transaction.atomic():
        writer = Writer(world)
        for verb, which, how in writes:
            getattr(writer, verb)(which, how)

        for space in map(world.__getattribute__, SPACES):
            for plain, kept in PAIRS:
                assert kept(space) == plain(space), (writes, plain.__name__, space)
            for kind in NodeKind:
                recent = Q(last_connected__gte=world.now - timedelta(days=7))
                rows = Node.objects.filter(kind=kind.value)
                found = node_statistics(space, kind, now=world.now)
                wanted = roll_up(rows, space=space, counts={"count": ALL, "recent": recent})
                assert found == wanted, (writes, kind)
        assert counting.differences(COUNTED) == []
        transaction.set_rollback(True)


def test_what_was_written_past_the_triggers_is_found_told_and_put_right(world: World) -> None:
    SpaceCount.objects.filter(space_id=world.acme.pk, what="leg.dhcp.active").update(
        own=7, whole=7, folded=True
    )

    (wrong, *_) = counting.differences(COUNTED)
    check_counts(now=world.now)

    assert (wrong.space_id, wrong.what) == (world.acme.pk, "leg.dhcp.active")
    assert Alert.objects.get(code="counts_differed").about == "statistics"
    assert counting.differences(COUNTED) == []
    assert kept_legs(world.acme) == plain_legs(world.acme)


def test_nothing_is_told_of_counts_that_are_right(world: World) -> None:
    check_counts(now=world.now)

    assert not Alert.objects.filter(code="counts_differed").exists()


def test_folding_leaves_one_row_of_a_kind_and_changes_no_count(world: World) -> None:
    Leg.objects.update(link_mode="idle")
    Leg.objects.update(link_mode="active")
    before = kept_legs(world.root)

    counting.fold()

    rows = SpaceCount.objects.filter(space_id=world.root.pk, what="leg.dhcp.active")
    assert rows.count() == 1
    assert not SpaceCount.objects.filter(what="leg.dhcp.idle").exists()
    assert kept_legs(world.root) == before == plain_legs(world.root)
    assert counting.differences(COUNTED) == []


def test_triggers_that_are_all_there_are_left_alone(world: World) -> None:
    assert counting.install(COUNTED) is False


def test_bulk_loads_go_without_triggers_and_are_counted_at_the_end(world: World) -> None:
    counting.uninstall()
    Leg.objects.filter(bond=world.bond).update(link_mode="offline")
    assert kept_legs(world.acme) != plain_legs(world.acme)

    assert counting.install(COUNTED) is True

    assert kept_legs(world.acme) == plain_legs(world.acme)


def test_reading_looks_at_the_rows_of_one_space_alone(world: World) -> None:
    statement = queries_of(lambda: kept_legs(world.root))[0]

    assert "spaces_spacecount" in statement
    assert "closure" not in statement

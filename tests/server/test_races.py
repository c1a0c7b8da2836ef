"""Writers at the same moment, on both databases: constraints and locks decide, nobody breaks.

One transaction of the world is not enough here: every writer has a connection of its own.
"""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network
from typing import Any

import pytest

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import (
    create_bond,
    create_cpe_nat_ip,
    restart_bond,
    update_bond,
    update_connected_ip,
    update_leg,
)
from openbond.server.errors import DomainError, InvalidFields, LastAdministrator
from openbond.server.fleet.models import Bonder, ConfigUpdate
from openbond.server.ipam.models import IPAllocation, NetworkUse
from openbond.server.ipam.services import create_allocation
from openbond.server.spaces.models import Group, Space, SpaceClosure, User
from openbond.server.spaces.services import create_space, create_user, delete_user
from openbond.server.system.actors import SERVER
from tests.server.bonds.routing_world import connect, create_networks
from tests.server.threads import errors_in, together
from tests.world import World, create_world

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS = 6


@pytest.fixture
def world(transactional_db: None) -> World:
    return create_world()


def test_bonds_made_at_once_have_different_tunnel_subnets(world: World) -> None:
    make = partial(create_bond, by=SERVER, aggregator=world.home, space=world.acme)

    results = together(*[make] * WRITERS)

    assert errors_in(results) == []
    numbers = sorted(Bond.objects.values_list("tunnel_number", flat=True))
    first = numbers[0]
    assert numbers == [first + 2 * position for position in range(WRITERS + 2)]


def test_of_two_of_one_name_one_is_refused_and_leaves_nothing(world: World) -> None:
    make = partial(create_bond, by=SERVER, aggregator=world.home, space=world.acme, name="twin")

    errors = errors_in(together(make, make, make))

    assert [type(error) for error in errors] == [InvalidFields, InvalidFields]
    assert all("name" in error.fields for error in errors if isinstance(error, InvalidFields))
    assert Bonder.objects.filter(name="twin").count() == 1
    assert Bond.objects.count() == 3


def test_a_public_address_is_enabled_by_one_of_two(world: World) -> None:
    create_networks(world)
    twin = create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="twin")
    rows = [connect(bond, "203.0.113.1", 30, enabled=False) for bond in (world.bond, twin)]

    errors = errors_in(
        together(
            *[
                partial(update_connected_ip, by=SERVER, connected_ip=row, enabled=True)
                for row in rows
            ]
        )
    )

    assert [type(error) for error in errors] == [InvalidFields]
    assert NetworkUse.objects.filter(is_enabled=True).count() == 1


def test_overlapping_networks_are_made_by_one_of_many(world: World) -> None:
    create_networks(world)
    bonds = [create_bond(by=SERVER, aggregator=world.home, space=world.acme) for _ in range(4)]

    errors = errors_in(
        together(
            *[
                partial(connect, bond, f"203.0.113.{1 + number}", 28 + number % 2)
                for number, bond in enumerate(bonds)
            ]
        )
    )

    assert [type(error) for error in errors] == [InvalidFields] * 3
    assert NetworkUse.objects.filter(is_enabled=True).count() == 1


def test_overlapping_allocations_are_made_by_one_of_many(world: World) -> None:
    make = partial(create_allocation, by=SERVER, space=world.root)

    errors = errors_in(
        together(
            *[
                partial(make, network=IPv4Network(f"198.18.0.0/{prefix}"))
                for prefix in (15, 16, 20, 24)
            ]
        )
    )

    assert [type(error) for error in errors] == [InvalidFields] * 3
    assert IPAllocation.objects.count() == 1


def test_two_administrators_cannot_delete_each_other(world: World) -> None:
    second = create_user(
        by=SERVER,
        email="second@example.net",
        space=world.root,
        groups=list(Group.objects.filter(is_builtin=True)),
    )
    first = User.objects.get(username="admin")

    errors = errors_in(
        together(
            partial(delete_user, by=SERVER, user=first),
            partial(delete_user, by=SERVER, user=second),
        )
    )

    assert [type(error) for error in errors] == [LastAdministrator]
    assert User.objects.filter(groups__is_builtin=True).count() == 1


def test_changes_of_different_fields_at_once_are_all_kept(world: World) -> None:
    changes: list[dict[str, Any]] = [
        {"note": "new note"},
        {"name": "renamed"},
        {"compression": True},
        {"reorder_max_hold": 77},
        {"circuit_id": "C-1"},
    ]

    results = together(
        *[partial(update_bond, by=SERVER, bond=world.bond, **change) for change in changes]
    )

    assert errors_in(results) == []
    bond = Bond.objects.get(pk=world.bond.pk)
    kept = (bond.note, bond.name, bond.compression, bond.reorder_max_hold, bond.circuit_id)
    assert kept == ("new note", "renamed", True, 77, "C-1")


def test_restarts_at_once_are_one_restart(world: World) -> None:
    ConfigUpdate.objects.all().delete()

    results = together(*[partial(restart_bond, by=SERVER, bond=world.bond)] * WRITERS)

    assert errors_in(results) == []
    assert Bond.objects.get(pk=world.bond.pk).restart_count == 1
    assert ConfigUpdate.objects.count() == 2


def test_spaces_made_at_once_keep_the_closure_whole(world: World) -> None:
    results = together(
        *[
            partial(create_space, by=SERVER, name="S", key=f"s{number}", parent=world.acme)
            for number in range(WRITERS)
        ]
    )

    assert errors_in(results) == []
    assert SpaceClosure.objects.filter(ancestor=world.acme, depth=1).count() == WRITERS + 1
    assert Space.objects.filter(level=2).count() == WRITERS + 1


def test_different_writes_to_one_bond_wait_for_each_other(world: World) -> None:
    create_networks(world)
    lan = connect(world.bond, "192.168.10.1", 24)

    results = together(
        partial(update_bond, by=SERVER, bond=world.bond, secondary_aggregator=None),
        partial(update_connected_ip, by=SERVER, connected_ip=lan, prefix=23),
        partial(
            create_cpe_nat_ip,
            by=SERVER,
            bond=world.bond,
            ip="203.0.113.9",
            dest_nat_ip="192.168.10.2",
        ),
        partial(update_leg, by=SERVER, leg=world.dhcp_leg, link_mode="idle"),
        partial(restart_bond, by=SERVER, bond=world.bond),
    )

    assert errors_in(results) == []


def test_refusals_of_the_domain_are_the_only_errors_under_load(world: World) -> None:
    create_networks(world)
    calls: list[Callable[[], object]] = [
        partial(connect, world.bond, "203.0.113.1", 30),
        partial(connect, world.globex_bond, "203.0.113.129", 30),
        partial(create_bond, by=SERVER, aggregator=world.home, space=world.globex, name="x"),
        partial(create_bond, by=SERVER, aggregator=world.away, space=world.globex, name="x"),
        partial(update_bond, by=SERVER, bond=world.bond, name="y"),
        partial(update_bond, by=SERVER, bond=world.bond, name="z"),
    ]

    errors = errors_in(together(*calls))

    assert all(isinstance(error, DomainError) for error in errors)
    assert len(errors) == 1

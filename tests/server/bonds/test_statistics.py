"""Statistics of spaces, and what they hold (api-v3 07-people-spaces 4 and 5)."""

from datetime import timedelta

import pytest

from openbond.server.bonds.selectors import (
    bond_statistics,
    leg_statistics,
    related_object_counts,
)
from openbond.server.bonds.services import create_bond, create_leg, update_bond, update_leg
from openbond.server.fleet.models import Node
from openbond.server.fleet.selectors import node_statistics
from openbond.server.ipam.models import UseKind
from openbond.server.ipam.selectors import use_statistics
from openbond.server.qos.selectors import qos_profile_statistics
from openbond.server.spaces.selectors import user_statistics
from openbond.server.spaces.services import update_user
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType, NodeKind
from tests.queries import queries_of
from tests.world import World

from .routing_world import connect


def test_counts_are_of_the_space_and_with_all_below_it(world: World) -> None:
    create_bond(by=SERVER, aggregator=world.home, space=world.acme_east)

    counts = {
        space.name: (found.local, found.including_child_spaces)
        for space in (world.root, world.acme, world.acme_east, world.globex)
        for found in [bond_statistics(space)]
    }

    assert counts == {
        "Root": ({"count": 0}, {"count": 3}),
        "Acme": ({"count": 1}, {"count": 2}),
        "Acme East": ({"count": 1}, {"count": 1}),
        "Globex": ({"count": 1}, {"count": 1}),
    }


def test_legs_count_by_type_and_by_link_mode(world: World) -> None:
    update_leg(by=SERVER, leg=world.static_leg, link_mode="idle")
    east = create_bond(by=SERVER, aggregator=world.home, space=world.acme_east)
    create_leg(by=SERVER, bond=east, type=LegType.DHCP, interface="e", down_kbps=1, up_kbps=1)

    found = leg_statistics(world.acme)

    assert found.local == {
        "count": 3,
        "dhcp": 1,
        "static": 1,
        "pppoe": 1,
        "mobilebroadband": 0,
        "active": 2,
        "idle": 1,
        "offline": 0,
    }
    assert found.including_child_spaces["count"] == 4
    assert found.including_child_spaces["dhcp"] == 2
    assert leg_statistics(world.root).local["count"] == 0


def test_legs_are_counted_where_their_bond_moved(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, space=world.globex)

    assert leg_statistics(world.acme).including_child_spaces["count"] == 0
    assert leg_statistics(world.globex).local["count"] == 3


def test_recent_are_nodes_heard_within_seven_days(world: World) -> None:
    Node.objects.filter(name="home").update(last_connected=world.now - timedelta(days=6))
    Node.objects.filter(name="away").update(last_connected=world.now - timedelta(days=8))

    aggregators = node_statistics(world.root, NodeKind.AGGREGATOR, now=world.now)
    bonders = node_statistics(world.root, NodeKind.BONDER, now=world.now)

    assert aggregators.local == {"count": 2, "recent": 1}
    assert bonders.including_child_spaces == {"count": 2, "recent": 0}


def test_routing_objects_count_in_the_space_of_their_bond(world: World) -> None:
    connect(world.bond, "192.168.10.1", 24)
    connect(world.bond, "192.168.11.1", 24, enabled=False)

    found = use_statistics(world.root, UseKind.CONNECTED_IP)

    assert found.local == {"count": 0, "enabled": 0}
    assert found.including_child_spaces == {"count": 2, "enabled": 1}
    assert use_statistics(world.acme, UseKind.ROUTE).local["count"] == 0


def test_users_and_profiles_count_too(world: World) -> None:
    update_user(by=SERVER, user=world.user("eve"), active=False)

    assert user_statistics(world.acme).including_child_spaces == {"count": 2, "active": 1}
    assert qos_profile_statistics(world.root).local == {"count": 1}


@pytest.mark.parametrize("name", ["root", "acme", "acme_east"])
def test_a_roll_up_is_one_query(world: World, name: str) -> None:
    assert len(queries_of(lambda: leg_statistics(getattr(world, name)))) == 1


def test_what_spaces_hold_costs_the_same_for_one_and_for_many(world: World) -> None:
    every = [world.root.pk, world.acme.pk, world.acme_east.pk, world.globex.pk]

    counts = related_object_counts(every)
    one = queries_of(lambda: related_object_counts(every[:1]))
    many = queries_of(lambda: related_object_counts(every))

    assert counts[world.root.pk] == {
        "bonds": 0,
        "aggregators": 2,
        "users": 1,
        "spaces": 2,
        "routing_groups": 1,
        "ip_allocations": 0,
        "qos_profiles": 1,
        "mobile_provider_profiles": 0,
    }
    assert counts[world.acme.pk]["spaces"] == 1
    assert len(one) == len(many) == 8

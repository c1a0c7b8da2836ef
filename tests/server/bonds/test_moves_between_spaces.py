"""A bond moves to another space (api-v3 02-bonds, rules 6 and 7; behaviour 6.4)."""

from typing import Any

import pytest

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import (
    create_bond,
    create_cpe_nat_ip,
    create_leg,
    create_mobile_provider_profile,
    create_route,
    update_bond,
    update_connected_ip,
    update_space,
)
from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import Bonder
from openbond.server.fleet.services import create_aggregator, create_routing_group
from openbond.server.ipam.models import IPAllocation, NetworkUse
from openbond.server.qos.models import QosProfile
from openbond.server.spaces.models import Space
from openbond.server.spaces.services import create_space
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType
from tests.world import World, nodes_to_update, settle_updates

from .routing_world import Networks, connect, create_networks


@pytest.fixture
def networks(world: World) -> Networks:
    return create_networks(world)


def move(bond: Bond, space: Space) -> Bond:
    return update_bond(by=SERVER, bond=bond, space=space)


def faults_of_move(bond: Bond, space: Space) -> set[str]:
    with pytest.raises(InvalidFields) as refusal:
        move(bond, space)
    return set(refusal.value.fields)


def test_the_bonder_and_the_routing_objects_go_along(world: World) -> None:
    connect(world.bond, "192.168.10.1", 24)
    settle_updates()

    move(world.bond, world.globex)

    assert Bonder.objects.get(pk=world.bonder.pk).space == world.globex
    assert NetworkUse.objects.get().space == world.globex
    assert set(world.bond.legs.values_list("space", flat=True)) == {world.globex.pk}
    assert nodes_to_update() == {"site-1", "home"}


def test_the_name_must_be_free_there(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, name="globex-1")

    assert faults_of_move(world.bond, world.globex) == {"space"}
    moved = update_bond(by=SERVER, bond=world.bond, space=world.globex, name="globex-2")

    assert moved.space == world.globex


def test_all_that_the_bond_refers_to_must_be_usable_there(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, qos_profile=QosProfile.objects.get())
    profile = create_mobile_provider_profile(by=SERVER, name="m", apn="a", space=world.root)
    create_leg(
        by=SERVER,
        bond=world.bond,
        type=LegType.MOBILEBROADBAND,
        provider_profile=profile,
        down_kbps=1,
        up_kbps=1,
    )
    lonely = create_space(by=SERVER, name="Lonely", key="lonely", parent=world.root)

    with pytest.raises(InvalidFields) as refusal:
        move(world.bond, lonely)

    assert set(refusal.value.fields) == {"space"}
    assert len(refusal.value.fields["space"]) == 4
    move(world.bond, world.globex)


def test_a_bond_with_an_enabled_public_address_goes_only_downwards(
    world: World, networks: Networks
) -> None:
    row = connect(world.bond, "203.0.113.1", 30)

    assert faults_of_move(world.bond, world.globex) == {"space"}
    assert faults_of_move(world.bond, world.root) == {"space"}
    update_connected_ip(by=SERVER, connected_ip=row, enabled=False)
    assert move(world.bond, world.globex).space == world.globex


def test_downwards_the_public_networks_are_delegated(world: World, networks: Networks) -> None:
    connect(world.bond, "203.0.113.1", 28)
    connect(world.bond, "192.168.10.1", 24, "eth5")
    create_cpe_nat_ip(
        by=SERVER, bond=world.bond, ip="203.0.113.9", dest_nat_ip="192.168.10.2", enabled=False
    )
    create_route(
        by=SERVER,
        bond=world.bond,
        network="203.0.113.32/28",
        gateway="203.0.113.2",
        enabled=False,
    )

    move(world.bond, world.acme_east)

    cut = IPAllocation.objects.filter(space=world.acme_east).exclude(pk=networks.acme_east.pk)
    assert set(cut.values_list("network", "parent__network", "origin__network")) == {
        ("203.0.113.0/28", "203.0.113.0/25", "203.0.113.0/24"),
        ("203.0.113.32/28", "203.0.113.0/25", "203.0.113.0/24"),
    }
    assert set(NetworkUse.objects.values_list("space_id", flat=True)) == {world.acme_east.pk}


def test_further_down_every_level_gets_its_part(world: World, networks: Networks) -> None:
    bond = create_bond(by=SERVER, aggregator=world.home, space=world.root, name="top")
    networks.globex.delete()
    connect(bond, "203.0.113.129", 30)

    move(bond, world.acme_east)

    cut = IPAllocation.objects.filter(network="203.0.113.128/30").order_by("id")
    assert [(row.space.name, row.parent and row.parent.network) for row in cut] == [
        ("Acme", "203.0.113.0/24"),
        ("Acme East", "203.0.113.128/30"),
    ]


def test_what_the_new_space_holds_already_is_not_cut_again(
    world: World, networks: Networks
) -> None:
    bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme_east, name="east")
    row = connect(bond, "203.0.113.65", 30)
    update_connected_ip(by=SERVER, connected_ip=row, enabled=False)
    move(bond, world.acme)

    move(bond, world.acme_east)

    assert IPAllocation.objects.count() == 4


def test_objects_of_other_bonds_are_an_obstacle(world: World, networks: Networks) -> None:
    neighbour = create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="neighbour")
    connect(world.bond, "203.0.113.1", 28)
    connect(neighbour, "203.0.113.5", 30, enabled=False)

    assert faults_of_move(world.bond, world.acme_east) == {"space"}
    assert IPAllocation.objects.count() == 4
    assert Bond.objects.get(pk=world.bond.pk).space == world.acme


def test_a_new_aggregator_must_be_where_the_addresses_are_valid(
    world: World, networks: Networks
) -> None:
    elsewhere = create_routing_group(by=SERVER, name="elsewhere", space=world.root)
    far = create_aggregator(
        by=SERVER, name="far", ip="198.51.100.40", space=world.root, routing_group=elsewhere
    )
    row = connect(world.bond, "203.0.113.1", 30)

    with pytest.raises(InvalidFields) as primary:
        update_bond(by=SERVER, bond=world.bond, aggregator=far)
    with pytest.raises(InvalidFields) as secondary:
        update_bond(by=SERVER, bond=world.bond, secondary_aggregator=far)
    update_connected_ip(by=SERVER, connected_ip=row, enabled=False)
    update_bond(by=SERVER, bond=world.bond, secondary_aggregator=far)

    assert set(primary.value.fields) == {"aggregator"}
    assert set(secondary.value.fields) == {"secondary_aggregator"}


@pytest.mark.parametrize(
    "switch",
    [
        "use_parent_aggregators",
        "use_parent_qos_profiles",
        "use_parent_mobile_provider_profiles",
    ],
)
def test_a_switch_that_a_bond_depends_on_stays_on(world: World, switch: str) -> None:
    off: dict[str, Any] = {switch: False}
    profile = create_mobile_provider_profile(by=SERVER, name="m", apn="a", space=world.root)
    bond = create_bond(
        by=SERVER,
        aggregator=world.home,
        qos_profile=QosProfile.objects.get(),
        space=world.acme_east,
    )
    create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.MOBILEBROADBAND,
        provider_profile=profile,
        down_kbps=1,
        up_kbps=1,
    )

    for space in (world.acme, world.acme_east):
        with pytest.raises(InvalidFields) as refusal:
            update_space(by=SERVER, space=space, **off)
        assert refusal.value.fields == {switch: ["In use."]}
        space.refresh_from_db()
        assert getattr(space, switch)

    on: dict[str, Any] = {switch: True}
    unused = create_space(by=SERVER, name="U", key="u", parent=world.root, **on)
    update_space(by=SERVER, space=unused, **off)


def test_a_renamed_space_renames_the_hosts_of_its_nodes(world: World) -> None:
    settle_updates()

    update_space(by=SERVER, space=world.acme, name="Acme Ltd")

    assert nodes_to_update() == {"site-1"}

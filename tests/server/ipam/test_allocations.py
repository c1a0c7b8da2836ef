"""Allocations and delegations (api-v3 04-routing 5)."""

import pytest

from openbond.server.bonds.services import create_bond
from openbond.server.errors import Forbidden, InUse, InvalidFields, IsDelegation
from openbond.server.fleet.services import create_routing_group, delete_routing_group
from openbond.server.ipam.models import IPAllocation
from openbond.server.ipam.selectors import (
    available_parts,
    groups_of,
    ip_allocations_visible_to,
)
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
    create_delegation_to,
    delete_allocation,
    unassign_routing_group,
    update_allocation,
)
from openbond.server.system.actors import SERVER
from tests.server.bonds.routing_world import Networks, connect, create_networks, net
from tests.world import World


@pytest.fixture
def networks(world: World) -> Networks:
    return create_networks(world)


def test_a_space_without_routing_groups_makes_no_allocation(world: World) -> None:
    with pytest.raises(InvalidFields) as refusal:
        create_allocation(by=SERVER, space=world.acme, network=net("198.18.0.0/24"))
    create_routing_group(by=SERVER, name="acme", space=world.acme)
    create_allocation(by=SERVER, space=world.acme, network=net("198.18.0.0/24"))

    assert set(refusal.value.fields) == {"space"}


@pytest.mark.parametrize(
    "network",
    ["203.0.113.0/24", "203.0.113.0/28", "203.0.0.0/16", "203.0.113.255/32", "127.0.0.0/8"],
)
def test_allocations_never_overlap_nor_hold_what_cannot_be_used(
    world: World, networks: Networks, network: str
) -> None:
    with pytest.raises(InvalidFields) as refusal:
        create_allocation(by=SERVER, space=world.root, network=net(network))

    assert set(refusal.value.fields) == {"network"}


def test_an_allocation_is_valid_nowhere_until_a_group_is_assigned(world: World) -> None:
    row = create_allocation(by=SERVER, space=world.root, network=net("198.18.0.0/24"))

    assert not groups_of(row).exists()
    assign_routing_group(by=SERVER, allocation=row, routing_group=world.group)
    assert groups_of(row).get() == world.group


def test_a_delegation_has_the_groups_it_stems_from(world: World, networks: Networks) -> None:
    assert groups_of(networks.acme_east).get() == world.group
    assert networks.acme_east.origin == networks.whole
    with pytest.raises(IsDelegation):
        assign_routing_group(by=SERVER, allocation=networks.acme, routing_group=world.group)


def test_only_own_groups_are_assigned_and_only_once(world: World, networks: Networks) -> None:
    foreign = create_routing_group(by=SERVER, name="acme", space=world.acme)

    with pytest.raises(InvalidFields):
        assign_routing_group(by=SERVER, allocation=networks.whole, routing_group=foreign)
    with pytest.raises(InvalidFields) as twice:
        assign_routing_group(by=SERVER, allocation=networks.whole, routing_group=world.group)

    assert twice.value.fields == {"routing_group": ["Already assigned."]}


def test_a_delegation_is_cut_for_a_direct_child(world: World, networks: Networks) -> None:
    with pytest.raises(InvalidFields) as grandchild:
        create_delegation(
            by=SERVER, parent=networks.whole, space=world.acme_east, network=net("203.0.113.0/30")
        )
    with pytest.raises(InvalidFields) as outside:
        create_delegation(
            by=SERVER, parent=networks.acme, space=world.acme_east, network=net("203.0.113.128/30")
        )
    with pytest.raises(InvalidFields) as overlapping:
        create_delegation(
            by=SERVER, parent=networks.acme, space=world.acme_east, network=net("203.0.113.96/30")
        )

    assert set(grandchild.value.fields) == {"space", "network"}
    assert set(outside.value.fields) == {"network"}
    assert set(overlapping.value.fields) == {"network"}


def test_the_giving_space_must_not_use_the_part_itself(world: World, networks: Networks) -> None:
    connect(world.bond, "203.0.113.1", 30, enabled=False)

    with pytest.raises(InvalidFields) as refusal:
        create_delegation(
            by=SERVER, parent=networks.acme, space=world.acme_east, network=net("203.0.113.0/29")
        )

    assert set(refusal.value.fields) == {"network"}


def test_who_sees_only_the_holder_writes_no_delegation(world: World, networks: Networks) -> None:
    ana, eve = world.viewer("ana"), world.viewer("eve")

    with pytest.raises(Forbidden):
        delete_allocation(by=eve, allocation=networks.acme_east)
    with pytest.raises(Forbidden):
        update_allocation(by=ana, allocation=networks.acme, note="mine")
    with pytest.raises(Forbidden):
        create_delegation_to(by=eve, space=world.acme_east, network=net("203.0.113.0/30"))

    update_allocation(by=ana, allocation=networks.acme_east, note="for the east")


def test_the_parent_is_found_from_the_network(world: World, networks: Networks) -> None:
    row = create_delegation_to(by=SERVER, space=world.acme_east, network=net("203.0.113.32/28"))

    assert row.parent == networks.acme
    with pytest.raises(InvalidFields):
        create_delegation_to(by=SERVER, space=world.acme_east, network=net("203.0.113.128/28"))
    with pytest.raises(InvalidFields):
        create_delegation_to(by=SERVER, space=world.root, network=net("203.0.113.128/28"))


def test_what_lies_inside_stays_inside(world: World, networks: Networks) -> None:
    connect(world.bond, "203.0.113.33", 30)

    for allocation, network in (
        (networks.whole, "203.0.113.0/25"),
        (networks.acme, "203.0.113.64/26"),
        (networks.acme, "203.0.113.0/24"),
    ):
        with pytest.raises(InvalidFields) as refusal:
            update_allocation(by=SERVER, allocation=allocation, network=net(network))
        assert set(refusal.value.fields) == {"network"}

    update_allocation(by=SERVER, allocation=networks.whole, network=net("203.0.112.0/23"))
    update_allocation(by=SERVER, allocation=networks.acme_east, network=net("203.0.113.64/27"))
    networks.whole.refresh_from_db()
    assert networks.whole.network == "203.0.112.0/23"


def test_available_are_the_parts_neither_given_nor_used(world: World, networks: Networks) -> None:
    connect(world.bond, "203.0.113.1", 30, enabled=False)
    connect(world.bond, "192.168.1.1", 24, "eth5")
    rows = list(IPAllocation.objects.order_by("id"))

    free = available_parts(rows)

    assert free == {
        networks.whole.pk: [],
        networks.acme.pk: [
            "203.0.113.4/30",
            "203.0.113.8/29",
            "203.0.113.16/28",
            "203.0.113.32/27",
        ],
        networks.acme_east.pk: ["203.0.113.64/26"],
        networks.globex.pk: ["203.0.113.128/25"],
    }


def test_available_costs_the_same_for_one_row_and_for_many(
    world: World, networks: Networks, django_assert_num_queries: object
) -> None:
    rows = list(IPAllocation.objects.all())

    with django_assert_num_queries(2):  # type: ignore[operator]
        available_parts(rows)
    with django_assert_num_queries(2):  # type: ignore[operator]
        available_parts(rows[:1])


def test_what_is_used_or_given_on_is_not_deleted(world: World, networks: Networks) -> None:
    connect(world.bond, "203.0.113.1", 30, enabled=False)

    for allocation in (networks.whole, networks.acme):
        with pytest.raises(InUse):
            delete_allocation(by=SERVER, allocation=allocation)
    delete_allocation(by=SERVER, allocation=networks.acme_east)
    delete_allocation(by=SERVER, allocation=networks.globex)

    assert IPAllocation.objects.count() == 2


def test_a_part_given_back_can_be_used_again(world: World, networks: Networks) -> None:
    with pytest.raises(InvalidFields):
        connect(world.bond, "203.0.113.65", 30)

    delete_allocation(by=SERVER, allocation=networks.acme_east)

    assert connect(world.bond, "203.0.113.65", 30).enabled


def test_an_assignment_that_objects_depend_on_stays(world: World, networks: Networks) -> None:
    assignment = networks.whole.assignments.get()
    bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme_east)
    connect(bond, "203.0.113.65", 30, enabled=False)

    with pytest.raises(InUse):
        unassign_routing_group(by=SERVER, assignment=assignment)


def test_a_group_where_an_allocation_is_valid_is_not_deleted(
    world: World, networks: Networks
) -> None:
    second = create_routing_group(by=SERVER, name="second", space=world.root)
    assign_routing_group(by=SERVER, allocation=networks.whole, routing_group=second)

    with pytest.raises(InUse):
        delete_routing_group(by=SERVER, group=second)


def test_an_assignment_that_nothing_depends_on_ends(world: World, networks: Networks) -> None:
    second = create_routing_group(by=SERVER, name="second", space=world.root)
    row = assign_routing_group(by=SERVER, allocation=networks.whole, routing_group=second)
    connect(world.bond, "203.0.113.1", 30)

    unassign_routing_group(by=SERVER, assignment=row)

    assert groups_of(networks.whole).get() == world.group


def test_a_viewer_sees_the_allocations_of_his_reach(world: World, networks: Networks) -> None:
    seen = {
        name: set(ip_allocations_visible_to(world.viewer(name)).values_list("network", flat=True))
        for name in ("admin", "ana", "gil")
    }

    assert len(seen["admin"]) == 4
    assert seen["ana"] == {"203.0.113.0/25", "203.0.113.64/26"}
    assert seen["gil"] == {"203.0.113.128/25"}

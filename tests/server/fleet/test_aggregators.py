"""Aggregators and routing groups (api-v3 01-fleet 3 and 5)."""

from ipaddress import IPv4Network
from typing import Any

import pytest

from openbond.server.bonds.services import (
    create_connected_ip,
    update_aggregator,
    update_bond,
)
from openbond.server.errors import InUse, InvalidFields, Protected
from openbond.server.fleet.models import Aggregator, Node, RoutingGroup, Tombstone
from openbond.server.fleet.services import (
    create_aggregator,
    create_routing_group,
    delete_aggregator,
    delete_routing_group,
    update_routing_group,
)
from openbond.server.ipam.services import assign_routing_group, create_allocation, create_delegation
from openbond.server.spaces.services import write_space
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from openbond.server.system.services import update_settings
from tests.world import World, nodes_to_update, settle_updates


def test_a_new_aggregator_takes_intervals_from_the_settings(world: World) -> None:
    update_settings(by=SERVER, metric_collection_interval=20, metric_reporting_interval=120)

    aggregator = create_aggregator(by=SERVER, name="third", ip="198.51.100.30", space=world.root)

    assert aggregator.metric_collection_interval == 20
    assert aggregator.metric_reporting_interval == 120
    assert aggregator.username == "root"
    assert aggregator.routing_group == world.group
    assert nodes_to_update() >= {"third"}


def test_passwords_are_sealed_in_the_database_and_hidden_in_the_audit(world: World) -> None:
    update_aggregator(by=SERVER, aggregator=world.home, password="hunter2")

    stored = Aggregator.objects.get(pk=world.home.pk)
    assert stored.password == "hunter2"
    assert "hunter2" not in stored.sealed_password
    assert AuditEntry.objects.latest("id").after == {"password": "(secret)"}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"name": "HOME"}, {"name"}),
        ({"ip": "198.51.100.10"}, {"ip"}),
        ({"metric_reporting_interval": 5}, {"metric_reporting_interval"}),
        ({"metric_collection_interval": 61}, {"metric_collection_interval"}),
        ({"failover_receive_timeout": 30}, {"failover_receive_timeout"}),
        ({"failover_interval": 5}, {"failover_interval"}),
        ({"failover_interval": 10, "failover_receive_timeout": 10}, {"failover_receive_timeout"}),
    ],
)
def test_what_does_not_fit_is_refused_on_the_field_sent(
    world: World, values: dict[str, Any], fields: set[str]
) -> None:
    columns: dict[str, Any] = {"name": "new", "ip": "198.51.100.99", **values}

    with pytest.raises(InvalidFields) as refusal:
        create_aggregator(by=SERVER, space=world.root, **columns)
    with pytest.raises(InvalidFields) as second:
        update_aggregator(by=SERVER, aggregator=world.away, **values)

    assert set(refusal.value.fields) == fields
    assert set(second.value.fields) == fields


def test_names_may_repeat_in_another_space_and_between_kinds(world: World) -> None:
    create_routing_group(by=SERVER, name="east", space=world.acme)
    create_aggregator(by=SERVER, name="home", ip="198.51.100.98", space=world.acme)
    create_aggregator(by=SERVER, name="site-1", ip="198.51.100.97", space=world.acme)

    assert Node.objects.filter(name="home").count() == 2


def test_the_ids_of_nodes_are_one_sequence_and_never_used_again(world: World) -> None:
    highest = max(Node.objects.values_list("pk", flat=True))
    first = create_aggregator(by=SERVER, name="one", ip="198.51.100.31", space=world.root)
    first_id = first.pk
    delete_aggregator(by=SERVER, aggregator=first)

    second = create_aggregator(by=SERVER, name="one", ip="198.51.100.31", space=world.root)

    assert highest < first_id < second.pk


def test_a_deleted_aggregator_leaves_a_tombstone(world: World) -> None:
    spare = create_aggregator(by=SERVER, name="spare", ip="198.51.100.31", space=world.root)
    spare_id = spare.pk

    delete_aggregator(by=SERVER, aggregator=spare)

    stone = Tombstone.objects.get(node_id=spare_id)
    assert (stone.kind, stone.name) == ("aggregator", "spare")


def test_an_aggregator_that_a_bond_names_is_not_deleted(world: World) -> None:
    for aggregator in (world.home, world.away):
        with pytest.raises(InUse):
            delete_aggregator(by=SERVER, aggregator=aggregator)

    assert not Tombstone.objects.exists()
    assert not AuditEntry.objects.filter(action="delete").exists()


def test_a_new_address_reaches_all_bonders_that_use_it(world: World) -> None:
    settle_updates()

    update_aggregator(by=SERVER, aggregator=world.home, ip="198.51.100.11")

    assert nodes_to_update() == {"home", "site-1", "globex-1"}


def test_what_a_node_need_not_know_makes_no_config_update(world: World) -> None:
    settle_updates()

    update_aggregator(by=SERVER, aggregator=world.home, note="rack 4", failover_retries=5)
    assert nodes_to_update() == set()

    update_aggregator(by=SERVER, aggregator=world.home, debug=True)
    assert nodes_to_update() == {"home"}


def test_monitoring_off_clears_failed(world: World) -> None:
    Aggregator.objects.filter(pk=world.home.pk).update(failed=True, failover_monitoring=True)

    update_aggregator(by=SERVER, aggregator=world.home, failover_monitoring=False)

    world.home.refresh_from_db()
    assert not world.home.failed


def test_an_aggregator_stays_usable_for_the_bonds_that_name_it(world: World) -> None:
    create_routing_group(by=SERVER, name="acme", space=world.acme)

    with pytest.raises(InvalidFields) as refusal:
        update_aggregator(by=SERVER, aggregator=world.home, space=world.acme)
    update_aggregator(by=SERVER, aggregator=world.away, space=world.acme)

    assert set(refusal.value.fields) == {"space"}
    world.away.refresh_from_db()
    assert world.away.space == world.acme


def test_the_routing_group_stays_usable_too(world: World) -> None:
    write_space(by=SERVER, space=world.globex, changes={"use_parent_aggregators": False})
    spare = create_aggregator(by=SERVER, name="spare", ip="198.51.100.31", space=world.root)
    foreign = create_routing_group(by=SERVER, name="acme", space=world.acme)

    with pytest.raises(InvalidFields) as moved:
        update_aggregator(by=SERVER, aggregator=spare, space=world.globex)
    with pytest.raises(InvalidFields) as grouped:
        update_aggregator(by=SERVER, aggregator=spare, routing_group=foreign)
    with pytest.raises(InvalidFields) as created:
        create_aggregator(by=SERVER, name="x", ip="198.51.100.32", space=world.globex)

    assert set(moved.value.fields) == {"space"}
    assert set(grouped.value.fields) == {"routing_group"}
    assert created.value.fields == {"routing_group": ["This field is required."]}


def test_a_group_where_an_enabled_address_is_not_valid_is_refused(world: World) -> None:
    network = IPv4Network("203.0.113.0/24")
    whole = create_allocation(by=SERVER, space=world.root, network=network)
    assign_routing_group(by=SERVER, allocation=whole, routing_group=world.group)
    create_delegation(by=SERVER, parent=whole, space=world.acme, network=network)
    create_connected_ip(by=SERVER, bond=world.bond, interface="eth0", ip="203.0.113.1", prefix=30)
    elsewhere = create_routing_group(by=SERVER, name="elsewhere", space=world.root)

    for aggregator in (world.home, world.away):
        with pytest.raises(InvalidFields) as refusal:
            update_aggregator(by=SERVER, aggregator=aggregator, routing_group=elsewhere)
        assert "elsewhere" in refusal.value.fields["routing_group"][0]

    update_bond(by=SERVER, bond=world.bond, secondary_aggregator=None)
    update_aggregator(by=SERVER, aggregator=world.away, routing_group=elsewhere)
    assign_routing_group(by=SERVER, allocation=whole, routing_group=elsewhere)
    update_aggregator(by=SERVER, aggregator=world.home, routing_group=elsewhere)


def test_the_built_in_routing_group_may_be_renamed_but_not_deleted(world: World) -> None:
    update_routing_group(by=SERVER, group=world.group, name="Toronto")

    with pytest.raises(Protected):
        delete_routing_group(by=SERVER, group=world.group)

    world.group.refresh_from_db()
    assert world.group.name == "Toronto"


def test_a_routing_group_in_use_is_not_deleted(world: World) -> None:
    group = create_routing_group(by=SERVER, name="east", space=world.root)
    update_aggregator(by=SERVER, aggregator=world.away, routing_group=group)

    with pytest.raises(InUse):
        delete_routing_group(by=SERVER, group=group)
    update_aggregator(by=SERVER, aggregator=world.away, routing_group=world.group)
    delete_routing_group(by=SERVER, group=group)

    assert RoutingGroup.objects.get() == world.group

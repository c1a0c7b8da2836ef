"""Adjacent allocations with equal groups become one (behaviour 7, item 33)."""

import pytest
from django.core.management import CommandError, call_command

from openbond.server.fleet.services import create_routing_group
from openbond.server.ipam.models import IPAllocation
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.system.actors import SERVER
from tests.server.bonds.routing_world import net
from tests.world import World

pytestmark = pytest.mark.django_db


def allocation(world: World, network: str) -> IPAllocation:
    row = create_allocation(by=SERVER, space=world.root, network=net(network))
    assign_routing_group(by=SERVER, allocation=row, routing_group=world.group)
    return row


def merge(first: IPAllocation, second: IPAllocation) -> None:
    call_command("merge_allocations", first=first.pk, second=second.pk)


def test_two_halves_become_one_with_all_that_was_delegated_from_them(world: World) -> None:
    low, high = allocation(world, "198.18.0.0/25"), allocation(world, "198.18.0.128/25")
    part = create_delegation(
        by=SERVER, parent=high, space=world.acme, network=net("198.18.0.128/28")
    )

    merge(low, high)

    assert [row.network for row in IPAllocation.objects.filter(parent=None)] == ["198.18.0.0/24"]
    part.refresh_from_db()
    assert (part.parent_id, part.origin_id) == (low.pk, low.pk)
    again = create_delegation(
        by=SERVER, parent=low, space=world.acme, network=net("198.18.0.64/28")
    )
    assert again.parent_id == low.pk


@pytest.mark.parametrize(
    ("second", "why"),
    [
        pytest.param("198.18.1.0/25", "do not make one network", id="a gap between"),
        pytest.param("198.18.0.128/26", "do not make one network", id="of another size"),
    ],
)
def test_what_is_not_adjacent_is_not_merged(world: World, second: str, why: str) -> None:
    first = allocation(world, "198.18.0.0/25")

    with pytest.raises(CommandError, match=why):
        merge(first, allocation(world, second))

    assert IPAllocation.objects.count() == 2


def test_allocations_of_other_groups_or_delegations_are_not_merged(world: World) -> None:
    low, high = allocation(world, "198.18.0.0/25"), allocation(world, "198.18.0.128/25")
    other = create_routing_group(by=SERVER, name="other", space=world.root)
    assign_routing_group(by=SERVER, allocation=high, routing_group=other)
    part = create_delegation(by=SERVER, parent=low, space=world.acme, network=net("198.18.0.0/28"))

    with pytest.raises(CommandError, match="different routing groups"):
        merge(low, high)
    with pytest.raises(CommandError, match="delegation"):
        merge(low, part)
    with pytest.raises(CommandError, match="no IP allocation 999"):
        call_command("merge_allocations", first=low.pk, second=999)

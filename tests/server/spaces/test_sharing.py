"""What is shared down the tree, and what a viewer sees of it (api-v3 00-general 11)."""

from django.db.models import F

from openbond.server.fleet.selectors import (
    aggregators_visible_to,
    is_aggregator_usable_in,
    is_group_usable_in,
    nodes_visible_to,
    routing_groups_visible_to,
)
from openbond.server.qos.selectors import qos_profiles_visible_to
from openbond.server.spaces.services import write_space
from openbond.server.system.actors import SERVER
from tests.world import World


def switch_off(world: World, *names: str) -> None:
    for name in names:
        space = getattr(world, name)
        write_space(by=SERVER, space=space, changes={"use_parent_aggregators": False})


def test_sharing_reaches_down_while_every_space_on_the_way_has_its_switch_on(
    world: World,
) -> None:
    assert is_aggregator_usable_in(aggregator=world.home, space=world.acme_east)
    assert is_group_usable_in(group=world.group, space=world.acme_east)

    switch_off(world, "acme")

    assert not is_aggregator_usable_in(aggregator=world.home, space=world.acme)
    assert not is_aggregator_usable_in(aggregator=world.home, space=world.acme_east)
    assert is_aggregator_usable_in(aggregator=world.home, space=world.root)
    assert is_aggregator_usable_in(aggregator=world.home, space=world.globex)


def test_a_viewer_sees_what_is_shared_with_the_home_space(world: World) -> None:
    seen = {node.name for node in aggregators_visible_to(world.viewer("eve"))}
    groups = {group.name for group in routing_groups_visible_to(world.viewer("eve"))}

    assert seen == {"home", "away"}
    assert groups == {"Default group"}


def test_a_viewer_does_not_see_what_is_no_longer_shared(world: World) -> None:
    switch_off(world, "acme_east")

    eve = world.viewer("eve")
    assert not aggregators_visible_to(eve).exists()
    assert not routing_groups_visible_to(eve).exists()
    assert qos_profiles_visible_to(eve).count() == 1


def test_sharing_shows_no_bonders_of_the_parent(world: World) -> None:
    names = {node.name for node in nodes_visible_to(world.viewer("eve"))}

    assert names == {"home", "away"}


def test_nodes_are_seen_by_the_codes_of_their_kind(world: World) -> None:
    world.restrict("ana", "view_bonder")

    assert {node.name for node in nodes_visible_to(world.viewer("ana"))} == {"site-1"}


def test_the_root_sees_every_node(world: World) -> None:
    names = {node.name for node in nodes_visible_to(world.viewer("admin"))}

    assert names == {"home", "away", "site-1", "globex-1"}


def test_counts_are_those_within_reach(world: World) -> None:
    counts = {
        name: routing_groups_visible_to(world.viewer(name)).values_list(F("aggregator_count"))[0]
        for name in ("admin", "ana")
    }

    assert counts == {"admin": (2,), "ana": (0,)}

"""The tree of spaces and its closure table."""

import random

import pytest
from django.db import IntegrityError

from openbond.server.errors import Forbidden, InUse, InvalidFields, Protected
from openbond.server.spaces.models import Space, SpaceClosure
from openbond.server.spaces.selectors import is_descendant, path_below, spaces_visible_to
from openbond.server.spaces.services import create_space, delete_space, write_space
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.world import World


def closure_of_tree() -> set[tuple[int, int, int]]:
    """Return what the closure must hold, walked from the parents of every space."""
    parents = dict(Space.objects.values_list("pk", "parent_id"))
    pairs = set()
    for space_id in parents:
        above: int | None = space_id
        depth = 0
        while above is not None:
            pairs.add((above, space_id, depth))
            above, depth = parents[above], depth + 1
    return pairs


def closure_stored() -> set[tuple[int, int, int]]:
    return set(SpaceClosure.objects.values_list("ancestor_id", "descendant_id", "depth"))


def test_the_closure_follows_a_tree_that_grows_and_shrinks_at_random(world: World) -> None:
    dice = random.Random(7)
    spaces = [world.root, world.acme]

    for number in range(40):
        if dice.random() < 0.25:
            leaf = next((s for s in spaces[2:] if not s.children.exists()), None)
            if leaf is not None:
                spaces.remove(leaf)
                delete_space(by=SERVER, space=leaf)
                continue
        parent = dice.choice(spaces)
        spaces.append(create_space(by=SERVER, name="S", key=f"s{number}", parent=parent))

    assert closure_stored() == closure_of_tree()
    assert all(space.level == (space.parent.level + 1 if space.parent else 0) for space in spaces)


def test_a_viewer_sees_the_home_space_and_all_below_it(world: World) -> None:
    seen = {
        name: {space.name for space in spaces_visible_to(world.viewer(name))}
        for name in ("admin", "ana", "eve", "gil")
    }

    assert seen == {
        "admin": {"Root", "Acme", "Acme East", "Globex"},
        "ana": {"Acme", "Acme East"},
        "eve": {"Acme East"},
        "gil": {"Globex"},
    }


def test_a_key_is_unique_ignoring_case_and_never_all_digits(world: World) -> None:
    with pytest.raises(InvalidFields) as taken:
        create_space(by=SERVER, name="Other", key="ACME", parent=world.root)
    with pytest.raises(InvalidFields) as digits:
        create_space(by=SERVER, name="Other", key="2026", parent=world.root)

    assert taken.value.fields == {"key": ["Key must be unique."]}
    assert set(digits.value.fields) == {"key"}


def test_there_is_one_root(world: World) -> None:
    with pytest.raises(IntegrityError):
        create_space(by=SERVER, name="Second", key="second", parent=None)


def test_a_space_that_holds_anything_is_not_deleted(world: World) -> None:
    with pytest.raises(Protected):
        delete_space(by=SERVER, space=world.root)
    for space in (world.acme, world.acme_east, world.globex):
        with pytest.raises(InUse):
            delete_space(by=SERVER, space=space)

    assert Space.objects.count() == 4
    assert not AuditEntry.objects.filter(action="delete").exists()


def test_branding_comes_in_part_and_other_keys_stay(world: World) -> None:
    write_space(by=SERVER, space=world.acme, changes={"branding": {"color": "#204060"}})
    write_space(by=SERVER, space=world.acme, changes={"branding": {"product_name": "Acme Net"}})

    world.acme.refresh_from_db()
    assert world.acme.branding == {"product_name": "Acme Net", "logo_url": "", "color": "#204060"}


def test_each_field_needs_its_own_code(world: World) -> None:
    world.restrict("ana", "change_space_branding")
    ana = world.viewer("ana")

    write_space(by=ana, space=world.acme, changes={"support": {"name": "NOC"}, "name": "Acme"})
    with pytest.raises(Forbidden):
        write_space(by=ana, space=world.acme, changes={"name": "Acme Ltd"})

    world.acme.refresh_from_db()
    assert (world.acme.name, world.acme.support["name"]) == ("Acme", "NOC")


def test_only_who_reaches_the_parent_changes_what_it_shares(world: World) -> None:
    with pytest.raises(Forbidden):
        write_space(
            by=world.viewer("ana"),
            space=world.acme,
            changes={"use_parent_qos_profiles": False},
        )
    write_space(
        by=world.viewer("ana"),
        space=world.acme_east,
        changes={"use_parent_qos_profiles": False},
    )

    world.acme.refresh_from_db()
    assert world.acme.use_parent_qos_profiles
    world.acme_east.refresh_from_db()
    assert not world.acme_east.use_parent_qos_profiles


def test_a_path_leads_down_the_tree(world: World) -> None:
    assert path_below(above=world.root, below=world.acme_east) == [world.acme, world.acme_east]
    assert is_descendant(below=world.acme_east, above=world.root)
    assert not is_descendant(below=world.acme, above=world.acme)
    assert not is_descendant(below=world.globex, above=world.acme)

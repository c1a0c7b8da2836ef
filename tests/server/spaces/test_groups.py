"""Groups and permission codes (api-v3 00-general 10, 07-people-spaces 2, 3)."""

import pytest
from django.db.models import F

from openbond.server.errors import InUse, InvalidFields, Protected
from openbond.server.spaces.models import Group
from openbond.server.spaces.permissions import ALL_CODES, DEFAULT_GROUPS, PERMISSIONS
from openbond.server.spaces.selectors import groups_visible_to
from openbond.server.spaces.services import create_group, delete_group, update_group
from openbond.server.system.actors import SERVER
from tests.world import World


def test_codes_have_printable_names() -> None:
    assert PERMISSIONS["view_bond"] == "View bond"
    assert PERMISSIONS["change_bonder_credentials"] == "Change bonder credentials"
    assert PERMISSIONS["add_qosprofile"] == "Add QoS profile"
    assert PERMISSIONS["run_systemtask"] == "Run system task"
    assert len(PERMISSIONS) == 69


def test_default_groups_hold_what_the_contract_says() -> None:
    assert DEFAULT_GROUPS["Leg admin"] == {
        "add_mobileproviderprofile",
        "add_speedtest",
        "add_tuner",
        "change_leg",
        "change_mobileproviderprofile",
        "change_tuner",
        "delete_mobileproviderprofile",
    }
    assert "view_backup" not in DEFAULT_GROUPS["View"]
    assert "view_group" in DEFAULT_GROUPS["View"]
    assert "change_group" not in DEFAULT_GROUPS["Restricted admin"]
    assert "view_group" in DEFAULT_GROUPS["Restricted admin"]
    assert all(codes <= ALL_CODES for codes in DEFAULT_GROUPS.values())


def test_installation_makes_the_default_groups(world: World) -> None:
    made = {group.name: group.codes for group in Group.objects.all()}

    for name, codes in DEFAULT_GROUPS.items():
        assert made[name] == (ALL_CODES if name == "Administrator" else codes)


def test_a_name_is_unique_ignoring_case(world: World) -> None:
    with pytest.raises(InvalidFields) as refusal:
        create_group(by=SERVER, name="VIEW")

    assert refusal.value.fields == {"name": ["Name must be unique."]}


def test_codes_are_replaced_and_unknown_ones_named(world: World) -> None:
    group = create_group(by=SERVER, name="Crew", permissions=["view_bond", "add_bond"])

    group = update_group(by=SERVER, group=group, permissions=["view_bond", "view_leg"])
    with pytest.raises(InvalidFields) as refusal:
        update_group(by=SERVER, group=group, permissions=["view_bond", "fly"])

    assert Group.objects.get(pk=group.pk).codes == {"view_bond", "view_leg"}
    assert refusal.value.fields == {"permissions": ['"fly" is not a valid choice.']}


def test_codes_one_does_not_hold_cannot_be_added_but_may_stay(world: World) -> None:
    group = create_group(by=SERVER, name="Crew", permissions=["view_bond"])
    world.restrict("ana", "change_group")
    ana = world.viewer("ana")

    update_group(by=ana, group=group, name="Team", permissions=["view_bond"])
    with pytest.raises(InvalidFields) as refusal:
        update_group(by=ana, group=group, permissions=["view_bond", "view_leg"])

    assert set(refusal.value.fields) == {"permissions"}


def test_the_built_in_group_and_groups_with_members_stay(world: World) -> None:
    with pytest.raises(Protected):
        update_group(by=SERVER, group=Group.objects.get(is_builtin=True), name="Boss")
    with pytest.raises(Protected):
        delete_group(by=SERVER, group=Group.objects.get(is_builtin=True))
    with pytest.raises(InUse):
        delete_group(by=SERVER, group=Group.objects.get(name="Everything"))

    delete_group(by=SERVER, group=Group.objects.get(name="View"))
    assert not Group.objects.filter(name="View").exists()


def test_members_count_within_reach(world: World) -> None:
    counts = {
        name: dict(groups_visible_to(world.viewer(name)).values_list("name", F("user_count")))
        for name in ("admin", "ana", "gil")
    }

    assert {name: found["Everything"] for name, found in counts.items()} == {
        "admin": 3,
        "ana": 2,
        "gil": 1,
    }
    assert counts["ana"]["Administrator"] == 0

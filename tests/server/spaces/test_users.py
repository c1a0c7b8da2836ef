"""Accounts (api-v3 07-people-spaces 1)."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import identify_hasher

from openbond.server.errors import Forbidden, InvalidFields, LastAdministrator, OwnAccount
from openbond.server.spaces.models import Group, User
from openbond.server.spaces.permissions import ALL_CODES
from openbond.server.spaces.selectors import codes_of, user_by_login, users_visible_to
from openbond.server.spaces.services import (
    create_group,
    create_user,
    delete_user,
    note_login,
    update_user,
)
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.world import PASSWORD, World


def administrators() -> Group:
    return Group.objects.get(is_builtin=True)


def test_a_user_has_the_union_of_the_codes_of_his_groups(world: World) -> None:
    one = create_group(by=SERVER, name="one", permissions=["view_bond", "view_leg"])
    two = create_group(by=SERVER, name="two", permissions=["view_leg", "add_leg"])
    user = create_user(by=SERVER, email="u@example.net", space=world.acme, groups=[one, two])

    assert codes_of(user) == {"view_bond", "view_leg", "add_leg"}


def test_an_administrator_holds_every_code(world: World) -> None:
    assert codes_of(world.user("admin")) == ALL_CODES


def test_a_login_is_an_e_mail_address_in_any_case_or_a_username(world: World) -> None:
    assert user_by_login("ANA@Example.NET") == world.user("ana")
    assert user_by_login("ana") == world.user("ana")
    assert user_by_login("nobody") is None
    assert user_by_login("") is None


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("email", {"email": "ANA@example.net"}, "Email must be unique."),
        ("username", {"email": "x@example.net", "username": "ana"}, "Username must be unique."),
    ],
)
def test_names_are_unique(world: World, field: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        create_user(by=SERVER, space=world.globex, **values)

    assert refusal.value.fields == {field: [message]}


def test_many_users_may_have_no_username(world: World) -> None:
    for name in ("a", "b"):
        create_user(by=SERVER, email=f"{name}@example.net", space=world.acme, username="")

    assert User.objects.filter(username__isnull=True).count() == 2


def test_nobody_grants_what_he_does_not_hold(world: World) -> None:
    world.restrict("ana", "add_user", "change_user")
    ana, strong = world.viewer("ana"), create_group(by=SERVER, name="s", permissions=["view_bond"])

    with pytest.raises(InvalidFields) as refusal:
        create_user(by=ana, email="x@example.net", space=world.acme, groups=[strong])
    with pytest.raises(InvalidFields):
        update_user(by=ana, user=world.user("ana"), groups=[strong])

    assert refusal.value.fields == {
        "groups": ["You cannot grant permissions that you do not hold."]
    }


def test_who_holds_more_is_not_touched(world: World) -> None:
    world.restrict("ana", "change_user", "delete_user")
    strong = create_group(by=SERVER, name="s", permissions=["view_bond"])
    other = create_user(by=SERVER, email="o@example.net", space=world.acme, groups=[strong])

    with pytest.raises(Forbidden):
        update_user(by=world.viewer("ana"), user=other, first_name="Oscar")
    with pytest.raises(Forbidden):
        delete_user(by=world.viewer("ana"), user=other)


def test_groups_that_stay_need_not_be_held(world: World) -> None:
    world.restrict("ana", "change_user")
    eve, own = world.user("eve"), Group.objects.get(name="only ana")
    eve.groups.set([own])

    update_user(by=world.viewer("ana"), user=eve, groups=[])

    assert not eve.groups.exists()


def test_nobody_ends_his_own_account(world: World) -> None:
    with pytest.raises(OwnAccount):
        delete_user(by=world.viewer("ana"), user=world.user("ana"))
    with pytest.raises(OwnAccount):
        update_user(by=world.viewer("ana"), user=world.user("ana"), active=False)

    assert world.user("ana").active


def test_the_last_administrator_of_the_root_stays(world: World) -> None:
    admin = world.user("admin")

    for write in (
        lambda: delete_user(by=SERVER, user=admin),
        lambda: update_user(by=SERVER, user=admin, active=False),
        lambda: update_user(by=SERVER, user=admin, groups=[]),
        lambda: update_user(by=SERVER, user=admin, space=world.acme),
    ):
        with pytest.raises(LastAdministrator):
            write()

    second = create_user(
        by=SERVER, email="b@example.net", space=world.root, groups=[administrators()]
    )
    delete_user(by=SERVER, user=admin)
    assert User.objects.filter(groups__is_builtin=True).get() == second


@pytest.mark.parametrize("password", ["ANA@example.net", "ana", "Ana", "Ana Silva"])
def test_a_password_is_not_the_name(world: World, password: str) -> None:
    user = update_user(by=SERVER, user=world.user("ana"), first_name="Ana", last_name="Silva")

    with pytest.raises(InvalidFields) as refusal:
        update_user(by=SERVER, user=user, password=password)

    assert set(refusal.value.fields) == {"password"}


def test_a_user_without_a_password_cannot_log_in(world: World) -> None:
    user = create_user(by=SERVER, email="new@example.net", space=world.acme)

    assert not user.has_usable_password()
    assert not user.check_password("")


def test_a_password_is_hashed_and_hidden_in_the_audit(world: World) -> None:
    user = update_user(by=SERVER, user=world.user("ana"), password="another good password")

    assert user.check_password("another good password")
    entry = AuditEntry.objects.latest("id")
    assert entry.after == {"password": "(secret)"}
    assert identify_hasher(user.password)


def test_the_same_password_again_changes_nothing(world: World) -> None:
    before = world.user("ana")

    after = update_user(by=SERVER, user=world.user("ana"), password=PASSWORD)

    assert (after.password, after.modified) == (before.password, before.modified)


def test_a_new_membership_counts_as_a_change(world: World) -> None:
    before = world.user("eve").modified

    user = update_user(by=SERVER, user=world.user("eve"), groups=[])

    assert user.modified > before
    assert AuditEntry.objects.latest("id").after == {"groups": []}


def test_a_login_moves_the_time_at_most_once_an_hour(world: World) -> None:
    user = world.user("ana")
    before = user.modified
    for minutes in (0, 30, 90):
        note_login(user=world.user("ana"), now=world.now + timedelta(minutes=minutes))

    user.refresh_from_db()
    assert user.last_login == world.now + timedelta(minutes=90)
    assert user.modified == before


def test_users_in_reach_are_those_whose_home_space_is(world: World) -> None:
    seen = {user.username for user in users_visible_to(world.viewer("ana"))}

    assert seen == {"ana", "eve"}

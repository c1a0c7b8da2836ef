"""Users (07-people-spaces.md, 1)."""

from typing import Any

import pytest

from openbond.server.spaces.models import Group, User
from openbond.server.spaces.services import create_group
from openbond.server.system.actors import SERVER
from tests.world import World

USERS = "/api/v3/users/"
JSON = "application/json"


def new(world: World, **more: Any) -> dict[str, Any]:
    return {"email": "new@example.net", "space": world.acme.pk, **more}


def url(world: World, name: str) -> str:
    return f"{USERS}{world.user(name).pk}/"


def test_a_user_is_made_and_may_log_in_with_the_password_that_is_never_shown(
    world: World,
) -> None:
    sent = new(world, password="a long enough one", username="")

    response = world.client("ana").post(USERS, sent, JSON)

    assert response.status_code == 201, response.json()
    assert response.json()["username"] is None
    assert "password" not in response.json()
    assert User.objects.get(email="new@example.net").check_password("a long enough one")


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"email": "ANA@example.net"}, {"email": ["Email must be unique."]}),
        ({"email": "nonsense"}, {"email": ["Enter a valid email address."]}),
        ({"username": "ana"}, {"username": ["Username must be unique."]}),
        ({"username": "a@b"}, {"username": ["Use letters, digits, _, ., + and - only."]}),
        ({"password": "short"}, {"password": ["Ensure this field has at least 10 characters."]}),
        ({"role": "king"}, {"role": ['"king" is not a valid choice.']}),
        ({"timezone": "Mars/Olympus"}, {"timezone": ["Use a name from /system/timezones/."]}),
        ({"groups": [4711]}, {"groups": ["Invalid hyperlink - Object does not exist."]}),
    ],
)
def test_what_cannot_be_is_refused(
    fields: dict[str, Any], answer: dict[str, Any], world: World
) -> None:
    response = world.client("ana").post(USERS, new(world, **fields), JSON)

    assert (response.status_code, response.json()) == (400, answer)
    assert not User.objects.filter(email="new@example.net").exists()


def test_nobody_grants_what_he_does_not_hold(world: World) -> None:
    world.restrict("ana", "add_user", "view_bond")
    weak = create_group(by=SERVER, name="Weak", permissions=["view_bond"])
    strong = create_group(by=SERVER, name="Strong", permissions=["delete_bond"])
    client = world.client("ana")

    refused = client.post(USERS, new(world, groups=[weak.pk, strong.pk]), JSON)
    made = client.post(USERS, new(world, groups=[weak.pk]), JSON)

    words = "You cannot grant permissions that you do not hold."
    assert refused.json() == {"groups": [words]}
    assert made.json()["permissions"] == ["view_bond"]


def test_a_write_replaces_the_list_of_groups(world: World) -> None:
    groups = [create_group(by=SERVER, name=name) for name in ("A", "B")]
    client = world.client("ana")
    made = client.post(USERS, new(world, groups=[groups[0].pk]), JSON).json()

    by_url = f"http://testserver/api/v3/groups/{groups[1].pk}/"
    changed = client.patch(made["url"], {"groups": [by_url, by_url]}, JSON).json()

    assert changed["groups"] == [by_url]
    assert client.get(f"{USERS}?groups={groups[1].pk}").json() == [changed]
    assert client.get(f"{USERS}?groups={groups[0].pk}").json() == []


def test_one_who_holds_more_is_not_written(world: World) -> None:
    world.restrict("ana", "view_user", "change_user", "delete_user")
    other = User.objects.create(email="other@example.net", space=world.acme)
    other.groups.add(Group.objects.get(name="View"))
    client, path = world.client("ana"), f"{USERS}{other.pk}/"

    assert client.get(path).status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        response = client.generic(method, path, "{}", content_type=JSON)
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_oneself_is_neither_deleted_nor_deactivated(world: World) -> None:
    client = world.client("ana")

    for response in (
        client.delete(url(world, "ana")),
        client.patch(url(world, "ana"), {"active": False}, JSON),
    ):
        assert (response.status_code, response.json()["code"]) == (400, "own_account")


def test_the_last_administrator_stays(world: World) -> None:
    second = User.objects.create(email="second@example.net", space=world.root)
    second.groups.add(Group.objects.get(is_builtin=True))
    User.objects.filter(pk=second.pk).update(active=False)
    response = world.client("admin").patch(url(world, "admin"), {"groups": []}, JSON)

    assert (response.status_code, response.json()["code"]) == (400, "last_administrator")


def test_only_users_within_reach_exist(world: World) -> None:
    def emails(name: str) -> list[str]:
        return [user["email"] for user in world.client(name).get(USERS).json()]

    assert emails("ana") == ["ana@example.net", "eve@example.net"]
    assert emails("eve") == ["eve@example.net"]
    assert world.client("gil").get(url(world, "ana")).status_code == 404
    assert world.client("gil").delete(url(world, "ana")).status_code == 404


def test_the_etag_follows_the_password_too(world: World) -> None:
    client, path = world.client("ana"), url(world, "eve")
    before = client.get(path)["ETag"]

    after = client.patch(path, {"password": "another long one"}, JSON)["ETag"]

    assert after != before

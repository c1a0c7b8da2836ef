"""Groups and permissions (07-people-spaces.md, 2 and 3)."""

from openbond.server.spaces.models import Group
from openbond.server.spaces.permissions import PERMISSIONS
from openbond.server.spaces.services import create_group
from openbond.server.system.actors import SERVER
from tests.world import World

GROUPS = "/api/v3/groups/"
JSON = "application/json"


def test_all_see_all_groups_but_only_members_within_reach(world: World) -> None:
    def everything(name: str) -> list[str]:
        (group,) = world.client(name).get(f"{GROUPS}?name=Everything").json()
        assert group["user_count"] == len(group["users"])
        return [url.split("/")[-2] for url in group["users"]]

    ids = {name: str(world.user(name).pk) for name in ("ana", "eve", "gil")}
    assert everything("admin") == [ids["ana"], ids["eve"], ids["gil"]]
    assert everything("ana") == [ids["ana"], ids["eve"]]
    assert everything("eve") == [ids["eve"]]


def test_only_the_root_space_writes_them(world: World) -> None:
    group = create_group(by=SERVER, name="Mine")
    client = world.client("ana")

    for method, path in (("POST", ""), ("PUT", f"{group.pk}/"), ("DELETE", f"{group.pk}/")):
        response = client.generic(method, f"{GROUPS}{path}", "{}", content_type=JSON)
        assert (response.status_code, response.json()["code"]) == (403, "root_space_only")


def test_a_group_is_made_with_its_codes_in_order(world: World) -> None:
    sent = {"name": "New", "permissions": ["view_leg", "add_bond"]}

    response = world.client("admin").post(GROUPS, sent, JSON)

    assert response.status_code == 201
    assert response.json()["permissions"] == ["add_bond", "view_leg"]


def test_unknown_and_repeated_codes_are_refused(world: World) -> None:
    client = world.client("admin")

    unknown = client.post(GROUPS, {"name": "New", "permissions": ["x", "view_bond"]}, JSON)
    twice = client.post(GROUPS, {"name": "New", "permissions": ["view_bond"] * 2}, JSON)
    taken = client.post(GROUPS, {"name": "VIEW"}, JSON)

    assert unknown.json() == {"permissions": ['"x" is not a valid choice.']}
    assert list(twice.json()) == ["permissions"]
    assert taken.json() == {"name": ["Name must be unique."]}


def test_codes_that_the_caller_lacks_are_not_added(world: World) -> None:
    world.restrict("admin", "change_group", "view_bond")
    group = create_group(by=SERVER, name="Mine", permissions=["delete_bond"])
    client, url = world.client("admin"), f"{GROUPS}{group.pk}/"

    kept = client.patch(url, {"permissions": ["delete_bond", "view_bond"]}, JSON)
    added = client.patch(url, {"permissions": ["delete_leg"]}, JSON)

    assert kept.status_code == 200
    assert list(added.json()) == ["permissions"]


def test_administrator_is_built_in_and_a_group_with_members_stays(world: World) -> None:
    client = world.client("admin")
    built_in = f"{GROUPS}{Group.objects.get(is_builtin=True).pk}/"
    used = f"{GROUPS}{Group.objects.get(name='Everything').pk}/"

    for response in (
        client.delete(built_in),
        client.patch(built_in, {"name": "x"}, JSON),
        client.put(built_in, {"name": "x"}, JSON),
    ):
        assert (response.status_code, response.json()["code"]) == (400, "protected")
    assert client.delete(used).json()["code"] == "in_use"


def test_a_code_finds_the_groups_that_grant_it(world: World) -> None:
    def names(query: str) -> list[str]:
        return [group["name"] for group in world.client("ana").get(f"{GROUPS}?{query}").json()]

    assert names("permissions=view_backup") == ["Administrator", "Management admin", "Everything"]
    assert names(f"users={world.user('gil').pk}") == ["Everything"]
    assert world.client("ana").get(f"{GROUPS}?permissions=x").status_code == 400


def test_permissions_have_their_names(world: World) -> None:
    world.restrict("ana")

    answer = world.client("ana").get("/api/v3/permissions/").json()

    assert answer == PERMISSIONS
    assert answer["change_bonder_credentials"] == "Change bonder credentials"

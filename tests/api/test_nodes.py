"""GET /api/v3/nodes/: bonders and aggregators together (01-fleet.md, 2)."""

from datetime import timedelta

from openbond.server.fleet.models import Node
from tests.world import World

NODES = "/api/v3/nodes/"


def kinds(world: World, name: str = "ana", query: str = "") -> list[tuple[str, str]]:
    rows = world.client(name).get(f"{NODES}{query}").json()
    return [(row["type"], row["name"]) for row in rows]


def test_shows_both_kinds_in_reach_and_shared_aggregators(world: World) -> None:
    assert kinds(world) == [("aggregator", "home"), ("aggregator", "away"), ("bonder", "site-1")]
    assert kinds(world, query="?type=bonder") == [("bonder", "site-1")]


def test_each_names_what_it_is(world: World) -> None:
    bonder = world.client("ana").get(f"{NODES}{world.bonder.pk}/").json()
    aggregator = world.client("ana").get(f"{NODES}{world.home.pk}/").json()

    assert bonder["bonder"] == f"http://testserver/api/v3/bonders/{world.bonder.pk}/"
    assert bonder["aggregator"] is None
    assert aggregator["aggregator"] == f"http://testserver/api/v3/aggregators/{world.home.pk}/"
    assert aggregator["bonder"] is None


def test_a_code_shows_its_kind_alone_and_neither_is_403(world: World) -> None:
    world.restrict("ana", "view_bonder")
    client = world.client("ana")

    assert kinds(world) == [("bonder", "site-1")]
    assert client.get(f"{NODES}{world.home.pk}/").status_code == 404
    world.user("ana").groups.clear()
    assert client.get(NODES).status_code == 403


def test_another_space_s_node_does_not_exist(world: World) -> None:
    gil = world.client("gil")

    assert gil.get(f"{NODES}{world.bonder.pk}/").status_code == 404
    assert ("bonder", "site-1") not in kinds(world, "gil")


def test_a_shared_node_keeps_whose_it_is_and_its_secrets(world: World) -> None:
    shared = world.client("ana").get(f"{NODES}{world.home.pk}/").json()
    own = world.client("admin").get(f"{NODES}{world.home.pk}/").json()

    assert shared["space"] is None
    assert not {"key", "username", "password"} & set(shared)
    assert own["space"] == f"http://testserver/api/v3/spaces/{world.root.pk}/"
    assert {"key", "username", "password"} <= set(own)


def test_passwords_are_for_those_with_the_code_of_their_kind(world: World) -> None:
    world.restrict("admin", "view_bonder", "view_aggregator", "view_bonder_credentials")
    client = world.client("admin")

    assert client.get(f"{NODES}{world.bonder.pk}/").json()["username"] == "root"
    assert "username" not in client.get(f"{NODES}{world.home.pk}/").json()


def test_status_follows_the_last_contact(world: World) -> None:
    def status() -> tuple[str, list[tuple[str, str]]]:
        url = f"{NODES}{world.bonder.pk}/"
        shown = world.client("ana").get(url).json()["status"]
        return shown, kinds(world, query=f"?status={shown}&type=bonder")

    unknown = status()
    Node.objects.filter(pk=world.bonder.pk).update(last_connected=world.now)
    up = status()
    Node.objects.filter(pk=world.bonder.pk).update(last_connected=world.now - timedelta(hours=1))
    down = status()

    assert unknown == ("unknown", [("bonder", "site-1")])
    assert up == ("up", [("bonder", "site-1")])
    assert down == ("down", [("bonder", "site-1")])


def test_the_hostname_is_made_of_space_and_name(world: World) -> None:
    node = world.client("ana").get(f"{NODES}{world.bonder.pk}/").json()

    assert node["hostname"] == "acme-site-1"

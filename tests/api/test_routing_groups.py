"""Routing groups (01-fleet.md, 5)."""

from openbond.server.fleet.models import RoutingGroup
from openbond.server.fleet.services import create_routing_group
from openbond.server.system.actors import SERVER
from tests.world import World

GROUPS = "/api/v3/routinggroups/"
JSON = "application/json"


def test_the_built_in_group_counts_what_is_in_it(world: World) -> None:
    group = world.client("admin").get(f"{GROUPS}{world.group.pk}/").json()

    assert group["name"] == group["display_name"] == "Default group"
    assert group["is_default"] is True
    assert group["aggregator_count"] == 2
    assert group["ip_allocation_count"] == 0


def test_a_group_of_a_space_below_the_root_shows_whose_it_is(world: World) -> None:
    client = world.client("ana")

    made = client.post(GROUPS, {"name": "Toronto"}, JSON).json()

    assert made["display_name"] == "Toronto (Acme)"
    assert made["space"].endswith(f"/spaces/{world.acme.pk}/")
    listed = client.get(f"{GROUPS}?ordering=-display_name").json()
    assert [group["name"] for group in listed] == ["Toronto", "Default group"]


def test_names_are_unique_in_their_space_whatever_the_case(world: World) -> None:
    client = world.client("ana")
    client.post(GROUPS, {"name": "Toronto"}, JSON)

    again = client.post(GROUPS, {"name": "TORONTO"}, JSON)
    elsewhere = world.client("gil").post(GROUPS, {"name": "Toronto"}, JSON)

    assert again.json() == {"name": ["Name must be unique."]}
    assert elsewhere.status_code == 201


def test_a_group_never_changes_space_but_its_own_may_be_repeated(world: World) -> None:
    group = create_routing_group(by=SERVER, name="Toronto", space=world.acme)
    client = world.client("ana")
    url = f"{GROUPS}{group.pk}/"

    repeated = client.patch(url, {"space": "acme", "name": "Montréal"}, JSON)
    moved = client.patch(url, {"space": world.acme_east.pk}, JSON)

    assert (repeated.status_code, repeated.json()["name"]) == (200, "Montréal")
    assert moved.json() == {"space": ["This field cannot be changed."]}


def test_the_built_in_group_may_be_renamed_but_not_deleted(world: World) -> None:
    client = world.client("admin")
    url = f"{GROUPS}{world.group.pk}/"

    assert client.patch(url, {"name": "Main site"}, JSON).json()["name"] == "Main site"
    response = client.delete(url)
    assert (response.status_code, response.json()["code"]) == (400, "protected")


def test_a_group_in_use_stays(world: World) -> None:
    group = create_routing_group(by=SERVER, name="Toronto", space=world.root)
    world.home.routing_group = group
    world.home.save()

    response = world.client("admin").delete(f"{GROUPS}{group.pk}/")

    assert (response.status_code, response.json()["code"]) == (400, "in_use")
    assert RoutingGroup.objects.filter(pk=group.pk).exists()


def test_shared_groups_are_seen_and_not_written(world: World) -> None:
    url = f"{GROUPS}{world.group.pk}/"
    client = world.client("ana")

    assert client.get(url).json()["space"] is None
    response = client.patch(url, {"name": "mine"}, JSON)
    assert (response.status_code, response.json()["code"]) == (403, "shared_read_only")


def test_another_space_s_group_does_not_exist(world: World) -> None:
    group = create_routing_group(by=SERVER, name="Toronto", space=world.acme)

    assert world.client("gil").get(f"{GROUPS}{group.pk}/").status_code == 404
    assert world.client("gil").delete(f"{GROUPS}{group.pk}/").status_code == 404

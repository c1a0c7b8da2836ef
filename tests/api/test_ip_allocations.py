"""IP allocations, delegations, and where they are valid (04-routing.md, 5)."""

from typing import Any

import pytest

from openbond.server.fleet.services import create_routing_group
from openbond.server.ipam.models import IPAllocation
from openbond.server.system.actors import SERVER
from tests.world import World

ALLOCATIONS = "/api/v3/ipallocations/"
JSON = "application/json"


def allocate(world: World, network: str = "203.0.113.0/24") -> dict[str, Any]:
    """Return an allocation of the root, valid at the built-in group."""
    client = world.client("admin")
    made = client.post(ALLOCATIONS, {"network": network, "space": world.root.pk}, JSON)
    assert made.status_code == 201, made.json()
    path = f"{made.json()['url']}assigned_routing_groups/"
    assert client.post(path, {"routing_group": world.group.pk}, JSON).status_code == 201
    found: dict[str, Any] = client.get(made.json()["url"]).json()
    return found


def delegate(world: World, parent: dict[str, Any], network: str) -> Any:
    sent = {"network": network, "space": "acme", "parent": parent["url"]}
    return world.client("admin").post(ALLOCATIONS, sent, JSON)


def test_an_allocation_is_made_by_its_space(world: World) -> None:
    made = allocate(world)

    assert (made["type"], made["parent"]) == ("allocation", None)
    assert made["owner"] == made["space"]
    assert made["available"] == ["203.0.113.0/24"]
    assert made["assigned_routing_groups"] == [
        f"http://testserver/api/v3/routinggroups/{world.group.pk}/"
    ]


@pytest.mark.parametrize(
    ("network", "shown"),
    [("203.0.113.7", "203.0.113.7/32"), ("10.0.0.0/255.0.0.0", "10.0.0.0/8")],
)
def test_a_network_is_shown_as_cidr(network: str, shown: str, world: World) -> None:
    assert allocate(world, network)["network"] == shown


@pytest.mark.parametrize(
    "network", ["203.0.113.1/24", "203.0.113.0/33", "0.0.0.0/0", "fd00::/64", "x", "", "1.2.3"]
)
def test_what_is_no_network_is_refused(network: str, world: World) -> None:
    sent = {"network": network, "space": world.root.pk}

    response = world.client("admin").post(ALLOCATIONS, sent, JSON)

    assert response.status_code == 400
    assert list(response.json()) == ["network"]


def test_allocations_do_not_overlap_and_need_a_routing_group_of_the_space(world: World) -> None:
    allocate(world)
    client = world.client("admin")

    again = client.post(ALLOCATIONS, {"network": "203.0.113.128/25", "space": "root"}, JSON)
    without = client.post(ALLOCATIONS, {"network": "192.0.2.0/24", "space": "acme"}, JSON)

    assert list(again.json()) == ["network"]
    assert list(without.json()) == ["space"]


def test_a_delegation_leaves_the_giver_s_use(world: World) -> None:
    whole = allocate(world)

    part = delegate(world, whole, "203.0.113.0/28").json()

    client = world.client("admin")
    assert (part["type"], part["parent"], part["owner"]) == (
        "delegation",
        whole["url"],
        whole["space"],
    )
    assert part["assigned_routing_groups"] == whole["assigned_routing_groups"]
    assert client.get(whole["url"]).json()["available"] == [
        "203.0.113.16/28",
        "203.0.113.32/27",
        "203.0.113.64/26",
        "203.0.113.128/25",
    ]
    assert client.delete(whole["url"]).json()["code"] == "in_use"
    assert client.delete(part["url"]).status_code == 204


def test_the_holder_sees_neither_giver_nor_may_write(world: World) -> None:
    part = delegate(world, allocate(world), "203.0.113.0/28").json()
    client = world.client("ana")

    seen = client.get(part["url"]).json()

    assert (seen["parent"], seen["owner"]) == (None, None)
    below = "/api/v3/spaces/acme/delegated_ip_allocations/"
    for method, url, sent in (
        ("PATCH", part["url"], '{"note": "x"}'),
        ("PUT", part["url"], '{"network": "no network"}'),
        ("DELETE", part["url"], ""),
        ("POST", below, '{"network": "203.0.113.16/28"}'),
        ("POST", below, "{}"),
        ("PATCH", f"{below}{part['id']}/", '{"network": ""}'),
    ):
        response = client.generic(method, url, sent, content_type=JSON)
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_what_is_delegated_must_lie_inside_and_go_to_a_child(world: World) -> None:
    whole = allocate(world)
    client = world.client("admin")

    outside = delegate(world, whole, "192.0.2.0/28")
    grandchild = client.post(
        ALLOCATIONS,
        {"network": "203.0.113.0/28", "space": "acme-east", "parent": whole["id"]},
        JSON,
    )

    assert list(outside.json()) == ["network"]
    assert list(grandchild.json()) == ["space"]


def test_space_and_parent_never_change(world: World) -> None:
    whole = allocate(world)
    client = world.client("admin")

    moved = client.patch(whole["url"], {"space": "acme", "parent": whole["id"]}, JSON)
    repeated = client.put(whole["url"], client.get(whole["url"]).content, JSON)

    assert sorted(moved.json()) == ["parent", "space"]
    assert repeated.status_code == 200


def test_below_a_space_the_kinds_stand_apart(world: World) -> None:
    whole = allocate(world)
    client = world.client("admin")
    own, given = "/api/v3/spaces/{}/ip_allocations/", "/api/v3/spaces/{}/delegated_ip_allocations/"

    part = client.post(given.format("acme"), {"network": "203.0.113.0/28"}, JSON)

    assert part.status_code == 201
    assert part.json()["url"] == f"http://testserver{ALLOCATIONS}{part.json()['id']}/"
    assert [one["id"] for one in client.get(given.format("acme")).json()] == [part.json()["id"]]
    assert client.get(own.format("acme")).json() == []
    assert [one["id"] for one in client.get(own.format("root")).json()] == [whole["id"]]
    assert client.get(f"{own.format('acme')}{part.json()['id']}/").status_code == 404
    assert client.get(f"{given.format('acme')}{whole['id']}/").status_code == 404
    assert client.patch(f"{given.format('acme')}{part.json()['id']}/", {}, JSON).status_code == 200


def test_a_group_is_assigned_once_and_only_one_of_the_own_space(world: World) -> None:
    whole = allocate(world)
    foreign = create_routing_group(by=SERVER, name="Theirs", space=world.acme)
    client, path = world.client("admin"), f"{whole['url']}assigned_routing_groups/"

    (listed,) = client.get(path).json()
    again = client.post(path, {"routing_group": world.group.pk}, JSON)
    theirs = client.post(path, {"routing_group": foreign.pk}, JSON)

    assert listed["id"] == world.group.pk
    assert client.get(listed["url"]).json() == listed
    assert again.json() == {"routing_group": ["Already assigned."]}
    assert list(theirs.json()) == ["routing_group"]


def test_an_assignment_ends_unless_it_is_a_delegation_s(world: World) -> None:
    whole = allocate(world)
    part = delegate(world, whole, "203.0.113.0/28").json()
    client = world.client("admin")
    inherited = f"{part['url']}assigned_routing_groups/"

    for response in (
        client.post(inherited, {"routing_group": world.group.pk}, JSON),
        client.delete(f"{inherited}{world.group.pk}/"),
    ):
        assert (response.status_code, response.json()["code"]) == (400, "delegation")
    own = f"{whole['url']}assigned_routing_groups/{world.group.pk}/"
    assert client.delete(own).status_code == 204
    assert client.delete(own).status_code == 404


def test_another_space_s_allocation_does_not_exist(world: World) -> None:
    whole = allocate(world)

    for path in ("", "assigned_routing_groups/"):
        assert world.client("ana").get(f"{whole['url']}{path}").status_code == 404
    assert world.client("ana").delete(whole["url"]).status_code == 404
    assert IPAllocation.objects.filter(pk=whole["id"]).exists()


def test_filters_and_order(world: World) -> None:
    whole = allocate(world)
    delegate(world, whole, "203.0.113.0/28")

    def found(query: str) -> list[str]:
        rows = world.client("admin").get(f"{ALLOCATIONS}?{query}").json()
        return [row["network"] for row in rows]

    assert found("type=delegation") == ["203.0.113.0/28"]
    assert found("type=allocation&network=203.0.113.0/24") == ["203.0.113.0/24"]
    assert found(f"parent={whole['id']}") == ["203.0.113.0/28"]
    assert found("parent=null") == ["203.0.113.0/24"]
    assert found("ordering=-type,network") == ["203.0.113.0/28", "203.0.113.0/24"]
    assert found("search=acme") == ["203.0.113.0/28"]
    assert world.client("admin").get(f"{ALLOCATIONS}?type=x").status_code == 400

"""What a space above shares: read, named, and not told more of than the object says (00, 11.3)."""

from typing import Any

import pytest

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import create_bond, create_mobile_provider_profile
from openbond.server.fleet.services import create_aggregator
from openbond.server.ipam.models import IPAllocation
from openbond.server.qos.rules import ClassSpec
from openbond.server.qos.services import create_qos_profile
from openbond.server.spaces.models import Space
from openbond.server.system.actors import SERVER
from tests.world import World

JSON = "application/json"
LISTS = ["nodes", "aggregators", "routinggroups", "qos", "mobileproviderprofiles"]


@pytest.fixture
def shared(world: World) -> World:
    """The root shares one of each with Acme."""
    create_mobile_provider_profile(by=SERVER, space=world.root, name="Of all", apn="a.example")
    create_qos_profile(
        by=SERVER,
        name="Of all",
        space=world.root,
        classes=[ClassSpec(name="All", bandwidth=100, is_default=True)],
    )
    create_mobile_provider_profile(by=SERVER, space=world.acme, name="Acme's", apn="a.example")
    create_aggregator(by=SERVER, name="zz", ip="203.0.113.7", space=world.acme)
    return world


def listed(world: World, path: str, who: str = "ana") -> list[Any]:
    response = world.client(who).get(f"/api/v3/{path}")
    assert response.status_code == 200, response.json()
    found: list[Any] = response.json()
    return found


@pytest.mark.parametrize("path", LISTS)
def test_the_space_filter_knows_only_what_is_shown(path: str, shared: World) -> None:
    every = listed(shared, f"{path}/")
    theirs = [row["id"] for row in every if row["space"] is None]
    assert theirs

    found = [row["id"] for row in listed(shared, f"{path}/?space=null")]

    assert found == theirs
    for root in (shared.root.pk, shared.root.key, f"/api/v3/spaces/{shared.root.pk}/"):
        assert listed(shared, f"{path}/?space={root}") == []
        assert len(listed(shared, f"{path}/?space={root}", "admin")) >= len(theirs)
    own = listed(shared, f"{path}/?space=ACME")
    assert [row["id"] for row in own] == [row["id"] for row in every if row["space"]]


@pytest.mark.parametrize("path", LISTS)
def test_shared_objects_sort_as_having_no_space(path: str, shared: World) -> None:
    spaces = [row["space"] for row in listed(shared, f"{path}/?ordering=space")]

    assert spaces == sorted(spaces, key=lambda space: space is None)


def test_the_key_of_a_shared_node_cannot_be_guessed_by_searching(shared: World) -> None:
    key = shared.home.key

    assert listed(shared, f"nodes/?search={key[:4]}") == []
    assert listed(shared, f"nodes/?search={key}") == []
    assert [row["key"] for row in listed(shared, f"nodes/?search={key}", "admin")] == [key]


@pytest.mark.parametrize("path", ["routinggroups", "qos", "mobileproviderprofiles"])
def test_the_name_of_the_owner_cannot_be_guessed_by_searching(path: str, shared: World) -> None:
    Space.objects.filter(pk=shared.root.pk).update(name="Headquarters")

    assert listed(shared, f"{path}/?search=headq") == []
    assert listed(shared, f"{path}/?search=headq", "admin") != []


def test_the_space_above_one_s_own_is_not_told_by_a_filter(world: World) -> None:
    assert [row["key"] for row in listed(world, f"spaces/?parent={world.root.pk}")] == []
    assert [row["key"] for row in listed(world, "spaces/?parent=null")] == ["acme"]
    assert [row["key"] for row in listed(world, "spaces/?parent=acme")] == ["acme-east"]


def test_what_is_shared_offers_no_put(shared: World) -> None:
    own = next(row for row in listed(shared, "aggregators/") if row["space"])

    for row, offered in ((own, {"PUT"}), (listed(shared, "aggregators/")[0], set())):
        actions = shared.client("ana").options(row["url"]).json().get("actions", {})
        assert set(actions) == offered


def test_a_delegation_is_refused_before_its_body_is_read(world: World) -> None:
    whole = IPAllocation.objects.create(space=world.root, network="203.0.113.0/24")
    part = IPAllocation.objects.create(
        space=world.acme, network="203.0.113.0/25", parent=whole, origin=whole
    )
    url = f"/api/v3/ipallocations/{part.pk}/"

    for method in ("PUT", "PATCH", "DELETE"):
        response = world.client("ana").generic(method, url, "<x/>", content_type="text/xml")
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert "actions" not in world.client("ana").options(url).json()


@pytest.mark.parametrize("switch", [True, False])
def test_usable_is_asked_of_the_bond_s_space_and_not_of_the_caller_s(
    switch: bool, world: World
) -> None:
    own = create_aggregator(by=SERVER, name="own", ip="203.0.113.7", space=world.acme)
    Space.objects.filter(pk=world.acme_east.pk).update(use_parent_aggregators=switch)
    body = {"aggregator": own.pk, "space": world.acme_east.pk}

    response = world.client("ana").post("/api/v3/bonds/", body, JSON)

    assert response.status_code == (201 if switch else 400)
    if not switch:
        assert list(response.json()) == ["aggregator"]
        assert not Bond.objects.filter(space=world.acme_east).exists()


def test_sharing_ends_at_the_first_switch_that_is_off(world: World) -> None:
    own = create_aggregator(by=SERVER, name="own", ip="203.0.113.7", space=world.acme)
    east = f"/api/v3/aggregators/{own.pk}/"
    home = f"/api/v3/aggregators/{world.home.pk}/"
    assert [world.client("eve").get(url).status_code for url in (east, home)] == [200, 200]

    Space.objects.filter(pk=world.acme.pk).update(use_parent_aggregators=False)
    assert [world.client("eve").get(url).status_code for url in (east, home)] == [200, 404]

    Space.objects.filter(pk=world.acme_east.pk).update(use_parent_aggregators=False)
    assert [world.client("eve").get(url).status_code for url in (east, home)] == [404, 404]


def test_an_aggregator_where_the_built_in_group_is_not_shared_must_name_its_group(
    world: World,
) -> None:
    Space.objects.filter(pk=world.acme.pk).update(use_parent_aggregators=False)

    response = world.client("ana").post(
        "/api/v3/aggregators/", {"name": "own", "ip": "203.0.113.7"}, JSON
    )

    assert response.json() == {"routing_group": ["This field is required."]}


def test_an_aggregator_stays_where_its_bonds_can_use_it(world: World) -> None:
    own = create_aggregator(by=SERVER, name="own", ip="203.0.113.7", space=world.acme)
    create_bond(by=SERVER, aggregator=own, space=world.acme)

    response = world.client("ana").patch(
        f"/api/v3/aggregators/{own.pk}/", {"space": world.acme_east.pk}, JSON
    )

    assert (response.status_code, list(response.json())) == (400, ["space"])

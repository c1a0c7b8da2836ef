"""Field by field: each resource answers exactly the fields of its table, and OPTIONS says so."""

from typing import Any

import pytest

from tests.contract.field_tables import fields_of
from tests.contract.resources import RESOURCES, Resource
from tests.world import World


def each(resources: list[Resource]) -> list[object]:
    return [pytest.param(resource, id=resource.name) for resource in resources]


WRITTEN = [resource for resource in RESOURCES if resource.least is not None]
CHANGED = [resource for resource in WRITTEN if not resource.is_written_once]


def make(resource: Resource, world: World) -> dict[str, Any]:
    assert resource.least is not None
    client = world.client("admin")
    response = client.post(resource.collection(world), resource.least(world), "application/json")
    assert response.status_code == 201, response.json()
    made: dict[str, Any] = response.json()
    return made


def one_of(resource: Resource, world: World) -> dict[str, Any]:
    if resource.least is not None:
        return make(resource, world)
    first: dict[str, Any] = world.client("admin").get(resource.collection(world)).json()[0]
    return first


@pytest.mark.parametrize("resource", each(RESOURCES))
def test_an_object_has_exactly_the_fields_of_its_table(resource: Resource, world: World) -> None:
    promised = {name for name, field in fields_of(resource.name).items() if field.is_shown}
    made = one_of(resource, world)

    listed = world.client("admin").get(resource.collection(world)).json()
    alone = world.client("admin").get(f"{resource.collection(world)}{made['id']}/").json()

    assert set(alone) == promised
    assert next(one for one in listed if one["id"] == made["id"]) == alone


@pytest.mark.parametrize("resource", each(WRITTEN))
def test_what_is_absent_on_post_has_its_default(resource: Resource, world: World) -> None:
    made = make(resource, world)

    fields = fields_of(resource.name).values()
    for field in fields:
        if field.default and field.is_shown and field.name not in resource.undefaulted:
            assert made[field.name] == field.default_value, field.name


@pytest.mark.parametrize("resource", each(WRITTEN))
def test_every_required_field_is_asked_for_at_once(resource: Resource, world: World) -> None:
    required = {name for name, field in fields_of(resource.name).items() if field.required}

    response = world.client("admin").post(
        resource.collection(world), "{}", content_type="application/json"
    )

    if not required:
        assert response.status_code == 201
        return
    assert response.status_code == 400
    assert response.json() == {name: ["This field is required."] for name in required}


@pytest.mark.parametrize("resource", each(CHANGED))
def test_put_asks_for_the_same_fields_but_those_that_only_post_needs(
    resource: Resource, world: World
) -> None:
    fields = fields_of(resource.name)
    required = {name for name, field in fields.items() if field.required == "yes"}
    made = make(resource, world)

    response = world.client("admin").put(made["url"], "{}", content_type="application/json")

    if not required:
        assert response.status_code == 200
        return
    assert response.status_code == 400
    assert response.json() == {name: ["This field is required."] for name in required}


@pytest.mark.parametrize("resource", each(CHANGED))
def test_what_was_read_can_be_put_back_unchanged(resource: Resource, world: World) -> None:
    client = world.client("admin")
    made = make(resource, world)
    before = client.get(made["url"])

    response = client.put(made["url"], before.content, content_type="application/json")

    assert response.status_code == 200, response.json()
    assert response.json() == before.json()
    assert response["ETag"] == before["ETag"]


@pytest.mark.parametrize("resource", each(WRITTEN))
def test_options_describes_every_field(resource: Resource, world: World) -> None:
    promised = fields_of(resource.name)
    answer = world.client("admin").options(resource.collection(world)).json()

    described = answer["actions"]["POST"]

    assert set(described) == set(promised)
    for name, field in promised.items():
        assert described[name]["read_only"] == field.is_read_only, name
        assert described[name]["required"] == bool(field.required), name
        assert {"type", "label"} <= set(described[name]), name


@pytest.mark.parametrize("resource", each(CHANGED))
def test_null_is_taken_exactly_where_the_table_says_so(resource: Resource, world: World) -> None:
    client = world.client("admin")
    made = make(resource, world)

    for name, field in fields_of(resource.name).items():
        if field.is_read_only or field.is_fixed:
            continue
        response = client.patch(made["url"], {name: None}, "application/json")
        if field.is_nullable:
            assert response.status_code == 200, (name, response.json())
        else:
            assert response.json() == {name: ["This field may not be null."]}


@pytest.mark.parametrize("resource", each(CHANGED))
def test_unknown_and_read_only_fields_are_ignored(resource: Resource, world: World) -> None:
    client = world.client("admin")
    made = make(resource, world)
    read_only = {
        name: "x" for name, field in fields_of(resource.name).items() if field.is_read_only
    }

    response = client.patch(made["url"], read_only | {"no_such_field": [1]}, "application/json")

    assert response.status_code == 200, response.json()
    assert response.json() == made

"""The OpenAPI document says what the contract says: the same rows, the same fields."""

import re
from typing import Any

import pytest
from drf_spectacular.validation import validate_schema

from tests.contract.field_tables import fields_of
from tests.contract.resources import RESOURCES, Resource
from tests.contract.uri_table import rows
from tests.world import World


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    response = world.nobody().get("/api/schema/")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    found: dict[str, Any] = response.json()
    return found


def plain(path: str) -> str:
    return re.sub(r"{\w+}", "1", path)


def test_it_is_a_valid_document(document: dict[str, Any]) -> None:
    validate_schema(document)  # type: ignore[no-untyped-call]


def test_it_holds_every_row_with_its_methods_and_no_other(document: dict[str, Any]) -> None:
    told = {
        plain(path): {method.upper() for method in operations}
        for path, operations in document["paths"].items()
    }

    assert document["openapi"].startswith("3.")
    assert told == {row.path: set(row.methods) for row in rows()}


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "resource", [pytest.param(resource, id=resource.name) for resource in RESOURCES]
)
def test_the_fields_of_a_resource_are_those_of_its_table(
    resource: Resource, world: World, document: dict[str, Any]
) -> None:
    path = re.sub(r"(?<=/)\d+(?=/)", "1", resource.collection(world))
    operations = next(found for told, found in document["paths"].items() if plain(told) == path)
    (every, _) = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"][
        "anyOf"
    ]
    component = document["components"]["schemas"][every["items"]["$ref"].split("/")[-1]]

    shown = {name for name, field in fields_of(resource.name).items() if field.is_shown}
    assert set(component["properties"]) == shown


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', repr(document).replace("'", '"')))

    assert wanted <= set(document["components"]["schemas"])


def test_swagger_ui_comes_from_our_own_address(world: World) -> None:
    page = world.nobody().get("/api/docs/")

    assert page.status_code == 200
    assert "http" not in re.sub(r"<!DOCTYPE html>", "", page.content.decode())
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.content.decode()):
        assert world.nobody().get(f"/api/docs/{name}").status_code == 200, name
    assert world.nobody().get("/api/docs/nothing.js").status_code == 404

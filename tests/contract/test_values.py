"""Value by value: what the tables of 01-fleet to 03-legs allow, OPTIONS says and writes obey.

`v3_values.tsv` holds the columns "type" and "allowed" of the contract's tables: the type in the
words of OPTIONS (00-general.md, 8), the limits, the greatest length, the words of a choice. Fields
that we added stand in it too.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.field_tables import fields_of
from tests.contract.resources import RESOURCES, Resource
from tests.contract.test_fields import one_of
from tests.world import World

TABLE = Path(__file__).with_name("v3_values.tsv")
JSON = "application/json"


@dataclass(frozen=True)
class Value:
    """One line of the table; `low` and `high` are numbers as text, or ""."""

    field: str
    type: str
    low: str
    high: str
    length: str
    choices: str

    @property
    def described(self) -> dict[str, Any]:
        """What OPTIONS must say of it, beside what it says of every field."""
        found: dict[str, Any] = {"type": self.type}
        if self.low:
            found |= {"min_value": float(self.low), "max_value": float(self.high)}
        if self.length:
            found["max_length"] = int(self.length)
        if self.choices:
            found["choices"] = [
                {"value": word, "display_name": word} for word in sorted(self.choices.split())
            ]
        return found

    def refused(self) -> list[tuple[object, str]]:
        """Values just outside, and the standard message of each."""
        cases: list[tuple[object, str]] = []
        if self.low:
            step = Decimal("0.1") if self.type == "float" else Decimal(1)
            low, high = Decimal(self.low), Decimal(self.high)
            number = float if self.type == "float" else int
            cases += [
                (number(low - step), f"Ensure this value is greater than or equal to {low}."),
                (number(high + step), f"Ensure this value is less than or equal to {high}."),
            ]
        if self.length:
            told = f"Ensure this field has no more than {self.length} characters."
            cases.append(("x" * (int(self.length) + 1), told))
        if self.choices:
            cases.append(("x", '"x" is not a valid choice.'))
        wrong = WRONG.get(self.type)
        return [*cases, *([wrong] if wrong else [])]


WRONG: dict[str, tuple[object, str]] = {
    "boolean": ("perhaps", "Must be a valid boolean."),
    "integer": ("1.5", "A valid integer is required."),
    "float": ("much", "A valid number is required."),
    "string": ({}, "Not a valid string."),
    "field": (999_999_999, "Invalid hyperlink - Object does not exist."),
}


def values_of(resource: str) -> list[Value]:
    with TABLE.open() as table:
        return [
            Value(**{name: text for name, text in line.items() if name != "resource"})
            for line in csv.DictReader(table, dialect="excel-tab")
            if line["resource"] == resource
        ]


TOLD = [pytest.param(one, id=one.name) for one in RESOURCES if values_of(one.name)]


@pytest.mark.parametrize("resource", TOLD)
def test_the_two_tables_have_the_same_fields(resource: Resource) -> None:
    assert {value.field for value in values_of(resource.name)} == set(fields_of(resource.name))


@pytest.mark.parametrize("resource", TOLD)
def test_options_describes_what_is_allowed(resource: Resource, world: World) -> None:
    url = one_of(resource, world)["url"]
    described = world.client("admin").options(url).json()["actions"]["PUT"]

    for value in values_of(resource.name):
        said = described[value.field]
        if "choices" in said:
            said["choices"].sort(key=lambda choice: choice["value"])
        limits = {"type", "min_value", "max_value", "max_length", "choices"} & said.keys()
        assert {name: said[name] for name in limits} == value.described, value.field


@pytest.mark.parametrize("resource", TOLD)
def test_what_is_not_allowed_is_refused_in_the_standard_words(
    resource: Resource, world: World
) -> None:
    client = world.client("admin")
    before = one_of(resource, world)
    written = {
        name
        for name, field in fields_of(resource.name).items()
        if not field.is_read_only and not field.is_fixed
    }

    for value in values_of(resource.name):
        for given, message in value.refused() if value.field in written else []:
            response = client.patch(before["url"], {value.field: given}, JSON)
            assert (response.status_code, response.json()) == (400, {value.field: [message]})
    assert client.get(before["url"]).json() == before


@pytest.mark.parametrize("resource", TOLD)
def test_the_ends_of_what_is_allowed_are_taken(resource: Resource, world: World) -> None:
    client = world.client("admin")
    url = one_of(resource, world)["url"]
    fields = fields_of(resource.name)

    for value in values_of(resource.name):
        if fields[value.field].is_read_only:
            continue
        given: list[Any] = [*value.choices.split()]
        given += ["x" * int(value.length)] if value.length else []
        # What must fit another field has tests of its own.
        given += [] if value.field in FITTED else [float(n) for n in (value.low, value.high) if n]
        for one in given:
            response = client.patch(url, {value.field: one}, JSON)
            assert (response.status_code, response.json().get(value.field)) == (200, one)


FITTED = {
    "metric_collection_interval",
    "metric_reporting_interval",
    "failover_interval",
    "failover_receive_timeout",
    "ping_interval",
    "ping_timeout",
}

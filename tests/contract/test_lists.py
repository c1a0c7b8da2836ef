"""List by list: filters, search fields and orderings are those of `v3_lists.tsv`, and they work.

The table holds the lists of 04-routing.md to 08-system.md.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.urls import resolve

from tests.contract.things import things_of_acme
from tests.contract.walked import path_of
from tests.replay import replayed
from tests.world import World

TABLE = Path(__file__).with_name("v3_lists.tsv")


@dataclass(frozen=True)
class List:
    uri: str
    filters: list[str]
    search: list[str]
    ordering: list[str]

    def path(self, world: World) -> str:
        """Return the address of this list in a world where Acme has one of each thing."""
        return path_of(self.uri, things(world))


def things(world: World) -> dict[str, int]:
    """Make one of each thing in a fresh world; return the ids for paths."""
    return replayed(lambda: things_of_acme(world))


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def lists() -> list[List]:
    with TABLE.open() as table:
        return [
            List(row["uri"], names(row["filters"]), names(row["search"]), names(row["ordering"]))
            for row in csv.DictReader(table, dialect="excel-tab")
        ]


LISTS = [pytest.param(one, id=one.uri.removeprefix("/api/v3/")) for one in lists()]


def objects(world: World, path: str, query: str = "") -> list[dict[str, Any]]:
    response = world.client("admin").get(f"{path}?{query}")
    assert response.status_code == 200, (path, query, response.json())
    # How long the present state of a leg lasts already is another number every second.
    return [
        {name: value for name, value in one.items() if name != "duration"}
        for one in response.json()
    ]


def argument(value: object) -> str:
    """Return a value as it is written in a query: of a list its first element."""
    if isinstance(value, list):
        value = value[0]
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("of", LISTS)
def test_a_list_takes_exactly_what_its_table_names(of: List) -> None:
    view = resolve(of.uri.replace("X", "1").replace("Y", "1")).func.cls  # type: ignore[attr-defined]
    listing = getattr(view, "listing", view)

    assert set(listing.filters) == set(of.filters)
    assert len(listing.search) == len(of.search)
    assert set(listing.ordering) == set(of.ordering)


@pytest.mark.parametrize("of", LISTS)
def test_each_filter_finds_an_object_by_what_it_shows(of: List, world: World) -> None:
    path = of.path(world)
    every = objects(world, path)
    for name in of.filters:
        shown = [one for one in every if one[name] != []]
        for one in shown[:3]:
            found = objects(world, path, f"{name}={argument(one[name])}")
            assert one in found, (name, one[name])
            if not isinstance(one[name], list):
                assert all(other[name] == one[name] for other in found), name
        assert objects(world, path, f"{name}=") == every, "an empty value counts as absent"


@pytest.mark.parametrize("of", LISTS)
def test_each_ordering_sorts_both_ways_and_ties_by_id(of: List, world: World) -> None:
    path = of.path(world)
    every = objects(world, path)
    for name in of.ordering:
        up = objects(world, path, f"ordering={name},")
        down = objects(world, path, f"ordering=-{name}&no_such=1")
        assert sorted(map(str, up)) == sorted(map(str, down)) == sorted(map(str, every)), name
        kept = [one[name] for one in up if isinstance(one.get(name), int)]
        assert kept == sorted(kept), name
        assert [one[name] for one in down if isinstance(one.get(name), int)] == sorted(
            kept, reverse=True
        ), name


@pytest.mark.parametrize("of", LISTS)
def test_each_list_has_pages_search_and_leaves_out_fields(of: List, world: World) -> None:
    path = of.path(world)
    every = objects(world, path)
    client = world.client("admin")

    page = client.get(f"{path}?page_size=1&exclude_fields=created,name,id,duration").json()
    nothing = objects(world, path, "search=no-such-word-anywhere")

    assert page["count"] == len(every)
    assert page["results"] == [
        {key: value for key, value in one.items() if key not in {"created", "name", "id"}}
        for one in every[:1]
    ]
    assert nothing == ([] if of.search else every)
    assert client.get(f"{path}?page={len(every) + 2}").json()["code"] == "invalid_page"


def test_a_word_is_searched_for_in_every_field_of_the_table(world: World) -> None:
    """Of each object, something it shows in a search field is found by its own words."""
    ids = things(world)
    for of in lists():
        if of.uri.endswith(("tuners/", "mobilebroadbandproviderapns/")):
            continue
        path = path_of(of.uri, ids)
        for one in objects(world, path)[:2]:
            for name in of.search:
                word = str(one.get(name) or "").split(" ")[0]
                assert not word or one in objects(world, path, f"search={word.upper()}"), name

"""Filters, search, order, pages and left-out fields, the same on every list (00-general.md, 5)."""

from typing import Any

import pytest

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import create_bond
from openbond.server.system.actors import SERVER
from tests.world import World

BONDS = "/api/v3/bonds/"


@pytest.fixture
def bonds(world: World) -> list[Bond]:
    """Five more bonds of Acme, after site-1."""
    names = ["delta", "Bravo", "alpha", "Charlie", "echo"]
    return [
        create_bond(
            by=SERVER,
            aggregator=world.away if name == "echo" else world.home,
            space=world.acme,
            name=name,
            circuit_id=f"C-{number}",
            product="Dual 50" if number % 2 else "Single 20",
        )
        for number, name in enumerate(names)
    ]


def names(world: World, query: str, path: str = BONDS) -> list[str]:
    response = world.client("ana").get(f"{path}?{query}")
    assert response.status_code == 200, response.json()
    body: Any = response.json()
    return [row["name"] for row in (body if isinstance(body, list) else body["results"])]


def refusal(world: World, query: str, path: str = BONDS) -> tuple[int, Any]:
    response = world.client("ana").get(f"{path}?{query}")
    return response.status_code, response.json()


ALL = ["site-1", "delta", "Bravo", "alpha", "Charlie", "echo"]


def test_a_plain_list_is_an_array_of_all_by_id(world: World, bonds: list[Bond]) -> None:
    assert names(world, "") == ALL


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("name=Bravo", ["Bravo"]),
        ("name=bravo", []),
        ("name=bravo&name=Bravo", ["Bravo"]),
        ("name=", ALL),
        ("circuit_id=C-1&product=Dual 50", ["Bravo"]),
        ("circuit_id=C-1&product=Single 20", []),
        ("tcp_proxy=false&product=Dual 50", ["Bravo", "Charlie"]),
        ("tcp_proxy=1", []),
        ("status=unknown&name=echo", ["echo"]),
        ("status=up", []),
        ("packet_distribution=idmpq&name=echo", ["echo"]),
        ("secondary_aggregator=null&product=Dual 50", ["Bravo", "Charlie"]),
        ("aggregator={away}", ["echo"]),
        ("aggregator=http://elsewhere/api/v3/aggregators/{away}/", ["echo"]),
        ("current_aggregator=/api/v3/aggregators/{away}/", ["echo"]),
        ("aggregator=99999", []),
        ("space=acme&name=echo", ["echo"]),
        ("space=ACME&name=echo", ["echo"]),
        ("space=nowhere", []),
        ("no_such_argument=1&name=echo", ["echo"]),
    ],
)
def test_filters_match_exactly_and_join_by_and(
    query: str, wanted: list[str], world: World, bonds: list[Bond]
) -> None:
    assert names(world, query.format(away=world.away.pk)) == wanted


@pytest.mark.parametrize(
    "query",
    [
        "tcp_proxy=perhaps",
        "status=x",
        "aggregator=x",
        "aggregator=/api/v3/bonds/1/",
        "aggregator=-1",
        "space=/nowhere/",
        "packet_distribution=x",
        "name=a%00b",
        "search=a%00b",
        "search=" + "+".join(str(number) for number in range(101)),
        "page_size=0",
        "page_size=x",
        "page_size=-5",
    ],
)
def test_a_bad_value_is_an_error_on_its_argument(query: str, world: World) -> None:
    status, answer = refusal(world, query)

    assert status == 400
    assert list(answer) == [query.partition("=")[0]]


def test_a_space_filter_leaves_out_descendants(world: World) -> None:
    create_bond(by=SERVER, aggregator=world.home, space=world.acme_east, name="east")

    assert names(world, f"space={world.acme.pk}") == ["site-1"]
    assert names(world, f"space={world.acme_east.pk}") == ["east"]
    assert names(world, "space=globex") == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("search=BRAVO", ["Bravo"]),
        ("search=single c-2", ["alpha"]),
        ("search=c-2  SINGLE", ["alpha"]),
        ("search=acme echo", ["echo"]),
        ("search=echo nowhere", []),
        ("search=100%", []),
        ("search=c_2", []),
        ("search=", ALL),
    ],
)
def test_every_word_of_a_search_occurs_somewhere(
    query: str, wanted: list[str], world: World, bonds: list[Bond]
) -> None:
    assert names(world, query) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("ordering=name", ["alpha", "Bravo", "Charlie", "delta", "echo", "site-1"]),
        ("ordering=-bonder.name", ["site-1", "echo", "delta", "Charlie", "Bravo", "alpha"]),
        ("ordering=-id", ALL[::-1]),
        ("ordering=product,-circuit_id", ["site-1", "Charlie", "Bravo", "echo", "alpha", "delta"]),
        ("ordering=nonsense,product,", ["site-1", "Bravo", "Charlie", "delta", "alpha", "echo"]),
        ("ordering=status,-name", ["site-1", "echo", "delta", "Charlie", "Bravo", "alpha"]),
        ("ordering=secondary_aggregator", ["site-1", "delta", "Bravo", "alpha", "Charlie", "echo"]),
        ("ordering=-secondary_aggregator", ALL[1:] + ALL[:1]),
        ("ordering=-aggregator", ["site-1", "delta", "Bravo", "alpha", "Charlie", "echo"]),
        ("ordering=aggregator", ["echo", "site-1", "delta", "Bravo", "alpha", "Charlie"]),
    ],
)
def test_order_ignores_case_puts_null_last_and_breaks_ties_by_id(
    query: str, wanted: list[str], world: World, bonds: list[Bond]
) -> None:
    assert names(world, query) == wanted


def test_pages_have_a_count_and_absolute_neighbours(world: World, bonds: list[Bond]) -> None:
    client = world.client("ana")

    def page(query: str) -> Any:
        host = {"Host": "mgmt.example.net:8443"}
        url = f"{BONDS}?page_size=2&tcp_proxy=false{query}"
        return client.get(url, secure=True, headers=host).json()

    first, second, third = page(""), page("&page=2"), page("&page=3")

    assert [one["count"] for one in (first, second, third)] == [6, 6, 6]
    assert [row["name"] for row in second["results"]] == ["Bravo", "alpha"]
    root = "https://mgmt.example.net:8443/api/v3/bonds/"
    assert first["previous"] is None
    assert first["next"] == f"{root}?page=2&page_size=2&tcp_proxy=false"
    assert second["previous"] == f"{root}?page_size=2&tcp_proxy=false"
    assert second["next"] == f"{root}?page=3&page_size=2&tcp_proxy=false"
    assert third["previous"] == f"{root}?page=2&page_size=2&tcp_proxy=false"
    assert third["next"] is None


def test_a_page_number_alone_gives_pages_of_25(world: World, bonds: list[Bond]) -> None:
    body = world.client("ana").get(f"{BONDS}?page=1").json()

    assert (body["count"], len(body["results"]), body["next"]) == (6, 6, None)


def test_page_1_of_nothing_is_a_page(world: World) -> None:
    body = world.client("ana").get(f"{BONDS}?name=nobody&page=1").json()

    assert body == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_page_may_be_as_large_as_a_client_likes(world: World) -> None:
    body = world.client("ana").get(f"{BONDS}?page_size={10**40}").json()

    assert len(body["results"]) == 1


@pytest.mark.parametrize("page", ["0", "-1", "x", "3", "last", "1.5", "9" * 40])
def test_a_page_that_is_not_there_is_404(page: str, world: World, bonds: list[Bond]) -> None:
    status, answer = refusal(world, f"page={page}&page_size=4")

    assert (status, answer) == (404, {"detail": "Invalid page.", "code": "invalid_page"})


def test_fields_are_left_out_of_lists_objects_and_answers_to_writes(world: World) -> None:
    client = world.client("ana")
    query = "exclude_fields=leg_list,routes&exclude_fields=bonder&exclude_fields=nonsense"
    url = f"{BONDS}{world.bond.pk}/?{query}"
    gone = {"leg_list", "routes", "bonder"}

    whole = set(client.get(f"{BONDS}{world.bond.pk}/").json())

    assert set(client.get(f"{BONDS}?{query}").json()[0]) == whole - gone
    assert set(client.get(f"{BONDS}?page=1&{query}").json()["results"][0]) == whole - gone
    assert set(client.get(url).json()) == whole - gone
    assert set(client.patch(url, "{}", "application/json").json()) == whole - gone
    created = client.post(f"{BONDS}?{query}", {"aggregator": world.home.pk}, "application/json")
    assert set(created.json()) == whole - gone


def test_addresses_sort_as_numbers(world: World) -> None:
    path = f"{BONDS}{world.bond.pk}/connected_ips/"
    client = world.client("ana")
    for number, ip in enumerate(["10.0.0.9/31", "10.0.10.1/31", "10.0.9.1/31", "fd00::1/64"]):
        made = client.post(path, {"interface": f"eth{number + 4}", "ip": ip}, "application/json")
        assert made.status_code == 201, made.json()

    listed = client.get(f"{path}?ordering=-ip").json()

    assert [row["ip"] for row in listed] == ["fd00::1", "10.0.10.1", "10.0.9.1", "10.0.0.9"]


def test_sub_lists_take_what_the_list_of_bonds_takes(world: World, bonds: list[Bond]) -> None:
    path = f"/api/v3/aggregators/{world.home.pk}/bonds/"

    assert names(world, "search=single&ordering=-name", path) == ["delta", "alpha"]
    assert names(world, "page_size=2&page=2", path) == ["Bravo", "alpha"]
    assert refusal(world, "status=x", path)[0] == 400


@pytest.mark.parametrize(
    "query",
    [
        "search=" + "+".join(["site"] * 3000),
        "search=" + "+".join(str(number) for number in range(100)),
        "search=" + "a" * 60_000,
        "search=%25%5f%5c'\"",
        "search=%ff",
        "search=%ed%a0%80",
        "name=" + "a" * 60_000,
        "ordering=" + ",".join(["name", "-status"] * 3000),
        "ordering=%00,--id,-",
        "exclude_fields=" + "x," * 20_000,
        "exclude_fields=%00",
        "page=1&page_size=" + "9" * 5000,
        "aggregator=" + "9" * 18,
        "space=" + "x" * 5000,
    ],
    ids=lambda query: query[:24],
)
def test_no_argument_is_too_much_for_the_server(query: str, world: World) -> None:
    for path in (BONDS, f"{BONDS}{world.bond.pk}/legs/", "/api/v3/nodes/"):
        assert world.client("ana").get(f"{path}?{query}").status_code == 200, path


def test_letters_of_every_alphabet_have_no_case(world: World) -> None:
    for name in ("Éc", "éa", "Eb", "Zürich"):
        create_bond(by=SERVER, aggregator=world.home, space=world.acme, name=name)

    assert names(world, "search=ZÜR") == ["Zürich"]
    assert names(world, "search=É&ordering=name") == ["éa", "Éc"]
    assert names(world, "ordering=-name")[-1] == "Eb"
    assert names(world, "ordering=name")[-2:] == ["éa", "Éc"]


def test_null_matches_what_has_no_value(world: World, bonds: list[Bond]) -> None:
    assert names(world, "secondary_aggregator=null&status=null") == []
    assert names(world, "tcp_proxy=null") == []
    assert len(names(world, "qos_profile=null")) == len(ALL)
    # A word of a text is not a value that is absent.
    assert names(world, "name=null") == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("page=&page_size=", None),
        ("page=1", 25),
        ("page_size=1", 1),
        ("page=%201%20&page_size=%202", 2),
        ("page=7&page=1&page_size=3&page_size=4", 4),
    ],
)
def test_paging_is_on_once_it_is_asked_for(
    query: str, wanted: int | None, world: World, bonds: list[Bond]
) -> None:
    body: Any = world.client("ana").get(f"{BONDS}?{query}").json()

    if wanted is None:
        assert isinstance(body, list)
    else:
        assert len(body["results"]) == min(wanted, len(ALL))


def test_links_to_pages_keep_every_argument(world: World, bonds: list[Bond]) -> None:
    query = "page_size=1&search=C-&search=c-&exclude_fields=a&exclude_fields=leg_list&name="

    body = world.client("ana").get(f"{BONDS}?{query}", headers={"Host": "[::1]:8443"}).json()

    assert body["next"].startswith("http://[::1]:8443/api/v3/bonds/?")
    again = world.client("ana").get(body["next"].removeprefix("http://[::1]:8443")).json()
    assert again["count"] == body["count"] == 5
    assert "leg_list" not in again["results"][0]
    assert "exclude_fields=a&exclude_fields=leg_list" in body["next"]

"""Lists: search, filters, order, pages, columns, CSV, and what an empty list says."""

import csv
import io
import re

import pytest

from openbond.server.api.in_process import place_of
from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import create_bond, update_bond
from openbond.server.system.actors import SERVER
from openbond.server.web.objects.table import SHEETS
from tests.web.signed_in import signed_in
from tests.world import World


def names_in(page: bytes) -> list[str]:
    """Return the words of the first column, in the order of the rows."""
    return re.findall(r'<a class="row" href="[^"]+">([^<]+)</a>', page.decode())


def test_a_list_offers_the_filters_of_the_api_and_no_others(world: World) -> None:
    ana = signed_in(world, "ana")

    page = ana.get("/bonds/").content.decode()

    offered = set(re.findall(r'id="filter-(\w+)"', page))
    assert offered == set(place_of("bonds/").view.listing.filters)


def test_a_filter_takes_a_name_an_id_or_what_was_chosen(world: World) -> None:
    ana = signed_in(world, "ana")
    create_bond(by=SERVER, aggregator=world.away, space=world.acme, name="elsewhere")

    for typed in ("home", str(world.home.pk), f"home #{world.home.pk}"):
        assert names_in(ana.get("/bonds/", {"aggregator": typed}).content) == ["site-1"]
    assert names_in(ana.get("/bonds/", {"space": "acme"}).content) == ["site-1", "elsewhere"]


def test_a_filter_that_names_nothing_says_so_beside_its_input(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.get("/bonds/", {"aggregator": "nowhere", "status": "up"})

    assert response.status_code == 400
    assert "There is no aggregator of this name in reach." in response.content.decode()
    assert 'value="nowhere"' in response.content.decode()


def test_a_filter_with_a_wrong_value_has_the_words_of_the_api(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.get("/legs/", {"state": "sideways"})

    assert response.status_code == 400
    assert "&quot;sideways&quot; is not a valid choice." in response.content.decode()


def test_search_and_order_are_those_of_the_api(world: World) -> None:
    ana = signed_in(world, "ana")
    create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="bakery")

    assert names_in(ana.get("/bonds/", {"search": "bak"}).content) == ["bakery"]
    assert names_in(ana.get("/bonds/", {"ordering": "name"}).content) == ["bakery", "site-1"]
    page = ana.get("/bonds/", {"ordering": "-name"}).content
    assert names_in(page) == ["site-1", "bakery"]
    assert 'aria-sort="descending"' in page.decode()


def test_a_list_has_pages_and_says_when_one_is_past_its_end(world: World) -> None:
    ana = signed_in(world, "ana")
    for number in range(3):
        create_bond(by=SERVER, aggregator=world.home, space=world.acme, name=f"b{number}")

    first = ana.get("/bonds/", {"page_size": "3"}).content
    second = ana.get("/bonds/", {"page_size": "3", "page": "2"}).content

    assert names_in(first) == ["site-1", "b0", "b1"]
    assert names_in(second) == ["b2"]
    assert "page=2" in first.decode()
    past = ana.get("/bonds/", {"page": "9"})
    assert past.status_code == 404
    assert "Go to its first page" in past.content.decode()


def test_htmx_gets_the_part_that_it_replaces_and_a_clean_address(world: World) -> None:
    ana = signed_in(world, "ana")

    part = ana.get(
        "/bonds/?search=site&status=&name=", headers={"HX-Request": "true", "HX-Target": "list"}
    )

    assert names_in(part.content) == ["site-1"]
    assert "<html" not in part.content.decode()
    assert part["HX-Push-Url"] == "/bonds/?search=site"


def test_chosen_columns_are_kept_until_the_usual_ones_are_asked_for(world: World) -> None:
    ana = signed_in(world, "ana")
    update_bond(by=SERVER, bond=world.bond, circuit_id="C-77")

    ana.post("/bonds/columns/", {"column": ["name", "circuit_id", "nothing"]})
    chosen = signed_in(world, "ana").get("/bonds/").content.decode()  # at another browser
    others = signed_in(world, "admin").get("/bonds/").content.decode()
    ana.post("/bonds/columns/", {"column": ["name"], "reset": "1"})
    usual = ana.get("/bonds/").content.decode()

    assert "C-77" in chosen
    assert '<td class="of-status"' not in chosen
    assert "C-77" not in usual + others
    assert '<td class="of-status"' in usual


def test_csv_has_every_row_of_the_filter_and_no_formula(world: World) -> None:
    ana = signed_in(world, "ana")
    update_bond(by=SERVER, bond=world.bond, note='=HYPERLINK("http://x")', circuit_id="@sum")
    for number in range(30):
        create_bond(by=SERVER, aggregator=world.home, space=world.acme, name=f"-{number}x")

    response = ana.get("/bonds/list.csv?aggregator=home")

    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
    assert response["Content-Disposition"] == 'attachment; filename="bonds.csv"'
    assert len(rows) == 31
    assert rows[0]["note"] == '\'=HYPERLINK("http://x")'
    assert rows[0]["circuit_id"] == "'@sum"
    assert rows[1]["name"] == "'-0x"
    assert "password" not in rows[0]
    cells = [cell for row in rows for cell in row.values()]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


def test_an_empty_list_says_what_to_do_next(world: World) -> None:
    Bond.objects.all().delete()
    admin = signed_in(world, "admin")

    empty = admin.get("/bonds/").content.decode()
    narrowed = admin.get("/bonds/?search=x").content.decode()

    assert "Make an aggregator first" in empty
    assert 'href="/bonds/new/"' in empty
    assert "Nothing in reach fits the search and the filters." in narrowed


def test_a_list_shows_the_space_that_was_switched_to(world: World) -> None:
    admin = signed_in(world, "admin")

    before = names_in(admin.get("/bonds/").content)
    admin.post("/switch-space/", {"space": world.globex.pk})
    after = names_in(admin.get("/bonds/").content)

    assert before == ["site-1", "globex-1"]
    assert after == ["globex-1"]


def test_legs_of_all_bonds_are_one_list_and_each_opens_where_it_is_written(world: World) -> None:
    ana = signed_in(world, "ana")

    page = ana.get("/legs/")
    sent = ana.get(f"/legs/{world.dhcp_leg.pk}/")

    assert names_in(page.content) == ["eth1", "eth2", "eth3"]
    assert sent["Location"] == f"/bonds/{world.bond.pk}/dhcp_legs/{world.dhcp_leg.pk}/"


@pytest.mark.parametrize("key", sorted(SHEETS))
def test_a_sheet_names_only_fields_that_there_are(world: World, key: str) -> None:
    sheet = SHEETS[key]
    view = sheet.place.view

    fields = set(view.body().fields)
    named = {*sheet.columns, *sheet.bulk}

    assert named <= fields

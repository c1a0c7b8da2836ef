"""Many at once: one change to many rows, and bonds out of a CSV file. All of it, or nothing."""

import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.services import create_bond
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from openbond.server.web.objects import importing
from openbond.server.web.objects.names import ABSENT
from openbond.server.web.objects.table import SHEETS
from tests.web.signed_in import signed_in
from tests.world import World

HEAD = (
    "bond,aggregator,circuit_id,leg_type,leg_interface,leg_down_mbit,leg_up_mbit,"
    "leg_password,leg_username"
)
GOOD = f"""{HEAD}
Bakery,home,C-1,dhcp,eth1,50,10,,
Bakery,,,pppoe,eth2,20,5,secret7,line7
Café ünder,home #{{home}},C-2,,,,,,
"""


def upload(text: str | bytes, name: str = "bonds.csv") -> dict[str, object]:
    content = text.encode() if isinstance(text, str) else text
    return {"file": SimpleUploadedFile(name, content, content_type="text/csv")}


def faults_in(page: str) -> list[tuple[str, str, str]]:
    rows = re.findall(r'<tr><td class="number">(.*?)</td><td>(.*?)</td><td>(.*?)</td></tr>', page)
    return [(line, column, unescape(words)) for line, column, words in rows]


def test_the_same_change_is_made_to_every_chosen_row(world: World) -> None:
    ana = signed_in(world, "ana")
    other = create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="bakery")
    chosen = {"pk": [str(world.bond.pk), str(other.pk)]}

    asked = ana.post("/bonds/bulk/", chosen).content.decode()
    form = {"note": "moved", "compression": "true", "product": "not ticked"}
    ticked = {"apply": "1", "change": ["note", "compression"]}
    response = ana.post("/bonds/bulk/", chosen | form | ticked)

    assert "site-1" in asked
    assert "bakery" in asked
    assert response.status_code == 302
    found = set(Bond.objects.filter(space=world.acme).values_list("note", "compression", "product"))
    assert found == {("moved", True, "")}


def test_one_row_that_is_refused_leaves_all_as_they_were(world: World) -> None:
    ana = signed_in(world, "ana")
    other = create_bond(by=SERVER, aggregator=world.home, space=world.acme, name="bakery")
    Bond.objects.filter(pk=other.pk).update(tuning_in_progress=True)
    before = AuditEntry.objects.count()

    response = ana.post(
        "/bonds/bulk/",
        {"pk": [str(world.bond.pk), str(other.pk)], "apply": "1", "change": "note", "note": "x"},
    )

    page = response.content.decode()
    assert response.status_code == 400
    assert re.search(r"bakery<div[^>]*>A tuning of the bond is queued or running\.", page)
    assert not Bond.objects.filter(note="x").exists()
    assert AuditEntry.objects.count() == before


def test_legs_of_several_types_and_bonds_are_changed_at_their_own_addresses(world: World) -> None:
    ana = signed_in(world, "ana")
    legs = [world.dhcp_leg, world.static_leg, world.pppoe_leg]

    response = ana.post(
        "/legs/bulk/",
        {
            "pk": [str(leg.pk) for leg in legs],
            "apply": "1",
            "change": "link_mode",
            "link_mode": "idle",
        },
    )

    assert response.status_code == 302
    assert set(Leg.objects.filter(bond=world.bond).values_list("link_mode", flat=True)) == {"idle"}


def test_a_bulk_change_needs_rows_and_something_to_change(world: World) -> None:
    ana = signed_in(world, "ana")

    none = ana.post("/bonds/bulk/", {}, follow=True)
    nothing = ana.post("/bonds/bulk/", {"pk": str(world.bond.pk), "apply": "1"})
    wrong = ana.post(
        "/legs/bulk/",
        {"pk": str(world.dhcp_leg.pk), "apply": "1", "change": "down_speed", "down_speed": "fast"},
    )

    assert "Choose at least one row." in none.content.decode()
    assert "Tick what is to be changed." in nothing.content.decode()
    assert "A valid number is required." in wrong.content.decode()


def test_bulk_changes_only_what_is_safe_on_many() -> None:
    dangerous = {
        "name",
        "space",
        "groups",
        "role",
        "aggregator",
        "ip",
        "interface",
        "key",
        "password",
        "email",
    }

    for sheet in SHEETS.values():
        assert not dangerous & set(sheet.bulk), sheet.key


def test_a_file_is_shown_first_and_made_then(world: World) -> None:
    ana = signed_in(world, "ana")

    preview = ana.post("/bonds/import/", upload(GOOD.format(home=world.home.pk)))

    page = preview.content.decode()
    assert preview.status_code == 200
    assert "2 bonds with 2 legs and 0 connected IPs: nothing is wrong" in page
    assert "secret7" not in page
    assert not Bond.objects.filter(circuit_id="C-1").exists()
    sealed = re.search(r'name="sealed" value="([^"]+)"', page)
    assert sealed is not None
    response = ana.post("/bonds/import/", {"sealed": sealed[1], "apply": "1"})
    assert response["Location"] == "/bonds/"
    bakery = Bond.objects.get(circuit_id="C-1")
    assert bakery.space == world.acme
    assert [(leg.type, leg.down_kbps) for leg in bakery.legs.order_by("pk")] == [
        ("dhcp", 50_000),
        ("pppoe", 20_000),
    ]
    assert bakery.legs.get(type="pppoe").password == "secret7"
    assert Bond.objects.get(circuit_id="C-2").bonder.name == "Café ünder"


def test_faults_are_told_by_line_and_column_and_nothing_is_made(world: World) -> None:
    ana = signed_in(world, "ana")
    text = (
        f"{HEAD}\n"
        "site-1,home,,dhcp,eth1,50,10,,\n"  # the name is taken
        "Bakery,nowhere,,dhcp,eth1,50,10,,\n"
        "Butcher,home,,dhcp,lo,fast,10,,\n"
        "Butcher,,,static,eth2,1,1,,\n"
        "Grocer,home,,dhcp,eth1,5,5,,\n"
    )

    response = ana.post("/bonds/import/", upload(text))

    assert response.status_code == 400
    faults = faults_in(response.content.decode())
    assert ("2", "bond", "Name must be unique.") in faults
    assert ("3", "aggregator", ABSENT.format(what="aggregator")) in faults
    assert ("4", "leg_down_mbit", "A valid number is required.") in faults
    assert ("5", "leg_ip", "This field is required.") in faults
    assert {line for line, _, _ in faults} == {"2", "3", "4", "5"}
    assert Bond.objects.count() == 2


ADDRESSES = (
    "bond,aggregator,leg_type,leg_interface,leg_down_mbit,leg_up_mbit,"
    "connected_interface,connected_ip,connected_note"
)


def test_connected_ips_are_made_along_with_legs_or_on_lines_of_their_own(world: World) -> None:
    ana = signed_in(world, "ana")
    text = (
        f"{ADDRESSES}\n"
        "Bakery,home,dhcp,eth1,50,10,eth0,10.20.0.1/24,shop\n"
        "Bakery,,,,,,eth0,10.21.0.1/24,\n"
    )

    page = ana.post("/bonds/import/", upload(text)).content.decode()
    sealed = re.search(r'name="sealed" value="([^"]+)"', page)

    assert "1 bonds with 1 legs and 2 connected IPs: nothing is wrong" in page
    assert sealed is not None
    assert ana.post("/bonds/import/", {"sealed": sealed[1], "apply": "1"}).status_code == 302
    made = Bond.objects.get(bonder__name="Bakery").connected_ips.order_by("pk")
    assert [(one.interface, one.ip, one.note) for one in made] == [
        ("eth0", "10.20.0.1", "shop"),
        ("eth0", "10.21.0.1", ""),
    ]


def test_what_is_wrong_with_an_address_is_told_at_its_column(world: World) -> None:
    text = (
        f"{ADDRESSES}\n"
        "Bakery,home,,,,,eth0,8.8.8.8/24,\n"  # in no network of the space
        "Butcher,home,,,,,,10.20.0.1/24,\n"
    )

    page = signed_in(world, "ana").post("/bonds/import/", upload(text)).content.decode()

    faults = {(line, column) for line, column, _ in faults_in(page)}
    assert faults >= {("2", "connected_ip"), ("3", "connected_interface")}
    assert not Bond.objects.filter(bonder__name="Bakery").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "The column 'bond' is missing.", id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00", "The file is not UTF-8 text.", id="a picture"),
        pytest.param("bond,aggregator\nü,home".encode("latin-1"), "not UTF-8", id="Latin 1"),
        pytest.param(b"PK\x03\x04 not a table\0", "null characters", id="a spreadsheet"),
        pytest.param(b"bond,aggregator\n", "no lines below its head", id="a head alone"),
        pytest.param(b"bond,aggregator,colour\nx,home,red\n", "no column 'colour'", id="unknown"),
        pytest.param(b"bond,bond,aggregator\nx,y,home\n", "'bond' is there twice", id="twice"),
        pytest.param(b"bond,aggregator\nx,home,more\n", "more cells than the head", id="long line"),
        pytest.param(b'bond,aggregator\n"x,home\n', "The file is not CSV", id="open quote"),
        pytest.param(b"bond,aggregator\n,home\n", "A name is needed", id="no name"),
        pytest.param(
            b"bond,aggregator,leg_type\nx,home,fibre\n", "Use one of: dhcp, static", id="type"
        ),
        pytest.param(
            b"bond,aggregator,leg_interface\nx,home,eth1\n", "The leg has no type", id="no type"
        ),
        pytest.param(
            b"bond,aggregator,note\nx,home,a\nx,home,b\n", "(line 2) says 'a'", id="differs"
        ),
        pytest.param(
            b"bond,aggregator\n" + b"x,home\n" * 301, "more than 300 lines", id="many lines"
        ),
        pytest.param(b"x" * (importing.MOST_BYTES + 1), "larger than 256 KiB", id="large"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_in_words(
    world: World, content: bytes, words: str
) -> None:
    response = signed_in(world, "ana").post("/bonds/import/", upload(content))

    assert response.status_code == 400
    assert words in unescape(response.content.decode())
    assert Bond.objects.count() == 2


def test_a_file_of_a_spreadsheet_in_another_country_is_read(world: World) -> None:
    ana = signed_in(world, "ana")
    text = "\ufeffBond;Aggregator;Note\r\nBakery;home;a, b\r\n"

    assert "1 bonds with 0 legs" in ana.post("/bonds/import/", upload(text)).content.decode()


def test_a_preview_that_was_tampered_with_makes_nothing(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.post("/bonds/import/", {"sealed": "gAAAA" + "A" * 100, "apply": "1"})

    assert response.status_code == 400
    assert "The preview is out of date." in response.content.decode()


def test_who_may_not_make_bonds_imports_none(world: World) -> None:
    world.restrict("ana", "view_bond")

    assert signed_in(world, "ana").post("/bonds/import/", upload("x")).status_code == 403

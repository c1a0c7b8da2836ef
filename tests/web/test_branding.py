"""Each space may show its own name, colour and logo; nothing of it is markup or style in a page."""

import pytest
from django.test import Client

from openbond.server.spaces.models import Space
from openbond.server.spaces.services import write_space
from openbond.server.system.actors import SERVER
from tests.web.signed_in import Https, signed_in
from tests.world import World


def brand(space: Space, **branding: str) -> None:
    write_space(by=SERVER, space=space, changes={"branding": branding})


def test_a_space_has_its_own_look_and_what_lies_below_has_it_too(world: World) -> None:
    brand(
        world.acme, product_name="AcmeNet", color="#204060", logo_url="https://acme.example/l.png"
    )

    for name in ("ana", "eve"):
        page = signed_in(world, name).get("/").content.decode()
        assert "AcmeNet" in page
        assert 'href="/branding/204060.css"' in page
        assert 'src="https://acme.example/l.png"' in page
    assert "AcmeNet" not in signed_in(world, "gil").get("/").content.decode()


def test_whoever_is_not_in_yet_sees_the_look_of_the_root(world: World) -> None:
    brand(world.root, product_name="RootNet")

    assert "RootNet" in Https().get("/sign-in/").content.decode()


def test_a_name_with_markup_is_shown_as_text(world: World) -> None:
    brand(world.acme, product_name="<img src=x onerror=alert(1)>")

    page = signed_in(world, "ana").get("/").content.decode()

    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_stored_colour_that_is_none_is_not_used(world: World) -> None:
    Space.objects.filter(pk=world.acme.pk).update(
        branding={"product_name": "", "logo_url": "", "color": "red;} body{display:none"}
    )

    assert "/branding/" not in signed_in(world, "ana").get("/").content.decode()


@pytest.mark.parametrize(
    ("colour", "text"), [("204060", "#ffffff"), ("ffe066", "#000000"), ("000000", "#ffffff")]
)
def test_text_on_the_colour_can_be_read(colour: str, text: str, db: None) -> None:
    sheet = Client().get(f"/branding/{colour}.css")

    assert sheet["Content-Type"] == "text/css"
    assert f"--tblr-primary: #{colour};" in sheet.content.decode()
    assert f"--tblr-btn-color: {text};" in sheet.content.decode()


@pytest.mark.parametrize("colour", ["red", "12345", "1234567", "20406G", "FFFFFF", "%3Bx%7D"])
def test_what_is_no_colour_is_no_style_sheet(colour: str, db: None) -> None:
    assert Client().get(f"/branding/{colour}.css").status_code == 404

"""What every page has in common: who may see it, from where, and how it is kept from strangers."""

import re

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from openbond.server.spaces.services import update_user
from openbond.server.system.actors import SERVER
from openbond.server.web.faults import server_error
from tests.web.signed_in import signed_in
from tests.world import World


def test_nobody_is_sent_to_sign_in_and_comes_back(world: World) -> None:
    response = Client().get("/switch-space/?search=acme", secure=True)

    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=%2Fswitch-space%2F%3Fsearch%3Dacme"


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(world: World) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://testserver/switch-space/"}

    response = Client(headers=headers).get("/", secure=True)

    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=%2Fswitch-space%2F"


def test_a_deactivated_user_sees_no_page_more(world: World) -> None:
    client = signed_in(world, "ana")

    update_user(by=SERVER, user=world.user("ana"), active=False)

    assert client.get("/").status_code == 302


def test_an_unknown_page_is_a_page(world: World) -> None:
    response = signed_in(world, "ana").get("/nothing/here/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_unknown_addresses_of_the_api_answer_json_as_before(world: World) -> None:
    response = world.client("ana").get("/api/v3/nothing/", secure=True)

    assert response.status_code == 404
    assert response.json() == {"detail": "Not found.", "code": "not_found"}


def test_every_page_has_the_strict_policy(world: World) -> None:
    response = signed_in(world, "ana").get("/")

    policy = response["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "no-store"


def test_swagger_keeps_the_policy_that_it_needs(world: World) -> None:
    assert "'unsafe-inline'" in Client().get("/api/docs/")["Content-Security-Policy"]


def test_a_page_names_only_files_that_are_there_and_may_be_kept(world: World) -> None:
    page = signed_in(world, "ana").get("/").content.decode()

    urls = set(re.findall(r'"(/static/[^"#]+)', page))

    assert len(urls) >= 5
    for url in urls:
        response = Client().get(url, headers={"Accept-Encoding": "gzip"})
        assert response.status_code == 200
        assert response["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("page", ["/", "/bonds/{bond}/"])
def test_the_first_load_is_small_charts_included(page: str, world: World) -> None:
    client = signed_in(world, "ana")
    address, zipped = page.format(bond=world.bond.pk), {"Accept-Encoding": "gzip"}
    html = client.get(address)

    urls = set(re.findall(r'"(/static/[^"#]+)', html.content.decode()))
    loaded = [client.get(url, headers=zipped).content for url in urls]

    # The page itself is sent as it is.
    assert any("uplot" in url for url in urls) is (address != "/")
    assert sum(len(content) for content in loaded) + len(html.content) < 300_000


@pytest.mark.parametrize(
    "name", ["../settings.py", "web/site.css", "web/site.000000000000.py", "web/no.000000000000.js"]
)
def test_nothing_else_is_served_as_a_static_file(world: World, name: str) -> None:
    assert Client().get(f"/static/{name}").status_code == 404


def test_an_old_name_of_a_file_gets_the_new_one_and_is_not_kept(world: World) -> None:
    response = Client().get("/static/web/site.000000000000.css")

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-cache"


def test_a_write_without_the_token_of_its_form_is_refused_in_words(world: World) -> None:
    client = signed_in(world, "ana", checks_csrf=True)

    response = client.post("/switch-space/", {"space": world.acme_east.pk})

    assert response.status_code == 403
    assert "This form is no longer valid" in response.content.decode()


def test_a_switch_of_space_is_kept_and_narrows_nothing_for_others(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.post("/switch-space/", {"space": world.acme_east.pk, "next": "/"})

    assert response["Location"] == "/"
    assert "Acme East" in ana.get("/").content.decode()
    assert "Acme East" not in signed_in(world, "admin").get("/").content.decode()


@pytest.mark.parametrize("name", ["root", "globex"])
def test_nobody_switches_to_a_space_out_of_reach(world: World, name: str) -> None:
    ana = signed_in(world, "ana")
    space = getattr(world, name)

    response = ana.post("/switch-space/", {"space": space.pk})

    assert response.status_code == 404
    assert space.name not in ana.get("/switch-space/").content.decode()


def test_a_space_that_went_out_of_reach_is_switched_to_no_more(world: World) -> None:
    ana = signed_in(world, "ana")
    ana.post("/switch-space/", {"space": world.acme_east.pk})

    update_user(by=SERVER, user=world.user("ana"), space=world.globex)

    page = ana.get("/").content.decode()
    assert "Globex" in page
    assert "Acme East" not in page


def test_a_way_back_leads_to_no_other_site(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.post("/theme/", {"theme": "dark", "next": "https://evil.example/"})

    assert response["Location"] == "/"
    assert response.cookies["theme"].value == "dark"
    assert 'data-bs-theme="dark"' in ana.get("/").content.decode()


def test_a_page_that_says_what_broke_needs_no_database() -> None:
    def unreachable() -> None:
        raise OperationalError("connection refused")

    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(unreachable)  # type: ignore[assignment]

    response = server_error(request)

    assert response.status_code == 500
    assert "Something broke" in response.content.decode()

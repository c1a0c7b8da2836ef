"""The first page of a new installation: makes its administrator once, for whoever has the code."""

import pytest

from openbond.server.api.authentication import login_delays
from openbond.server.control.django_desk import ANSWER_AFTER
from openbond.server.control.installation import (
    FirstAdministrator,
    create_first_administrator,
    first_run_code,
    install,
)
from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import has_active_administrator
from openbond.server.system.models import AuditEntry
from tests.web.signed_in import Https
from tests.world import PASSWORD, World

PAGE = "/first-run/"


@pytest.fixture
def empty(db: None) -> None:
    login_delays.forget()
    install(administrator=None)


def given(**more: str) -> dict[str, str]:
    return {
        "email": "root@example.net",
        "password": PASSWORD,
        "repeated": PASSWORD,
        "code": first_run_code(),
    } | more


def test_a_new_installation_leads_to_its_first_page(empty: None) -> None:
    response = Https().get("/", follow=True)

    assert response.redirect_chain[-1][0] == PAGE
    assert "Who runs this server?" in response.content.decode()


def test_it_makes_the_administrator_who_then_signs_in(empty: None) -> None:
    client = Https()

    response = client.post(PAGE, given())

    assert response["Location"] == "/sign-in/"
    assert has_active_administrator()
    client.post("/sign-in/", {"login": "root@example.net", "password": PASSWORD})
    assert client.get("/").status_code == 200
    made = AuditEntry.objects.get(kind="user", action="create")
    assert (made.actor_name, made.origin) == ("first run", "127.0.0.1")


@pytest.mark.parametrize("code", [str.lower, lambda code: code.replace("-", " ")])
def test_the_code_may_be_typed_as_people_do(code: object, empty: None) -> None:
    assert callable(code)

    response = Https().post(PAGE, given(code=code(first_run_code())))

    assert response.status_code == 302


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "\N{LATIN SMALL LETTER A WITH ACUTE}"])
def test_without_the_code_nobody_is_made_and_the_answer_waits(code: str, empty: None) -> None:
    response = Https().post(PAGE, given(code=code))

    assert response.status_code == 400
    assert list(response.context["errors"]) == ["code"]
    assert response.wsgi_request.META[ANSWER_AFTER] > 0
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "root"}, "email"),
        ({"email": ""}, "email"),
        ({"password": "short", "repeated": "short"}, "password"),
        ({"password": "root@example.net", "repeated": "root@example.net"}, "password"),
        ({"repeated": "something else"}, "repeated"),
    ],
)
def test_what_cannot_be_taken_is_told_at_its_field(
    wrong: dict[str, str], field: str, empty: None
) -> None:
    response = Https().post(PAGE, given(**wrong))

    assert response.status_code == 400
    assert list(response.context["errors"]) == [field]
    assert not User.objects.exists()


def test_it_is_gone_once_there_is_a_user(world: World) -> None:
    for response in (Https().get(PAGE), Https().post(PAGE, given())):
        assert response.status_code == 404


def test_of_two_at_once_only_the_first_is_made(empty: None) -> None:
    first = FirstAdministrator(email="first@example.net", password=PASSWORD)
    second = FirstAdministrator(email="second@example.net", password=PASSWORD)

    made = [create_first_administrator(administrator=each, origin="x") for each in (first, second)]

    assert made == [True, False]
    assert User.objects.count() == 1

"""Who may come in, by which way, and what everybody else is told (00-general.md, 3)."""

import base64
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from openbond.server.api.authentication import verified_passwords
from openbond.server.spaces.models import User
from openbond.server.spaces.services import create_token, delete_token, update_user
from openbond.server.system.actors import SERVER
from tests.world import PASSWORD, World

BONDS = "/api/v3/bonds/"


def basic(login: str, password: str = PASSWORD) -> Client:
    text = base64.b64encode(f"{login}:{password}".encode()).decode()
    return Client(headers={"Authorization": f"Basic {text}"})


def with_header(value: str) -> Client:
    return Client(headers={"Authorization": value})


def token(world: World, *, read_only: bool = False, days: int = 7) -> str:
    issued = create_token(
        by=SERVER,
        owner=world.user("ana"),
        name=f"script {days} {read_only}",
        expires=timezone.now() + timedelta(days=days),
        read_only=read_only,
    )
    return issued.text


def session(world: World) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.user("ana"))
    return client


@pytest.mark.parametrize("login", ["ana@example.net", "ANA@Example.NET", "ana"])
def test_basic_takes_the_email_address_in_any_case_or_the_username(
    login: str, world: World
) -> None:
    assert basic(login).get(BONDS).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"ana").decode(),
        "Basic " + base64.b64encode(b"ana\xff:x").decode(),
        "Basic " + base64.b64encode(b"a\0na:x").decode(),
        "Basic " + base64.b64encode(b"nobody@example.net:x").decode(),
        "Basic " + base64.b64encode(b"ana:wrong").decode(),
        "Token",
        "Token 0123456789",
        "Bearer abc",
        "nonsense",
        "",
    ],
)
def test_unusable_credentials_are_401_with_a_challenge(header: str, world: World) -> None:
    response = with_header(header).get(BONDS)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Basic realm="openbond"'
    assert response.json()["code"] == "authentication_failed"


def test_no_credentials_are_401_with_a_challenge(world: World) -> None:
    response = world.nobody().get(BONDS)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Basic realm="openbond"'
    assert response.json()["code"] == "not_authenticated"


def test_a_changed_password_counts_at_once_although_the_old_one_was_remembered(
    world: World,
) -> None:
    assert basic("ana").get(BONDS).status_code == 200

    update_user(by=SERVER, user=world.user("ana"), password="another long password")

    assert basic("ana").get(BONDS).status_code == 401
    assert basic("ana", "another long password").get(BONDS).status_code == 200


def test_a_deactivated_user_is_out_at_once_on_every_way(world: World) -> None:
    clients = [basic("ana"), with_header(f"Token {token(world)}"), session(world)]
    assert [client.get(BONDS).status_code for client in clients] == [200, 200, 200]

    update_user(by=SERVER, user=world.user("ana"), active=False)

    assert [client.get(BONDS).status_code for client in clients] == [401, 401, 401]


def test_a_changed_password_ends_sessions_but_not_tokens(world: World) -> None:
    by_session, by_token = session(world), with_header(f"Token {token(world)}")

    update_user(by=SERVER, user=world.user("ana"), password="another long password")

    assert by_session.get(BONDS).status_code == 401
    assert by_token.get(BONDS).status_code == 200


def test_a_password_is_hashed_once_and_then_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified_passwords.forget()
    basic("ana").get(BONDS)

    # From here on no hasher is there to ask.
    monkeypatch.setattr("django.conf.settings.PASSWORD_HASHERS", [])

    assert basic("ana").get(BONDS).status_code == 200


def test_a_token_has_the_permissions_of_its_owner(world: World) -> None:
    world.restrict("ana", "view_bond")
    client = with_header(f"Token {token(world)}")

    assert client.get(BONDS).status_code == 200
    assert client.get("/api/v3/aggregators/").status_code == 403


def test_a_read_only_token_reads_and_is_refused_on_any_write(world: World) -> None:
    client = with_header(f"Token {token(world, read_only=True)}")
    url = f"{BONDS}{world.bond.pk}/"

    assert client.get(url).status_code == 200
    assert client.head(url).status_code == 200
    assert client.options(url).status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        response = client.generic(method, url, "{}", content_type="application/json")
        assert response.status_code == 403
        assert response.json()["code"] == "token_read_only"


def test_an_expired_or_revoked_token_is_401(world: World) -> None:
    text = token(world)
    assert with_header(f"Token {text}").get(BONDS).status_code == 200
    row = world.user("ana").tokens.get()

    delete_token(by=SERVER, token=row)

    assert with_header(f"Token {text}").get(BONDS).status_code == 401


def test_a_token_past_its_date_is_401(world: World) -> None:
    text = token(world)
    world.user("ana").tokens.update(expires=timezone.now() - timedelta(seconds=1))

    assert with_header(f"Token {text}").get(BONDS).status_code == 401


def test_a_session_writes_only_with_the_csrf_token(world: World) -> None:
    client = session(world)
    url = f"{BONDS}{world.bond.pk}/"
    client.cookies["csrftoken"] = "0123456789abcdef"

    without = client.patch(url, {"note": "x"}, "application/json")
    wrong = client.patch(url, {"note": "x"}, "application/json", headers={"X-CSRFToken": "other"})
    right = client.patch(
        url, {"note": "x"}, "application/json", headers={"X-CSRFToken": "0123456789abcdef"}
    )

    assert (without.status_code, without.json()["code"]) == (403, "csrf_failed")
    assert (wrong.status_code, wrong.json()["code"]) == (403, "csrf_failed")
    assert right.status_code == 200
    assert client.get(url).json()["note"] == "x"


def test_the_authorization_header_alone_decides(world: World) -> None:
    client = session(world)

    wrong = client.get(BONDS, headers={"Authorization": "Basic nonsense"})
    right = client.patch(
        f"{BONDS}{world.bond.pk}/",
        {"note": "x"},
        "application/json",
        headers={"Authorization": world.basic("ana")},
    )

    assert wrong.status_code == 401
    assert right.status_code == 200


def test_a_login_is_noted_and_does_not_count_as_a_change(world: World) -> None:
    before = world.user("ana")
    assert before.last_login is None

    basic("ana").get(BONDS)

    after = world.user("ana")
    assert after.last_login is not None
    assert after.modified == before.modified


def test_a_request_costs_the_same_few_queries_to_log_in(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    basic("ana").get("/api/v3/")
    User.objects.update(last_login=timezone.now())

    with django_assert_num_queries(2):  # the user with his space, and his groups' grants
        assert basic("ana").get("/api/v3/").status_code == 200

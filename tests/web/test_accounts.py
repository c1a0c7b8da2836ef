"""Signing in to the site: who may, what ends it, and what the session is worth in the API."""

from datetime import timedelta
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from openbond.server.api.authentication import login_delays
from openbond.server.control.django_desk import ANSWER_AFTER
from openbond.server.control.upkeep import purge
from openbond.server.spaces.models import ApiToken
from openbond.server.spaces.services import create_token, update_user
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.web.signed_in import Https, signed_in
from tests.world import PASSWORD, World

NEW_PASSWORD = "another battery of staples"
BONDS = "/api/v3/bonds/"


@pytest.fixture(autouse=True)
def fresh_memory() -> None:
    login_delays.forget()
    cache.clear()


def sign_in(login: str, password: str = PASSWORD, **more: str) -> Client:
    client = Https()
    client.post("/sign-in/", {"login": login, "password": password, **more})
    return client


def is_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def totp_code(secret: str, *, steps_ahead: int = 0) -> str:
    step = int(timezone.now().timestamp()) // 30 + steps_ahead
    return str(format_hotp_value(hotp_value(secret, step)))


def with_totp(world: World, name: str) -> tuple[Client, str]:
    """Return a client of a user who has just set up an authenticator app, and its secret."""
    client = sign_in(name)
    client.post("/account/confirm/", {"password": PASSWORD})
    page = client.get("/account/two-factor/totp/activate/")
    secret = page.context["form"].secret
    client.post("/account/two-factor/totp/activate/", {"code": totp_code(secret)})
    return client, secret


@pytest.mark.parametrize("login", ["ana@example.net", "ANA@Example.NET", "ana", " ana "])
def test_sign_in_takes_the_email_address_in_any_case_or_the_username(
    login: str, world: World
) -> None:
    assert is_in(sign_in(login))


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("ana", "wrong"),
        ("nobody@example.net", PASSWORD),
        ("ana\0", PASSWORD),
        ("x" * 5000, PASSWORD),
        ("", ""),
    ],
)
def test_whoever_gives_something_else_is_told_nothing_more(
    login: str, password: str, world: World
) -> None:
    client = Https()

    response = client.post("/sign-in/", {"login": login, "password": password})

    assert response.status_code == 200
    assert response.context["form"].errors
    assert not is_in(client)


def test_an_inactive_user_is_answered_as_if_there_were_none(world: World) -> None:
    update_user(by=SERVER, user=world.user("ana"), active=False)

    response = Https().post("/sign-in/", {"login": "ana", "password": PASSWORD})

    assert "Wrong user name or password" in response.content.decode()


def test_sign_in_leads_to_where_one_wanted_to_go_and_to_no_other_site(world: World) -> None:
    page = {"login": "ana", "password": PASSWORD}

    home = Https().post("/sign-in/", {**page, "next": "/switch-space/"})
    away = Https().post("/sign-in/", {**page, "next": "https://evil.example/"})

    assert home["Location"] == "/switch-space/"
    assert away["Location"] == "/"


def test_failed_passwords_wait_as_those_of_the_api_do(world: World) -> None:
    waits = []
    for _ in range(6):
        response = Https().post("/sign-in/", {"login": "ana", "password": "wrong"})
        waits.append(response.wsgi_request.META[ANSWER_AFTER])

    assert waits == sorted(waits)
    assert waits[-1] == 1.0
    assert is_in(sign_in("ana"))  # nobody is locked out by others


def test_nobody_can_sign_up(world: World) -> None:
    for path in ("/accounts/signup/", "/sign-up/", "/signup/"):
        assert Https().get(path).status_code == 404


def test_a_session_of_the_site_reads_and_with_its_token_writes_in_the_api(world: World) -> None:
    client = Https(enforce_csrf_checks=True)
    page = client.get("/sign-in/")
    token = page.context["csrf_token"]
    data = {"login": "ana", "password": PASSWORD, "csrfmiddlewaretoken": str(token)}
    client.post("/sign-in/", data, headers={"Referer": "https://testserver/sign-in/"})
    client.get("/")
    url, note = f"{BONDS}{world.bond.pk}/", {"note": "by a page"}
    cookie = client.cookies["csrftoken"].value

    reads = client.get(url)
    without = client.patch(url, note, "application/json")
    writes = client.patch(url, note, "application/json", headers={"X-CSRFToken": cookie})

    assert reads.status_code == 200
    assert (without.status_code, without.json()["code"]) == (403, "csrf_failed")
    assert writes.status_code == 200


def test_a_session_ends_when_its_user_is_deactivated_and_does_not_come_back(world: World) -> None:
    client = sign_in("ana")

    update_user(by=SERVER, user=world.user("ana"), active=False)
    while_inactive = is_in(client), client.get(BONDS).status_code
    update_user(by=SERVER, user=world.user("ana"), active=True)

    assert while_inactive == (False, 401)
    assert not is_in(client)
    assert client.get(BONDS).status_code == 401


def test_a_password_changed_by_somebody_else_ends_every_session(world: World) -> None:
    client = sign_in("ana")

    update_user(by=SERVER, user=world.user("ana"), password=NEW_PASSWORD)

    assert not is_in(client)


def test_ones_own_change_of_password_ends_all_sessions_but_this(world: World) -> None:
    here, elsewhere = sign_in("ana"), sign_in("ana")
    given = {"current": PASSWORD, "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}

    response = here.post("/account/password/", given)

    assert response["Location"] == "/account/"
    assert is_in(here)
    assert not is_in(elsewhere)
    assert is_in(sign_in("ana", NEW_PASSWORD))
    assert not is_in(sign_in("ana", PASSWORD))


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"current": "wrong"}, "current", "This is not your password."),
        ({"repeated": "not the same one"}, "repeated", "The two are not alike."),
        (
            {"password": "short", "repeated": "short"},
            "password",
            "Ensure this field has at least 10 characters.",
        ),
        (
            {"password": "ana@example.net", "repeated": "ana@example.net"},
            "password",
            "The password may not be the e-mail address, the username or the name.",
        ),
    ],
)
def test_a_password_that_cannot_be_taken_is_told_at_its_field(
    given: dict[str, str], field: str, words: str, world: World
) -> None:
    client = signed_in(world, "ana")
    good = {"current": PASSWORD, "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}

    response = client.post("/account/password/", good | given)

    assert response.status_code == 400
    assert response.context["errors"] == {field: [words]}
    assert is_in(sign_in("ana", PASSWORD))


def test_sessions_are_listed_and_the_others_can_be_ended(world: World) -> None:
    here, elsewhere = sign_in("ana"), sign_in("ana")
    sign_in("gil")

    listed = here.get("/account/sessions/").context["sessions"]
    here.post("/account/sessions/")

    assert len(listed) == 2
    assert is_in(here)
    assert not is_in(elsewhere)
    assert UserSession.objects.filter(user=world.user("gil")).count() == 1


def test_with_an_authenticator_app_the_password_alone_opens_nothing(world: World) -> None:
    with_totp(world, "ana")

    client = sign_in("ana")

    assert not is_in(client)
    assert client.get(BONDS).status_code == 401


def test_a_code_of_the_app_signs_in(world: World) -> None:
    _, secret = with_totp(world, "ana")
    client = sign_in("ana")

    client.post("/account/two-factor/authenticate/", {"code": totp_code(secret, steps_ahead=1)})

    assert is_in(client)


def test_a_recovery_code_signs_in_once(world: World) -> None:
    first, _ = with_totp(world, "ana")
    codes = first.get("/account/two-factor/recovery-codes/").context["unused_codes"]

    once, again = sign_in("ana"), sign_in("ana")
    for client in (once, again):
        client.post("/account/two-factor/authenticate/", {"code": codes[0]})

    assert is_in(once)
    assert not is_in(again)


def test_codes_can_be_guessed_five_times_only(world: World) -> None:
    _, secret = with_totp(world, "ana")
    client = sign_in("ana")
    for _ in range(5):
        client.post("/account/two-factor/authenticate/", {"code": "000000"})

    client.post("/account/two-factor/authenticate/", {"code": totp_code(secret, steps_ahead=1)})

    assert not is_in(client)


def test_the_secret_of_an_app_is_sealed_in_the_database(world: World) -> None:
    _, secret = with_totp(world, "ana")

    stored = Authenticator.objects.get(type=Authenticator.Type.TOTP).data["secret"]

    assert secret not in stored


def test_who_lost_every_factor_gets_in_again_by_the_command_line(world: World) -> None:
    with_totp(world, "ana")

    call_command("delete_second_factors", email="ana@example.net", stdout=StringIO())

    assert is_in(sign_in("ana"))
    entry = AuditEntry.objects.filter(kind="user").latest("id")
    assert entry.before == {"second_factors": ["recovery_codes", "totp"]}


def test_second_factors_are_changed_only_by_who_has_just_proved_himself(world: World) -> None:
    client, way = sign_in("ana"), "/account/two-factor/totp/activate/"

    before = client.get(way)
    client.post("/account/confirm/", {"password": "wrong"})
    after_a_wrong_password = client.get(way)
    client.post("/account/confirm/", {"password": PASSWORD})

    assert before["Location"].startswith("/account/confirm/")
    assert after_a_wrong_password.status_code == 302
    assert client.get(way).status_code == 200


def test_a_token_is_shown_once_and_works(world: World) -> None:
    client = signed_in(world, "ana")
    expires = f"{timezone.now() + timedelta(days=10):%Y-%m-%d}"

    made = client.post("/account/tokens/", {"name": "billing", "expires": expires})

    text = made.context["issued"].text
    assert text in made.content.decode()
    assert text not in client.get("/account/tokens/").content.decode()
    api = Client(headers={"Authorization": f"Token {text}"})
    assert api.get(BONDS).status_code == 200
    assert AuditEntry.objects.filter(kind="apitoken", actor_name="ana@example.net").exists()


def test_a_token_that_only_reads_is_made_by_its_tick(world: World) -> None:
    client = signed_in(world, "ana")
    expires = f"{timezone.now() + timedelta(days=10):%Y-%m-%d}"

    client.post("/account/tokens/", {"name": "r", "expires": expires, "read_only": "true"})

    assert ApiToken.objects.get(name="r").read_only


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"expires": "tomorrow"}, "expires"),
        ({"expires": "2020-01-01"}, "expires"),
        ({"expires": "9999-12-31"}, "expires"),
        ({"read_only": "perhaps"}, "read_only"),
    ],
)
def test_a_token_that_cannot_be_made_is_told_at_its_field(
    given: dict[str, str], field: str, world: World
) -> None:
    client = signed_in(world, "ana")
    good = {"name": "x", "expires": f"{timezone.now() + timedelta(days=10):%Y-%m-%d}"}

    response = client.post("/account/tokens/", good | given)

    assert response.status_code == 400
    assert list(response.context["errors"]) == [field]
    assert not ApiToken.objects.exists()


def test_only_its_owner_revokes_a_token(world: World) -> None:
    expires = timezone.now() + timedelta(days=5)
    issued = create_token(by=SERVER, owner=world.user("ana"), name="x", expires=expires)
    revoke = f"/account/tokens/{issued.token.pk}/revoke/"

    by_admin = signed_in(world, "admin").post(revoke)
    by_ana = signed_in(world, "ana").post(revoke)

    assert by_admin.status_code == 404
    assert by_ana.status_code == 302
    api = Client(headers={"Authorization": f"Token {issued.text}"})
    assert api.get(BONDS).status_code == 401


def test_signing_out_ends_the_session_and_a_link_cannot_do_it(world: World) -> None:
    client = sign_in("ana")

    client.get("/sign-out/")
    by_a_link = is_in(client)
    client.post("/sign-out/")

    assert by_a_link
    assert not is_in(client)


def test_sessions_that_expired_are_deleted_and_others_stay(world: World) -> None:
    client = sign_in("ana")

    purge(now=timezone.now() + timedelta(days=13))
    soon = is_in(client)
    purge(now=timezone.now() + timedelta(days=15))

    assert soon
    assert not Session.objects.exists()
    assert not is_in(client)


def test_a_provider_of_single_sign_on_is_offered(world: World) -> None:
    app = {"provider_id": "acme", "name": "Acme SSO", "client_id": "x", "secret": "y"}
    whole = {**app, "settings": {"server_url": "https://sso.acme.example"}}

    with override_settings(SOCIALACCOUNT_PROVIDERS={"openid_connect": {"APPS": [whole]}}):
        page = Https().get("/sign-in/?next=/switch-space/").content.decode()

    assert "Acme SSO" in page
    assert "/sign-in/with/acme/login/?next=%2Fswitch-space%2F" in page

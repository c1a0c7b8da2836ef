"""A link that sets a password is mailed to the address of an account, and to nobody else."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django_tasks_db.models import DBTaskResult

from openbond.server.spaces.services import create_user, update_user
from openbond.server.system.actors import SERVER
from openbond.server.system.mail import MAIL_QUEUE
from openbond.server.system.models import Mail
from openbond.server.system.services import update_settings
from tests.mail_server import MailServer
from tests.web.signed_in import Https, signed_in
from tests.world import World

NEW = "another long password"
TOKEN = re.compile(r"[A-Za-z0-9]{64}")  # against forged posts, new each time
FORGOTTEN = "/sign-in/forgotten/"


@pytest.fixture
def relay(world: World) -> Iterator[MailServer]:
    cache.clear()
    with MailServer() as made:
        update_settings(
            by=SERVER,
            email_from="openbond@example.net",
            email_host="127.0.0.1",
            email_port=made.port,
            email_recipients=["noc@example.net"],
            server_hostname="mgmt.example.net",
        )
        yield made


def post() -> None:
    """Send the mails that wait, as the worker does."""
    for row in list(DBTaskResult.objects.ready().filter(queue_name=MAIL_QUEUE)):
        row.task.call(*row.args_kwargs["args"])
        DBTaskResult.objects.filter(pk=row.pk).update(status="SUCCESSFUL")


def link_in(relay: MailServer) -> str:
    """Return the path of the link in the newest mail."""
    post()
    found = re.search(r"https://mgmt\.example\.net(/\S+)", relay.mails[-1].get_content())
    assert found
    return found[1]


def asks(email: str, *, host: str = "testserver") -> str:
    """Ask for a link; return what the page says then."""
    page = Https().post(FORGOTTEN, {"email": email}, headers={"host": host}, follow=True)
    return page.content.decode()


def sets(link: str, password: str = NEW, repeated: str = NEW) -> tuple[int, str]:
    answer = Https().post(link, {"password": password, "repeated": repeated}, follow=True)
    return answer.status_code, answer.content.decode()


def test_whoever_forgot_his_password_sets_another_by_a_mailed_link(
    world: World, relay: MailServer
) -> None:
    ana = signed_in(world, "ana")
    email = world.user("ana").email
    assert FORGOTTEN in Client().get("/sign-in/", secure=True).content.decode()

    said = asks(email.upper(), host="evil.example")
    link = link_in(relay)
    answer = sets(link)

    assert "is on its way" in said
    assert relay.mails[-1]["To"] == email
    assert answer[0] == 200
    assert "Your password is set" in answer[1]
    assert ana.get("/").status_code == 302, "every session has ended"
    back = Https().post("/sign-in/", {"login": email, "password": NEW})
    assert back.status_code == 302


def test_a_link_is_good_once_for_a_day_and_not_after_another_password(
    world: World, relay: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks(world.user("ana").email)
    link = link_in(relay)
    assert Https().get(link).status_code == 200
    assert Https().get(f"{link[:-2]}x/").status_code == 404

    assert sets(link)[0] == 200
    assert sets(link)[0] == 404
    Mail.objects.update(created=world.now - timedelta(hours=1))
    asks(world.user("ana").email)
    second = link_in(relay)
    update_user(by=SERVER, user=world.user("ana"), password="set by somebody else")

    assert second != link
    assert "not good any more" in sets(second)[1]


def test_what_is_answered_does_not_tell_who_has_an_account(world: World, relay: MailServer) -> None:
    update_user(by=SERVER, user=world.user("gil"), active=False)
    known = asks(world.user("ana").email)

    for other in ("nobody@example.net", world.user("gil").email):
        assert TOKEN.sub("", asks(other)) == TOKEN.sub("", known)
    post()
    assert [mail["To"] for mail in relay.mails] == [world.user("ana").email]


def test_one_is_not_flooded_with_links(world: World, relay: MailServer) -> None:
    for _ in range(4):
        asks(world.user("ana").email)

    post()

    assert len(relay.mails) == 1


def test_a_link_is_kept_no_longer_than_until_it_is_sent(world: World, relay: MailServer) -> None:
    asks(world.user("ana").email)
    assert "/sign-in/password/" in Mail.objects.get().text

    post()

    assert Mail.objects.get().text == ""


@pytest.mark.parametrize(
    ("password", "repeated", "said"),
    [("short", "short", "at least 10"), (NEW, "else", "not alike")],
)
def test_a_password_that_cannot_be_taken_leaves_the_link_good(
    password: str, repeated: str, said: str, world: World, relay: MailServer
) -> None:
    asks(world.user("ana").email)
    link = link_in(relay)

    status, page = sets(link, password, repeated)

    assert status == 400
    assert said in page
    assert sets(link)[0] == 200


def test_a_new_account_gets_its_first_password_by_mail(world: World, relay: MailServer) -> None:
    new = create_user(by=SERVER, email="new@acme.example", space=world.acme)
    admin, page = signed_in(world, "admin"), f"/users/{new.pk}/"
    assert f"{page}password-mail/" in admin.get(page).content.decode()
    assert "Whoever opens it" in admin.get(f"{page}password-mail/").content.decode()

    said = admin.post(f"{page}password-mail/", follow=True).content.decode()
    link = link_in(relay)

    assert "on its way to new@acme.example" in said
    assert sets(link)[0] == 200
    answer = Https().post("/sign-in/", {"login": new.email, "password": NEW})
    assert answer.status_code == 302


def test_only_whoever_may_change_a_user_mails_him_a_link(world: World, relay: MailServer) -> None:
    path = f"/users/{world.user('ana').pk}/password-mail/"

    assert signed_in(world, "gil").post(path).status_code == 404
    world.restrict("ana", "view_user")
    assert signed_in(world, "ana").post(path).status_code == 403
    post()
    assert relay.mails == []


def test_without_a_sender_the_pages_say_so(world: World) -> None:
    admin, path = signed_in(world, "admin"), f"/users/{world.user('ana').pk}/password-mail/"

    assert "This server sends no mail" in Https().get(FORGOTTEN).content.decode()
    assert "This server sends no mail" in admin.post(path, follow=True).content.decode()
    assert not Mail.objects.exists()

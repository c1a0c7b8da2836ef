"""Mail to operators: written with its cause, sent after it, retried, and never many (6.8)."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from openbond.server.control.periodic import run_queued_tasks, send_queued_mails
from openbond.server.system.actors import SERVER
from openbond.server.system.alerts import raise_alert
from openbond.server.system.mail import MAIL_QUEUE, MailText, queue_mail
from openbond.server.system.models import Alert, Mail
from openbond.server.system.rules import next_try
from openbond.server.system.services import SettingsChanges, update_settings
from tests.mail_server import MailServer
from tests.world import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TEXT = MailText(
    subject="Aggregator home has failed", what="It is dead.", done="Moved.", advice="Look at it.",
    path="aggregators/3/",
)  # fmt: skip


@pytest.fixture
def relay() -> Iterator[MailServer]:
    with MailServer() as made:
        yield made


@pytest.fixture
def mailing(world: World, relay: MailServer) -> World:
    settle(relay.port)
    return world


def settle(port: int) -> None:
    update_settings(
        by=SERVER,
        email_from="openbond@example.net",
        email_host="127.0.0.1",
        email_port=port,
        email_recipients=["noc@example.net", "boss@example.net"],
        server_hostname="mgmt.example.net",
    )


def post() -> None:
    """Run the mail tasks that are due, as the worker does, within the test's transaction."""
    ready = DBTaskResult.objects.ready().filter(queue_name=MAIL_QUEUE)
    for row in list(ready):
        row.task.call(*row.args_kwargs["args"])
        DBTaskResult.objects.filter(pk=row.pk).update(status="SUCCESSFUL")


def send(now: datetime, *, about: str = "aggregator 3") -> None:
    with transaction.atomic():
        queue_mail(code="aggregator_failed", about=about, text=TEXT, now=now)


def test_a_mail_says_what_since_when_what_was_done_and_what_to_do(
    mailing: World, relay: MailServer
) -> None:
    send(mailing.now)

    post()

    (mail,) = relay.mails
    assert mail["Subject"] == "[openbond] Aggregator home has failed"
    assert mail["From"] == "openbond@example.net"
    assert mail["To"] == "noc@example.net, boss@example.net"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == [
        "It is dead.",
        "",
        f"Since: {mailing.now:%Y-%m-%d %H:%M:%S} UTC",
        "",
        "What was done: Moved.",
        "",
        "What to do: Look at it.",
        "",
        "https://mgmt.example.net/api/v3/aggregators/3/",
    ]
    assert Mail.objects.get().sent is not None


def test_a_transaction_that_is_rolled_back_sends_nothing(mailing: World, relay: MailServer) -> None:
    with transaction.atomic():
        queue_mail(code="x", about="y", text=TEXT, now=mailing.now)
        transaction.set_rollback(True)

    post()

    assert relay.mails == []
    assert not Mail.objects.exists()


@pytest.mark.parametrize("missing", ["email_from", "email_recipients"])
def test_without_sender_or_recipients_there_is_no_mail(mailing: World, missing: str) -> None:
    empty: SettingsChanges = {"email_from": ""} if missing == "email_from" else {
        "email_recipients": []
    }  # fmt: skip
    update_settings(by=SERVER, **empty)

    send(mailing.now)

    assert not Mail.objects.exists()


def test_a_dead_relay_is_asked_again_after_a_minute_then_two(mailing: World) -> None:
    settle(1)  # nobody listens there
    send(mailing.now)
    asked = timezone.now()

    post()

    mail, again = Mail.objects.get(), due_tasks()
    assert (mail.sent, mail.attempts) == (None, 1)
    assert "look at email_host" in mail.last_error
    assert len(again) == 1
    assert MINUTE / 2 < again[0] - asked < 2 * MINUTE


def test_pauses_double_up_to_an_hour_and_end_after_a_day(mailing: World) -> None:
    now = mailing.now
    pauses = []
    for attempts in range(1, 10):
        at = next_try(attempts=attempts, created=now, now=now)
        assert at is not None
        pauses.append((at - now) / MINUTE)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert next_try(attempts=3, created=now, now=now + 24 * HOUR) is None


def test_a_mail_that_cannot_be_sent_for_a_day_is_given_up(mailing: World) -> None:
    settle(1)
    send(mailing.now - 25 * HOUR)

    post()

    assert Mail.objects.get().given_up is not None
    assert due_tasks() == []


def test_a_relay_that_is_back_gets_the_mail_once(mailing: World, relay: MailServer) -> None:
    settle(1)
    send(mailing.now)
    post()
    settle(relay.port)
    make_due()

    post()
    make_due()
    post()

    assert len(relay.mails) == 1
    assert Mail.objects.get().attempts == 1


def test_a_repetition_bears_the_same_message_id(mailing: World, relay: MailServer) -> None:
    send(mailing.now)
    post()
    Mail.objects.update(sent=None)  # the server was killed before it could note the sending
    DBTaskResult.objects.update(status="READY")

    post()

    first, second = relay.mails
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("550 no", "did not take the mail"),
        ("451 later", "did not take the mail"),
    ],
)
def test_a_relay_that_refuses_is_told_of_in_words(
    mailing: World, relay: MailServer, refusal: str, words: str
) -> None:
    relay.refuses = refusal
    send(mailing.now)

    post()

    assert words in Mail.objects.get().last_error


def test_a_refused_login_names_the_settings_and_not_the_password(
    mailing: World, relay: MailServer
) -> None:
    update_settings(by=SERVER, email_username="openbond", email_password="hush-hush")
    send(mailing.now)

    post()

    error = Mail.objects.get().last_error
    assert "email_username and email_password" in error
    assert "hush" not in error


def test_a_relay_without_tls_is_not_trusted_where_tls_is_wanted(
    mailing: World, relay: MailServer
) -> None:
    update_settings(by=SERVER, email_security="starttls")
    send(mailing.now)

    post()

    assert relay.mails == []
    assert "email_security" in Mail.objects.get().last_error


def test_one_mail_of_a_kind_an_hour_and_the_next_tells_the_count(
    mailing: World, relay: MailServer
) -> None:
    send(mailing.now)
    post()
    for minutes in (10, 20, 30):
        send(mailing.now + minutes * MINUTE)
    send(mailing.now, about="aggregator 4")
    post()
    within_the_hour = len(relay.mails)

    (due,) = due_tasks()
    make_due()
    post()

    assert within_the_hour == 2
    assert due == mailing.now + HOUR
    assert "This happened 3 times" in relay.mails[-1].get_content()


def test_every_alert_is_mailed(mailing: World, relay: MailServer) -> None:
    raise_alert(code="backup_missing", about="backups", text="There is none.", now=mailing.now)

    post()

    assert relay.mails[0]["Subject"] == "[openbond] backups: backup missing"
    assert "There is none." in relay.mails[0].get_content()
    assert Alert.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_post_has_a_queue_of_its_own(relay: MailServer) -> None:
    now = timezone.now()
    settle(relay.port)
    send(now)

    run_queued_tasks()
    before = len(relay.mails)
    send_queued_mails()

    assert (before, len(relay.mails)) == (0, 1)


def due_tasks() -> list[datetime]:
    waiting = DBTaskResult.objects.filter(queue_name=MAIL_QUEUE, status="READY")
    return list(waiting.order_by("run_after").values_list("run_after", flat=True))


def make_due() -> None:
    DBTaskResult.objects.filter(status="READY").update(
        run_after=Mail.objects.earliest("id").created
    )

"""Writes a mail in the transaction of its cause; equal causes within an hour are one mail."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from openbond.server.system.models import Mail
from openbond.server.system.selectors import current_settings

from .links import link_to
from .sending import send_mail

ONE_MAIL_WITHIN = timedelta(hours=1)
ONE_LINK_WITHIN = timedelta(minutes=2)
SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class MailText:
    """What a mail says, in sentences. `path`: of the object in API v3; `since`: if not now."""

    subject: str
    what: str
    done: str = ""
    advice: str = ""
    path: str = ""
    since: datetime | None = None


def queue_mail(*, code: str, about: str, text: MailText, now: datetime) -> None:
    """Queue a mail to `email_recipients`, in the caller's transaction.

    Nothing is queued while no sender or no recipient is set. After a mail, the next equal one comes
    an hour later, and says how often it happened meanwhile.
    """
    wanted = current_settings()
    if not wanted.email_from or not wanted.email_recipients:
        return
    body = _body(text, since=text.since or now, hostname=wanted.server_hostname)
    newest = Mail.objects.filter(code=code, about=about).order_by("-id").first()
    if newest is not None and newest.sent is None and newest.given_up is None:
        Mail.objects.filter(pk=newest.pk).update(
            count=F("count") + 1, last=now, text=body, subject=text.subject[:SUBJECT_LENGTH]
        )
        return
    due = max(now, newest.created + ONE_MAIL_WITHIN) if newest is not None else now
    mail = Mail.objects.create(
        code=code,
        about=about,
        recipients=wanted.email_recipients,
        subject=text.subject[:SUBJECT_LENGTH],
        text=body,
        created=now,
        last=now,
        due=due,
    )
    send_mail.using(run_after=due).enqueue(mail.pk)


def queue_link(
    *, address: str, code: str, about: str, subject: str, text: str, now: datetime
) -> bool:
    """Queue a mail to one person, whose text is forgotten once it is sent (SECRET_CODES).

    Returns False where none is sent: no sender is set, or an equal one is two minutes old at most.
    """
    newest = Mail.objects.filter(code=code, about=about).order_by("-id").first()
    is_soon = newest is not None and now - newest.created < ONE_LINK_WITHIN
    if is_soon or not current_settings().email_from:
        return False
    mail = Mail.objects.create(
        code=code,
        about=about,
        recipients=[address],
        subject=subject[:SUBJECT_LENGTH],
        text=text,
        created=now,
        last=now,
        due=now,
    )
    send_mail.enqueue(mail.pk)
    return True


def _body(text: MailText, *, since: datetime, hostname: str) -> str:
    paragraphs = [
        text.what,
        f"Since: {since:%Y-%m-%d %H:%M:%S} UTC",
        text.done and f"What was done: {text.done}",
        text.advice and f"What to do: {text.advice}",
        text.path and link_to(text.path, hostname=hostname),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"

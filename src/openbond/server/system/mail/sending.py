"""Sends queued mail to the operator's relay, and tries again when that fails (behaviour 6.8)."""

import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import structlog
from django.utils import timezone
from django_tasks import task

from openbond.server.system.models import EmailSecurity, Mail, Settings
from openbond.server.system.rules import next_try
from openbond.server.system.selectors import current_settings

# Mail has a queue and a thread of its own: a relay that hangs holds up no other work.
MAIL_QUEUE = "mail"
PATIENCE_S = 20.0
# Mails with a link that opens something: their text is kept no longer than it must be.
SECRET_CODES = frozenset({"password"})

log = structlog.get_logger(__name__)


class MailFailed(Exception):
    """The relay did not take a mail; the message says why, and which setting to look at."""


@task(queue_name=MAIL_QUEUE)
def send_mail(mail_id: int) -> None:
    """Send one mail, or put it off. At least once: a repetition has the same Message-ID."""
    mail = Mail.objects.filter(pk=mail_id, sent=None, given_up=None).first()
    if mail is None:
        return
    now = timezone.now()
    try:
        deliver(message_of(mail, current_settings()), current_settings())
    except MailFailed as failure:
        put_off(mail, why=str(failure), now=now)
    else:
        done = {"sent": timezone.now(), "last_error": "", "text": text_kept(mail)}
        Mail.objects.filter(pk=mail.pk).update(**done)
        if mail.attempts:
            log.info("mail goes out again", mail=mail.pk, attempts=mail.attempts + 1)


def put_off(mail: Mail, *, why: str, now: datetime) -> None:
    """Note a failed attempt; try again later, or give the mail up after a day."""
    attempts = mail.attempts + 1
    again = next_try(attempts=attempts, created=max(mail.created, mail.due), now=now)
    columns = {"attempts": attempts, "last_error": why}
    if again is None:
        Mail.objects.filter(pk=mail.pk).update(**columns, given_up=now, text=text_kept(mail))
        log.error("a mail is given up", mail=mail.pk, subject=mail.subject, why=why)
        return
    Mail.objects.filter(pk=mail.pk).update(**columns)
    send_mail.using(run_after=again).enqueue(mail.pk)
    if attempts == 1:
        log.warning("a mail cannot be sent yet", mail=mail.pk, subject=mail.subject, why=why)


def text_kept(mail: Mail) -> str:
    """Return what is kept of the text of a mail that is not sent again."""
    return "" if mail.code in SECRET_CODES else mail.text


def message_of(mail: Mail, settings: Settings) -> EmailMessage:
    """Return a mail as it travels (RFC 5322)."""
    message = EmailMessage()
    message["From"] = settings.email_from
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = " ".join(f"[openbond] {mail.subject}".split())
    message["Date"] = format_datetime(mail.created)
    # The domain only keeps ids of several servers apart.
    host = settings.email_from.rpartition("@")[2]
    message["Message-ID"] = f"<openbond-{mail.pk}-{mail.created:%Y%m%d%H%M%S}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    repeated = (
        f"This happened {mail.count} times between {mail.created:%H:%M} and {mail.last:%H:%M} UTC. "
        "The last time:\n\n"
        if mail.count > 1
        else ""
    )
    message.set_content(repeated + mail.text)
    return message


def deliver(message: EmailMessage, settings: Settings) -> None:
    """Hand a message to the relay of the settings. Raises MailFailed."""
    where = f"{settings.email_host} port {settings.email_port}"
    try:
        with _connection(settings) as relay:
            if settings.email_username:
                relay.login(settings.email_username, settings.email_password)
            relay.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise MailFailed(
            f"The mail relay {where} refused the login ({_words(error.smtp_error)}): look at "
            "email_username and email_password."
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        refused = ", ".join(error.recipients)
        raise MailFailed(
            f"The mail relay {where} takes nothing for {refused}: look at email_recipients."
        ) from error
    except smtplib.SMTPSenderRefused as error:
        raise MailFailed(
            f"The mail relay {where} does not take the sender ({_words(error.smtp_error)}): look "
            "at email_from."
        ) from error
    except smtplib.SMTPException as error:
        raise MailFailed(
            f"The mail relay {where} did not take the mail ({error}): look at email_security and "
            "at the relay's own log."
        ) from error
    except (OSError, UnicodeError) as error:
        raise MailFailed(
            f"The mail relay {where} cannot be reached ({error}): look at email_host, email_port "
            "and email_security."
        ) from error


def _connection(settings: Settings) -> smtplib.SMTP:
    host, port, own = settings.email_host, settings.email_port, settings.server_hostname
    if settings.email_security == EmailSecurity.TLS:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, port, own, timeout=PATIENCE_S, context=context)
    relay = smtplib.SMTP(host, port, own, timeout=PATIENCE_S)
    if settings.email_security == EmailSecurity.STARTTLS:
        try:
            relay.starttls(context=ssl.create_default_context())
        except BaseException:
            relay.close()
            raise
    return relay


def forget_mails(*, before: datetime) -> None:
    """Delete mails that have been kept long enough."""
    Mail.objects.filter(created__lt=before).delete()


def _words(said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(text.split())

"""Mail to operators: a row with its cause, a task that sends it, never anybody who waits for it."""

from .links import page_link
from .sending import MAIL_QUEUE, MailFailed, deliver, forget_mails
from .writing import MailText, queue_link, queue_mail

__all__ = [
    "MAIL_QUEUE",
    "MailFailed",
    "MailText",
    "deliver",
    "forget_mails",
    "page_link",
    "queue_link",
    "queue_mail",
]

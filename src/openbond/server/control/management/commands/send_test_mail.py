"""Sends a mail at once, and says what the relay said."""

from argparse import ArgumentParser
from email.message import EmailMessage
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from openbond.server.system.mail import MailFailed, deliver
from openbond.server.system.selectors import current_settings


class Command(BaseCommand):
    help = "Send a test mail. Use `openbond server test-mail`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--address", required=True)

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        wanted = current_settings()
        if not wanted.email_from:
            raise CommandError("No sender is set: give email_from in /api/v3/settings/ first.")
        message = EmailMessage()
        try:
            message["From"], message["To"] = wanted.email_from, address
        except ValueError as error:
            raise CommandError(f"{address!r} is no e-mail address.") from error
        message["Subject"] = "[openbond] Test mail"
        message.set_content("This openbond server can send mail.\n")
        try:
            deliver(message, wanted)
        except MailFailed as failure:
            raise CommandError(str(failure)) from failure
        self.stdout.write(f"The relay {wanted.email_host} took a mail for {address}.")

"""Gives an account a new password, and lets it in again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from openbond.server.control.by_hand import user_of
from openbond.server.errors import InvalidFields
from openbond.server.spaces.services import update_user
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "Set a password. Use `openbond server set-password`."
    stealth_options = ("email", "password")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_of(options["email"])
        try:
            update_user(by=COMMAND_LINE, user=user, password=options["password"], active=True)
        except InvalidFields as refused:
            raise CommandError(f"The password was not changed: {refused}") from refused
        self.stdout.write(f"{user.email} has a new password; its sessions have ended.")

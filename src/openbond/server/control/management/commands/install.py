"""Fills an empty database with what every installation has."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from openbond.server.control.installation import FirstAdministrator, install
from openbond.server.errors import InvalidFields


class Command(BaseCommand):
    help = "Make root space, groups, routing group and the first administrator, unless they exist."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", default="")  # none: the site's first page asks for it
        parser.add_argument(
            "--password"
        )  # not "required": Django would put it on a command line of its own, where a
        # password that begins with a hyphen is taken for an option

    def handle(self, *args: Any, **options: Any) -> str | None:
        email, password = options["email"], options["password"]
        administrator = FirstAdministrator(email=email, password=password) if email else None
        try:
            return "installed" if install(administrator=administrator) else None
        except InvalidFields as refused:
            raise CommandError(f"The administrator cannot be made: {refused}") from refused

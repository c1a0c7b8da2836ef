"""Makes one more administrator of the root space."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from openbond.server.errors import InvalidFields
from openbond.server.spaces.models import Group, Space
from openbond.server.spaces.services import create_user
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "Make an administrator. Use `openbond server create-admin`."
    stealth_options = ("email", "password")

    def handle(self, *args: Any, **options: Any) -> None:
        root = Space.objects.get(parent__isnull=True)
        administrators = Group.objects.get(is_builtin=True)
        try:
            create_user(
                by=COMMAND_LINE,
                email=options["email"],
                password=options["password"],
                role="administrator",
                space=root,
                groups=[administrators],
            )
        except InvalidFields as refused:
            raise CommandError(f"The administrator was not made: {refused}") from refused
        self.stdout.write(f"{options['email']} is an administrator now.")

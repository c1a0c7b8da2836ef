"""Takes the second factors of an account away, for somebody who lost them all."""

from typing import Any

from django.core.management.base import BaseCommand

from openbond.server.control.by_hand import user_of
from openbond.server.spaces.services import delete_second_factors
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "Take second factors away. Use `openbond server delete-second-factors`."
    stealth_options = ("email",)

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_of(options["email"])
        count = delete_second_factors(by=COMMAND_LINE, user=user)
        said = "had no second factor." if not count else "has no second factor any more."
        self.stdout.write(f"{user.email} {said}")

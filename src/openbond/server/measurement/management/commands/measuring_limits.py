"""Shows and sets what measurements in a space may cost."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from openbond.server.errors import InvalidFields
from openbond.server.measurement.selectors.limits import NAMES, limits_of
from openbond.server.measurement.services import set_measuring_limits
from openbond.server.spaces.models import Space
from openbond.server.system.actors import COMMAND_LINE

INHERITED = "inherit"


class Command(BaseCommand):
    help = "Limits of speed tests and tuners. Use `openbond server measuring-limits`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--space", required=True)
        parser.add_argument("--limits", nargs="*", default=[])

    def handle(self, *args: Any, **options: Any) -> None:
        space = Space.objects.filter(key__iexact=options["space"]).first()
        if space is None:
            raise CommandError(f"There is no space with the key {options['space']!r}.")
        wanted = dict(_limit(words) for words in options["limits"])
        if wanted:
            try:
                set_measuring_limits(by=COMMAND_LINE, space=space, limits=wanted)
            except InvalidFields as refusal:
                raise CommandError(str(refusal)) from None
        found = limits_of(space.pk)
        for name in NAMES:
            self.stdout.write(f"{name} {getattr(found, name)}")


def _limit(words: str) -> tuple[str, int | None]:
    name, _, value = words.partition("=")
    if value == INHERITED:
        return name, None
    if not value.isdecimal():
        raise CommandError(
            f"{words!r} is no limit: write NAME=NUMBER, or NAME={INHERITED} to take the limit of "
            f"the space above again. Names: {', '.join(NAMES)}."
        )
    return name, int(value)

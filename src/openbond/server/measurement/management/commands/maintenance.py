"""Begins, ends and lists maintenance windows."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from openbond.server.bonds.models import Bond
from openbond.server.measurement.services import begin_maintenance, end_maintenance
from openbond.server.spaces.models import Space
from openbond.server.system.actors import COMMAND_LINE
from openbond.server.system.models import MaintenanceWindow


class Command(BaseCommand):
    help = "Maintenance windows. Use `openbond server maintenance`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--verb", choices=["begin", "end", "list"], required=True)
        parser.add_argument("--bond", type=int, default=0)
        parser.add_argument("--space", default="")
        parser.add_argument("--hours", type=float, default=2.0)

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["verb"] == "list":
            for window in MaintenanceWindow.objects.filter(ends__gt=now):
                self.stdout.write(str(window))
            return
        subject = _subject(options["bond"], options["space"])
        if options["verb"] == "begin":
            ends = now + timedelta(hours=options["hours"])
            window = begin_maintenance(by=COMMAND_LINE, subject=subject, now=now, ends=ends)
            self.stdout.write(f"Begun: {window}.")
        elif end_maintenance(by=COMMAND_LINE, subject=subject, now=now):
            self.stdout.write(f"Ended: maintenance of {subject}.")
        else:
            raise CommandError(f"There is no maintenance of {subject} now.")


def _subject(bond_id: int, space_key: str) -> Bond | Space:
    if bool(bond_id) == bool(space_key):
        raise CommandError("Give either --bond ID or --space KEY.")
    if bond_id:
        bond = Bond.objects.select_related("bonder").filter(pk=bond_id).first()
        if bond is None:
            raise CommandError(f"There is no bond {bond_id}.")
        return bond
    space = Space.objects.filter(key__iexact=space_key).first()
    if space is None:
        raise CommandError(f"There is no space with the key {space_key!r}.")
    return space

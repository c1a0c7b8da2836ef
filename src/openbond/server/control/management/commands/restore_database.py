"""Fills an empty PostgreSQL from a backup whose files are in place."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from openbond.server.control.counted import recount_restored
from openbond.server.system.backups import RestoreRefused, restore_database


class Command(BaseCommand):
    help = "Second half of `openbond server restore`, where the database is no file."
    requires_system_checks = []
    stealth_options = ("backup", "manifest")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            restore_database(backup=options["backup"], manifest=options["manifest"])
            recount_restored()
        except RestoreRefused as refused:
            raise CommandError(str(refused)) from refused

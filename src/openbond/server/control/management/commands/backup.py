"""Makes a backup now, and says where it is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from openbond.server.system.backups import BackupDamaged, make_backup
from openbond.server.system.selectors import current_settings


class Command(BaseCommand):
    help = "Make a backup now. Use `openbond server backup`."

    def handle(self, *args: Any, **options: Any) -> None:
        keep = timedelta(days=current_settings().backup_retention)
        try:
            made = make_backup(state=Path(settings.STATE_DIR), now=timezone.now(), keep=keep)
        except (OSError, BackupDamaged) as error:
            raise CommandError(f"No backup was made: {error}") from error
        self.stdout.write(str(made.path))

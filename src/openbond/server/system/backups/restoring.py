"""From a backup to a blank server: files first, whole or not at all, then the database."""

import shutil
import tempfile
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from openbond.server.system.files import flush_directory

from .archive import Manifest, check_archive, extract
from .databases import SQLITE_PART, load_postgresql


class RestoreRefused(Exception):
    """A backup cannot be restored here; the message says why and what to do."""


def restore_files(*, backup: Path, state: Path, database: str) -> Manifest:
    """Make the state directory from a backup; with SQLite the database is part of it.

    `database` is the vendor that the server is set up with. Killed in the midst, it leaves the
    blank directory as it was. Raises BackupDamaged, RestoreRefused.
    """
    manifest = check_archive(backup)
    if manifest.database != database:
        raise RestoreRefused(
            f"The backup is of a server on {manifest.database}, this one is set up for "
            f"{database}. Set or unset OPENBOND_DATABASE_URL to match."
        )
    if state.exists() and any(state.iterdir()):
        raise RestoreRefused(
            f"{state} is not empty. Move it away, or name another directory with --state."
        )
    state.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that one rename makes it appear.
    making = Path(tempfile.mkdtemp(dir=state.parent, prefix=f".{state.name}-restoring-"))
    try:
        _extract_files(backup, manifest, making)
        making.rename(state)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    flush_directory(state.parent)
    return manifest


def restore_database(*, backup: Path, manifest: Manifest) -> None:
    """Fill an empty PostgreSQL from a backup. Raises RestoreRefused when it is not empty."""
    if connection.introspection.table_names():
        raise RestoreRefused(
            "The database is not empty. Give an empty one with OPENBOND_DATABASE_URL."
        )
    _refuse_unknown_migrations(manifest)
    for app, name in manifest.migrations.items():
        call_command("migrate", app, name, verbosity=0, interactive=False)
    with tempfile.TemporaryDirectory(prefix="openbond-restore-") as place:
        for part in manifest.parts:
            if part.name.startswith("database/"):
                extract(backup, part.name, Path(place) / part.name)
        load_postgresql(Path(place))


def _extract_files(backup: Path, manifest: Manifest, making: Path) -> None:
    for part in manifest.parts:
        inside = making / part.name
        if not inside.resolve().is_relative_to(making.resolve()):
            raise RestoreRefused(
                f"The backup names {part.name}, which lies outside. Do not use it."
            )
        if part.name == SQLITE_PART:
            extract(backup, part.name, making / "db.sqlite3")
        elif not part.name.startswith("database/"):
            extract(backup, part.name, inside)
    (making / "backups").mkdir(mode=0o700)


def _refuse_unknown_migrations(manifest: Manifest) -> None:
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations or {}
    unknown = [key for key in manifest.migrations.items() if key not in known]
    if unknown:
        app, name = unknown[0]
        raise RestoreRefused(
            f"The backup is of a newer openbond ({manifest.software}; it knows {app} {name}). "
            "Install that version."
        )

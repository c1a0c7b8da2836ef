"""Makes backups, opens and checks each, and deletes old ones only after a new one is good."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from django.db import connection

from openbond.server.system.files import PRIVATE_FILE, flush_directory

from .archive import FORMAT, Manifest, check_archive, write_archive
from .databases import dump, last_migrations

PREFIX = "backup-"
STAMP = "%Y-%m-%d-%H%M%S"
# What of the state directory goes along, beside the database.
KEPT_DIRECTORIES = ("ca", "secrets", "tls")


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup. `size` in bytes."""

    path: Path
    created: datetime
    size: int

    @property
    def name(self) -> str:
        return self.path.name


def kept_backups(state: Path) -> list[Backup]:
    """Return the finished backups of a state directory, newest first."""
    found = [_backup(path) for path in (state / "backups").glob(f"{PREFIX}*.zip")]
    return sorted(
        (one for one in found if one is not None), key=lambda one: one.created, reverse=True
    )


def make_backup(*, state: Path, now: datetime, keep: timedelta) -> Backup:
    """Write a backup, read it back, then delete those older than `keep`.

    Raises OSError or BackupDamaged, and then leaves the older ones as they were.
    """
    directory = state / "backups"
    directory.mkdir(mode=0o700, exist_ok=True)
    _clear_leftovers(directory)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".making-") as making:
        draft = Path(making) / "draft.zip"
        write_archive(draft, _parts(state, Path(making)), _manifest(now))
        _settle(draft)
        check_archive(draft)
        path = directory / f"{PREFIX}{now.astimezone(UTC).strftime(STAMP)}.zip"
        draft.rename(path)
    flush_directory(directory)
    made = Backup(path=path, created=now.replace(microsecond=0), size=path.stat().st_size)
    for old in kept_backups(state):
        if old.created < now - keep and old.path != path:
            old.path.unlink()
    return made


def has_room_for_two(state: Path, *, size: int) -> bool:
    """Report whether two more backups of this size fit on the disk."""
    return shutil.disk_usage(state / "backups").free >= 2 * size


def _parts(state: Path, making: Path) -> dict[str, Path]:
    parts = dump(making)
    for directory in KEPT_DIRECTORIES:
        for file in sorted((state / directory).glob("[!.]*")):
            parts[f"{directory}/{file.name}"] = file
    return parts


def _manifest(now: datetime) -> Manifest:
    return Manifest(
        format=FORMAT,
        created=now.astimezone(UTC).isoformat(timespec="seconds"),
        software=version("openbond"),
        database=connection.vendor,
        migrations=last_migrations(),
        parts=[],
    )


def _settle(draft: Path) -> None:
    # As secret as the server itself, and on the disk before its name says that it is whole.
    draft.chmod(PRIVATE_FILE)
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())


def _backup(path: Path) -> Backup | None:
    try:
        stamp = datetime.strptime(path.stem.removeprefix(PREFIX), STAMP).replace(tzinfo=UTC)
        return Backup(path=path, created=stamp, size=path.stat().st_size)
    except (ValueError, FileNotFoundError):
        return None


def _clear_leftovers(directory: Path) -> None:
    # Of a server that was killed while it made one.
    for left in directory.glob(".making-*"):
        shutil.rmtree(left, ignore_errors=True)

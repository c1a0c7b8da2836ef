"""The database `telemetry`: its schema in PostgreSQL, and a file that cannot be used any more."""

import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from django.core.management import call_command
from django.db import connections

from . import ALIAS

SCHEMA = "telemetry"
PARTS = ("", "-wal", "-shm")
# A check reads the whole file: about a second.
CHECKED_BYTES = 256 * 1024 * 1024

log = structlog.get_logger(__name__)


def make_schema(using: str, **context: object) -> None:
    """Make the schema in PostgreSQL, unless it is there; called before each migration."""
    connection = connections[using]
    if using == ALIAS and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")


def make_tables() -> None:
    """Make the tables, or upgrade them, by the migrations of this room alone.

    Those of other rooms do nothing here, but working out that they do not takes seconds.
    """
    call_command("migrate", "telemetry", database=ALIAS, verbosity=0, interactive=False)


def set_aside(*, why: str) -> Path | None:
    """Rename the SQLite file, so that the server goes on with a fresh one; return its new name.

    None where there is no file. Losing it loses charts only (behaviour 4.7).
    """
    connection = connections[ALIAS]
    if connection.vendor != "sqlite":
        return None
    connection.close()
    file = Path(connection.settings_dict["NAME"])
    aside = file.with_name(f"{file.name}.unusable")
    for part in PARTS:
        old = file.with_name(file.name + part)
        if old.exists():
            old.replace(aside.with_name(aside.name + part))
    log.error("the charts' database was set aside and begins anew", why=why, file=str(aside))
    return aside


def is_whole_file() -> bool:
    """Report whether the SQLite file, if there is one, is a database without a fault.

    All pages of a file are looked at unless it is large; of a large one only its beginning.
    """
    connection = connections[ALIAS]
    file = Path(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or not file.exists():
        return True
    try:
        with closing(sqlite3.connect(file)) as opened:
            opened.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if file.stat().st_size > CHECKED_BYTES:
                return True
            (verdict,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as trouble:
        return is_locked(trouble)
    return bool(verdict == "ok")


def is_locked(trouble: Exception) -> bool:
    """Say whether a database is only in use by somebody else."""
    return "locked" in str(trouble)

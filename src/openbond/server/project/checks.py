"""System checks: the server does not run on a database that would lose or refuse writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections

from .databases import BUSY_SECONDS, SQLITE_ENGINE

SQLITE = (SQLITE_ENGINE, "django.db.backends.sqlite3")

# What SQLite must answer to each question: WAL, synchronous NORMAL (1), foreign keys on, patience.
PRAGMAS: dict[str, Any] = {
    "journal_mode": "wal",
    "synchronous": 1,
    "foreign_keys": 1,
    "busy_timeout": BUSY_SECONDS * 1000,
}


def check_database_options(
    app_configs: Sequence[AppConfig] | None = None, **options: Any
) -> list[CheckMessage]:
    """Refuse SQLite whose transactions do not take the write lock at their start."""
    return errors_of_options(settings.DATABASES)


def errors_of_options(databases: Mapping[str, Mapping[str, Any]]) -> list[CheckMessage]:
    """Return an error for each SQLite database with another transaction mode."""
    return [
        Error(
            f"Database {alias!r} is SQLite without IMMEDIATE transactions.",
            hint="Use openbond.server.project.databases.sqlite_settings(): concurrent writers "
            'would see "database is locked".',
            id="openbond.E001",
        )
        for alias, database in databases.items()
        if database["ENGINE"] in SQLITE
        and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE"
    ]


def check_database_file(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **options: Any,
) -> list[CheckMessage]:
    """Refuse SQLite that does not answer as PRAGMAS says; asks the open database itself."""
    return [
        error
        for alias in databases or []
        if connections[alias].vendor == "sqlite"
        for error in _wrong_pragmas(alias)
    ]


def check_secrets(
    app_configs: Sequence[AppConfig] | None = None, **options: Any
) -> list[CheckMessage]:
    """Refuse to serve with secrets that die with the process."""
    if settings.SECRETS_ARE_KEPT:
        return []
    return [
        Error(
            f"{settings.STATE_DIR} holds no secrets of this server.",
            hint="Start it with `openbond server --state DIR`, which makes them once.",
            id="openbond.E003",
        )
    ]


def _wrong_pragmas(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        found = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
    return [
        Error(
            f"Database {alias!r}: SQLite has {name} = {found[name]}, not {wanted}.",
            hint="Use openbond.server.project.databases.sqlite_settings(); WAL also needs a "
            "file on a local disk.",
            id="openbond.E002",
        )
        for name, wanted in PRAGMAS.items()
        if found[name] != wanted
    ]

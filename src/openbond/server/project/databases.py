"""Which database the server uses, and how SQLite must be tuned to be one (architecture)."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BUSY_SECONDS = 20

# Django's own, and a line for the writers of this process.
SQLITE_ENGINE = "openbond.server.system.sqlite"

# WAL lets readers go on while one writes; IMMEDIATE takes the write lock at the start, so that no
# transaction finds out at its end that it was too late; NORMAL is safe with WAL.
SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": BUSY_SECONDS,
    "init_command": (
        "PRAGMA journal_mode=WAL;"
        "PRAGMA synchronous=NORMAL;"
        "PRAGMA foreign_keys=ON;"
        "PRAGMA temp_store=MEMORY;"
    ),
}


# In PostgreSQL what nodes measure has a schema of its own, in the same database or another.
TELEMETRY_SCHEMA = "telemetry"


class BadDatabaseUrl(ValueError):
    """A database's URL cannot be understood; the message says what is expected."""


def database_settings(*, url: str, state: Path) -> dict[str, Any]:
    """Return Django's settings of the database: one file in the state directory, or `url`.

    Raises BadDatabaseUrl.
    """
    if not url:
        return sqlite_settings(state / "db.sqlite3")
    return postgresql_settings(url)


def telemetry_settings(*, url: str, own_url: str, state: Path) -> dict[str, Any]:
    """Return Django's settings of the database of what nodes measure.

    A file in the state directory; or, where the server's own database is a PostgreSQL, a schema in
    it; or a schema in the PostgreSQL of `own_url`. Raises BadDatabaseUrl.
    """
    if not (own_url or url):
        return sqlite_settings(state / "telemetry.sqlite3")
    variable = "OPENBOND_TELEMETRY_URL" if own_url else "OPENBOND_DATABASE_URL"
    database = postgresql_settings(own_url or url, variable=variable)
    options = f"{database['OPTIONS']['options']} -c search_path={TELEMETRY_SCHEMA}"
    return database | {"OPTIONS": database["OPTIONS"] | {"options": options}}


def sqlite_settings(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": SQLITE_ENGINE,
        "NAME": str(path),
        # A file does not go away, and opening it costs more than a small request.
        "CONN_MAX_AGE": None,
        "OPTIONS": dict(SQLITE_OPTIONS),
    }


def postgresql_settings(url: str, *, variable: str = "OPENBOND_DATABASE_URL") -> dict[str, Any]:
    """Read postgresql://user:password@host:port/name?option=value. Raises BadDatabaseUrl.

    `variable`: where the URL stands, for whoever must mend it.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("postgresql", "postgres") or not name:
        raise BadDatabaseUrl(
            f"{variable} must read postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            f"not {_without_password(url)!r}."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # A lock that is not had within the patience of a request is answered 503.
        "OPTIONS": {"options": f"-c lock_timeout={BUSY_SECONDS}s", **options},
    }


def _without_password(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"…@{after}" if at else (after or before)

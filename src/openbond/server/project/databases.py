"""Which database the server uses, and how SQLite must be tuned to be one (architecture)."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

BUSY_SECONDS = 20

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


class BadDatabaseUrl(ValueError):
    """OPENBOND_DATABASE_URL cannot be understood; the message says what is expected."""


def database_settings(*, url: str, state: Path) -> dict[str, Any]:
    """Return Django's settings of the database: one file in the state directory, or `url`.

    Raises BadDatabaseUrl.
    """
    if not url:
        return sqlite_settings(state / "db.sqlite3")
    return postgresql_settings(url)


def sqlite_settings(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        # A file does not go away, and opening it costs more than a small request.
        "CONN_MAX_AGE": None,
        "OPTIONS": dict(SQLITE_OPTIONS),
    }


def postgresql_settings(url: str) -> dict[str, Any]:
    """Read postgresql://user:password@host:port/name?option=value. Raises BadDatabaseUrl."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme not in ("postgresql", "postgres") or not name:
        raise BadDatabaseUrl(
            "OPENBOND_DATABASE_URL must read postgresql://USER:PASSWORD@HOST:PORT/NAME, "
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

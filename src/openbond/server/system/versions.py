"""Versions of what the server runs on."""

import platform
import sqlite3

from django.db import connection


def installed_versions() -> dict[str, str]:
    """Return the versions of Python, the database, the operating system and its kernel."""
    return {
        "python": platform.python_version(),
        "database": _database(),
        "operating_system": _operating_system(),
        "kernel": platform.release(),
    }


def _database() -> str:
    if connection.vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        number = str(cursor.fetchone()[0])
    return f"PostgreSQL {number.partition(' ')[0]}"


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()

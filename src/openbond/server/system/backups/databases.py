"""The database in a backup: out at one consistent moment while writing goes on, and in again."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from psycopg.sql import SQL, Composed, Identifier

from .archive import CHUNK_BYTES

SQLITE_PART = "database/db.sqlite3"
SEQUENCES_PART = "database/sequences.json"
COLUMNS_PART = "database/columns.json"

Row: TypeAlias = tuple[Any, ...]


def dump(directory: Path) -> dict[str, Path]:
    """Write the database to files of a directory; return name in the backup → file."""
    if connection.vendor == "sqlite":
        return _dump_sqlite(directory)
    return _dump_postgresql(directory)


def last_migrations() -> dict[str, str]:
    """Return the last migration of each app that the database has."""
    applied = MigrationRecorder(connection).applied_migrations()
    return dict(sorted(applied))


def load_postgresql(directory: Path) -> None:
    """Fill the tables of a freshly migrated, empty PostgreSQL from the files of a dump."""
    columns = json.loads((directory / COLUMNS_PART).read_text())
    sequences = json.loads((directory / SEQUENCES_PART).read_text())
    with _connection() as own, own.cursor() as cursor:
        # What migrations themselves put in is in the dump too.
        tables = SQL(", ").join(map(Identifier, columns))
        cursor.execute(SQL("TRUNCATE {} CASCADE").format(tables))
        # Foreign keys are checked at the end of the transaction, so the order does not matter.
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        # First the sequences: triggers make rows while tables are loaded, and theirs must not have
        # the ids of rows that are still to come.
        for sequence, value in sequences.items():
            cursor.execute("SELECT setval(quote_ident(%s)::regclass, %s)", [sequence, value])
        for table, names in columns.items():
            _copy_in(cursor, table, names, directory / f"database/{table}.copy")


def _dump_sqlite(directory: Path) -> dict[str, Path]:
    target = directory / "db.sqlite3"
    # A connection of its own: the copy is of one moment, and no transaction of ours is in it.
    source = sqlite3.connect(f"file:{connection.settings_dict['NAME']}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        answer = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if answer != "ok":
        raise OSError(f"the copy of the database is damaged: {answer}")
    return {SQLITE_PART: target}


def _dump_postgresql(directory: Path) -> dict[str, Path]:
    columns: dict[str, list[str]] = {}
    parts: dict[str, Path] = {}
    with _connection() as own, own.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for table in _tables(cursor):
            columns[table] = _columns(cursor, table)
            parts[f"database/{table}.copy"] = directory / f"{table}.copy"
            _copy_out(cursor, table, columns[table], directory / f"{table}.copy")
        sequences = _sequences(cursor)
    for name, content in ((COLUMNS_PART, columns), (SEQUENCES_PART, sequences)):
        parts[name] = directory / Path(name).name
        parts[name].write_text(json.dumps(content, indent=1))
    return parts


def _connection() -> psycopg.Connection[Row]:
    # Beside Django's: the transaction is ours alone, and COPY needs psycopg's own cursor. It ends
    # with the `with` that uses it.
    wanted = connection.get_connection_params()
    plain = {name: wanted[name] for name in wanted if name not in ("cursor_factory", "context")}
    return psycopg.connect(**plain)


def _tables(cursor: psycopg.Cursor[Row]) -> list[str]:
    cursor.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
    )
    return [name for (name,) in cursor.fetchall()]


def _columns(cursor: psycopg.Cursor[Row], table: str) -> list[str]:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = %s AND is_generated = 'NEVER' "
        "ORDER BY ordinal_position",
        [table],
    )
    return [name for (name,) in cursor.fetchall()]


def _sequences(cursor: psycopg.Cursor[Row]) -> dict[str, int]:
    cursor.execute(
        "SELECT sequencename, last_value FROM pg_sequences "
        "WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY 1"
    )
    return dict(cursor.fetchall())


def _copy_out(cursor: psycopg.Cursor[Row], table: str, columns: list[str], file: Path) -> None:
    command = SQL("COPY {} ({}) TO STDOUT").format(Identifier(table), _names(columns))
    with file.open("wb") as sink, cursor.copy(command) as rows:
        for chunk in rows:
            sink.write(chunk)


def _copy_in(cursor: psycopg.Cursor[Row], table: str, columns: list[str], file: Path) -> None:
    command = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), _names(columns))
    with file.open("rb") as source, cursor.copy(command) as rows:
        while chunk := source.read(CHUNK_BYTES):
            rows.write(chunk)


def _names(columns: list[str]) -> Composed:
    return SQL(", ").join(map(Identifier, columns))

"""The first start of a server on a PostgreSQL of the operator's own."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection

from tests.databases import CHOICE

from .live import LiveServer

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(CHOICE == "sqlite", reason="on PostgreSQL"),
]
NAME = "openbond_first_start"


def server_of_tests() -> psycopg.Connection[tuple[str, ...]]:
    told = connection.settings_dict
    return psycopg.connect(
        host=told["HOST"], port=told["PORT"] or None, user=told["USER"],
        password=told["PASSWORD"] or None, dbname="postgres", autocommit=True,
    )  # fmt: skip


@pytest.fixture
def empty_database(django_db_setup: None) -> Iterator[str]:
    """An empty database; yields its URL."""
    told = connection.settings_dict
    with server_of_tests() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {NAME}")
    who = quote(told["USER"]) + (f":{quote(told['PASSWORD'])}" if told["PASSWORD"] else "")
    port = f":{told['PORT']}" if told["PORT"] else ""
    yield f"postgresql://{who}@{port}/{NAME}?host={quote(told['HOST'], safe='')}"
    with server_of_tests() as admin:
        admin.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def tables(url: str) -> dict[str, set[str]]:
    """Return the tables of a database by schema."""
    found: dict[str, set[str]] = {}
    with psycopg.connect(url) as looking:
        rows = looking.execute("SELECT schemaname, tablename FROM pg_tables").fetchall()
    for schema, table in rows:
        found.setdefault(schema, set()).add(table)
    return found


def test_a_first_start_makes_its_tables_and_a_schema_for_charts(
    tmp_path: Path, empty_database: str
) -> None:
    live = LiveServer(
        state=tmp_path / "state",
        environment={"OPENBOND_DATABASE_URL": empty_database},
        is_blank=True,
    )
    try:
        live.start()
        made = live.populate("bond")
    finally:
        live.stop()

    found = tables(empty_database)
    assert made["bond"]
    assert "bonds_bond" in found["public"]
    assert {"telemetry_samples", "telemetry_subject"} <= found["telemetry"]
    assert not any(table.startswith("telemetry_") for table in found["public"])
    assert "bonds_bond" not in found["telemetry"]
    assert not list(live.state.glob("*.sqlite3"))

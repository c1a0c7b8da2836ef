from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from openbond.server.project.checks import (
    PRAGMAS,
    check_database_file,
    check_database_options,
    check_secrets,
    errors_of_options,
)
from openbond.server.project.databases import (
    BadDatabaseUrl,
    database_settings,
    postgresql_settings,
    sqlite_settings,
    telemetry_settings,
)

only_sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'")


def test_without_a_url_the_database_is_one_file_in_the_state_directory() -> None:
    found = database_settings(url="", state=Path("/var/lib/openbond"))

    assert found["ENGINE"] == "openbond.server.system.sqlite"
    assert found["NAME"] == "/var/lib/openbond/db.sqlite3"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "postgresql://ob:s%40crt@db.example.net:5433/openbond",
            {
                "NAME": "openbond",
                "USER": "ob",
                "PASSWORD": "s@crt",
                "HOST": "db.example.net",
                "PORT": "5433",
            },
        ),
        (
            "postgres://ob@/openbond?host=/run/postgresql",
            {"NAME": "openbond", "USER": "ob", "PASSWORD": "", "HOST": "/run/postgresql"},
        ),
        ("postgresql://[2001:db8::1]/ob?sslmode=require", {"HOST": "2001:db8::1", "PORT": ""}),
    ],
)
def test_a_url_says_where_postgresql_is(url: str, wanted: dict[str, str]) -> None:
    found = postgresql_settings(url)

    assert wanted.items() <= found.items()


def test_options_of_a_url_go_to_the_driver() -> None:
    assert postgresql_settings("postgresql://h/ob?sslmode=require")["OPTIONS"]["sslmode"] == (
        "require"
    )


@pytest.mark.parametrize("url", ["mysql://h/ob", "postgresql://ob:secret@host/", "openbond"])
def test_another_url_is_refused_without_showing_its_password(url: str) -> None:
    with pytest.raises(BadDatabaseUrl, match="OPENBOND_DATABASE_URL must read") as refusal:
        postgresql_settings(url)

    assert "secret" not in str(refusal.value)


def test_what_nodes_measure_has_a_file_or_a_schema_of_its_own(tmp_path: Path) -> None:
    ours, other = "postgresql://h/ob", "postgresql://far/metrics"

    file = telemetry_settings(url="", own_url="", state=tmp_path)
    schema = telemetry_settings(url=ours, own_url="", state=tmp_path)
    elsewhere = telemetry_settings(url="", own_url=other, state=tmp_path)

    assert file["NAME"] == str(tmp_path / "telemetry.sqlite3")
    assert (schema["NAME"], schema["HOST"]) == ("ob", "h")
    assert (elsewhere["NAME"], elsewhere["HOST"]) == ("metrics", "far")
    assert "search_path=telemetry" in schema["OPTIONS"]["options"]
    assert "lock_timeout" in schema["OPTIONS"]["options"]


def test_a_wrong_url_of_what_nodes_measure_names_its_variable(tmp_path: Path) -> None:
    with pytest.raises(BadDatabaseUrl, match="OPENBOND_TELEMETRY_URL must read"):
        telemetry_settings(url="postgresql://h/ob", own_url="mysql://h/ob", state=tmp_path)


@only_sqlite
@pytest.mark.django_db
def test_the_database_in_use_passes_its_checks() -> None:
    assert check_database_options() == []
    assert check_database_file(databases=["default"]) == []


@only_sqlite
@pytest.mark.django_db
@pytest.mark.parametrize("pragma", sorted(set(PRAGMAS) - {"journal_mode"}))
def test_sqlite_that_was_tuned_otherwise_fails_the_check(pragma: str) -> None:
    with connection.cursor() as cursor:
        before = cursor.execute(f"PRAGMA {pragma}").fetchone()[0]
        # Foreign keys cannot be switched inside a transaction, so this test leaves its own.
        cursor.execute("ROLLBACK")
        cursor.execute(f"PRAGMA {pragma} = {2 if pragma == 'synchronous' else 0}")
        try:
            errors = check_database_file(databases=["default"])
        finally:
            cursor.execute(f"PRAGMA {pragma} = {before}")
            cursor.execute("BEGIN IMMEDIATE")

    assert [error.id for error in errors] == ["openbond.E002"]
    assert pragma in str(errors[0].msg)


def test_sqlite_with_late_locks_fails_the_check() -> None:
    stock: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "x"}

    errors = errors_of_options({"stock": stock, "good": sqlite_settings(Path("y"))})

    assert [error.id for error in errors] == ["openbond.E001"]
    assert "stock" in str(errors[0].msg)


def test_secrets_that_die_with_the_process_fail_the_check(settings: Settings) -> None:
    settings.SECRETS_ARE_KEPT = False
    assert [error.id for error in check_secrets()] == ["openbond.E003"]

    settings.SECRETS_ARE_KEPT = True
    assert check_secrets() == []


def test_passwords_are_hashed_with_argon2_in_an_installation() -> None:
    # The first is that of the tests (tests/conftest.py).
    assert settings.PASSWORD_HASHERS[1].endswith("Argon2PasswordHasher")

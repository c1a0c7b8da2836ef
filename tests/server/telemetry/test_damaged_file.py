"""A file of charts that is damaged is noticed at the start; the product starts all the same."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connections

from openbond.server.telemetry import ALIAS
from openbond.server.telemetry.database import is_whole_file
from tests.databases import CHOICE

pytestmark = pytest.mark.skipif(
    CHOICE != "sqlite", reason="the database of charts is no file on this one"
)
PAGE = 4096


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a server, with some rows in an index."""
    path = tmp_path / "telemetry.sqlite3"
    with closing(sqlite3.connect(path)) as made, made:
        made.execute(f"PRAGMA page_size = {PAGE}")
        made.execute("CREATE TABLE rows (at INTEGER, packed BLOB)")
        made.execute("CREATE INDEX of_rows ON rows (at)")
        made.executemany("INSERT INTO rows VALUES (?, ?)", ((n, bytes(900)) for n in range(200)))
    monkeypatch.setitem(connections[ALIAS].settings_dict, "NAME", str(path))
    return path


def test_a_good_file_is_whole_and_so_is_none_at_all(file: Path) -> None:
    assert is_whole_file()

    file.unlink()

    assert is_whole_file()


def test_pages_overwritten_in_the_middle_are_noticed(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(10 * PAGE)
        opened.write(b"\xff" * 20 * PAGE)

    assert not is_whole_file()


def test_a_file_cut_off_by_a_full_disk_is_noticed(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)

    assert not is_whole_file()


def test_a_file_that_somebody_else_uses_is_not_taken_for_damaged(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")

        assert is_whole_file()

"""Writers of one SQLite file stand in line, whoever asks how often."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from openbond.server.project.databases import sqlite_settings
from openbond.server.system.sqlite.base import DatabaseWrapper
from openbond.server.system.turns import Line, in_no_hurry

# The connections here are the tests' own: the mark only lets them be opened.
pytestmark = pytest.mark.django_db

PATIENCE = 60.0


def settings_of(path: Path, *, timeout: float = PATIENCE) -> dict[str, Any]:
    found = sqlite_settings(path)
    found["OPTIONS"]["timeout"] = timeout
    rest = {"ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "CONN_HEALTH_CHECKS": False}
    return {**found, **rest, "TIME_ZONE": None, "USER": "", "PASSWORD": "", "TEST": {}}


@contextmanager
def opened(path: Path, *, timeout: float = PATIENCE) -> Iterator[DatabaseWrapper]:
    made = DatabaseWrapper(settings_of(path, timeout=timeout), alias="other")
    made.inc_thread_sharing()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def transaction(connection: DatabaseWrapper) -> Iterator[None]:
    """What `atomic` does at its two ends, for a connection that no alias leads to."""
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.set_autocommit(True)


def insert(connection: DatabaseWrapper, word: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO words (word) VALUES (%s)", [word])


def words_in(connection: DatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        return [word for (word,) in cursor.execute("SELECT word FROM words ORDER BY rowid")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with opened(tmp_path / "words.sqlite3") as made, made.cursor() as cursor:
        cursor.execute("CREATE TABLE words (word TEXT)")
    return tmp_path / "words.sqlite3"


def in_line(line: Line, count: int) -> bool:
    return len(line._waiting) >= count


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.002)


def queued(line: Line, *patiences: float) -> list[int]:
    """Let threads with these patiences come one after the other; return who went in which order."""
    went: list[int] = []
    threads = []

    def write(number: int, patience: float) -> None:
        with in_no_hurry(patience):
            assert line.enter(within=PATIENCE)
        went.append(number)
        line.leave()

    assert line.enter(within=0.0)
    for number, patience in enumerate(patiences):
        threads.append(threading.Thread(target=write, args=(number, patience)))
        threads[-1].start()
        wait_for(lambda: in_line(line, len(threads)))
    line.leave()
    for thread in threads:
        thread.join(PATIENCE)
    return went


def test_whoever_came_first_writes_first() -> None:
    assert queued(Line(), 0.0, 0.0, 0.0) == [0, 1, 2]


def test_who_is_in_no_hurry_lets_others_go_first_but_only_those_that_come_soon() -> None:
    assert queued(Line(), 3600.0, 0.0, 3600.0, 0.0) == [1, 3, 0, 2]
    assert queued(Line(), 0.0, 3600.0, 7200.0, 1800.0) == [0, 3, 1, 2]


def test_who_gave_up_is_passed_over() -> None:
    line = Line()
    assert line.enter(within=0.0)

    assert not line.enter(within=0.01)

    line.leave()
    assert line.enter(within=0.0)


def test_patience_ends_with_its_block() -> None:
    line = Line()
    with in_no_hurry(3600.0):
        pass

    assert queued(line, 0.0) == [0]
    # The line is free again, whoever used it.
    assert line.enter(within=0.0)


def test_transactions_of_one_file_follow_each_other(path: Path) -> None:
    with opened(path) as one, opened(path) as other:
        begun = threading.Event()

        def write() -> None:
            begun.set()
            with transaction(other):
                insert(other, "second")

        with transaction(one):
            thread = threading.Thread(target=write)
            thread.start()
            begun.wait(PATIENCE)
            insert(one, "first")
        thread.join(PATIENCE)

        assert words_in(one) == ["first", "second"]


def test_a_lone_write_waits_for_a_transaction_and_a_read_does_not(path: Path) -> None:
    with opened(path) as one, opened(path) as other:
        thread = threading.Thread(target=insert, args=(other, "lone"))
        with transaction(one):
            insert(one, "first")
            thread.start()

            assert words_in(other) == []

        thread.join(PATIENCE)
        assert words_in(one) == ["first", "lone"]


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_a_transaction_that_fails_or_is_cut_off_gives_its_turn_back(path: Path, end: str) -> None:
    with opened(path) as one, opened(path) as other:
        one.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        insert(one, "lost")

        getattr(one, end)()

        insert(other, "kept")
        assert words_in(other) == ["kept"]


def test_who_waits_too_long_hears_what_sqlite_would_say(path: Path) -> None:
    with opened(path) as one, opened(path, timeout=0.05) as other:
        with transaction(one), pytest.raises(OperationalError, match="database is locked"):
            insert(other, "late")

        insert(other, "on time")
        assert words_in(one) == ["on time"]

"""The connection of Django's SQLite, whose transactions and lone writes stand in line (turns.py).

A transaction takes SQLite's write lock at its beginning (databases.py), so that is where it waits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from openbond.server.system.turns import Line

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLAC")
_lines: dict[str, Line] = {}


class DatabaseWrapper(base.DatabaseWrapper):
    """Raises OperationalError, as SQLite does, when the turn does not come in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_turn = False

    def create_cursor(self, name: str | None = None) -> "Cursor":
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        cursor.opened = self
        return cursor

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let one statement of no transaction wait for its turn."""
        if self._has_turn or self.connection.in_transaction:
            yield
            return
        self._take_turn()
        try:
            yield
        finally:
            self._end_turn()

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # not in the stubs
        except BaseException:
            self._end_turn()
            raise

    def _take_turn(self) -> None:
        if self.is_in_memory_db() or self._has_turn:
            return
        patience = float(self.settings_dict["OPTIONS"].get("timeout", 5.0))
        if not self._line().enter(within=patience):
            raise OperationalError("database is locked: others of this server write for too long")
        self._has_turn = True

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._line().leave()

    def _line(self) -> Line:
        # Two threads that come first at once get the same: setdefault is one step.
        return _lines.setdefault(str(self.settings_dict["NAME"]), Line())

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # not in the stubs
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]  # not in the stubs
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]  # not in the stubs
        finally:
            self._end_turn()


class Cursor(base.SQLiteCursorWrapper):
    """A lone write stands in line as well, or those who do would never let it in."""

    opened: DatabaseWrapper

    def execute(self, query: str, params: Any = None) -> Any:
        if not _is_write(query):
            return super().execute(query, params)
        with self.opened.turn():
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        with self.opened.turn():
            return super().executemany(query, param_list)


def _is_write(query: str) -> bool:
    return query.lstrip()[:6].upper() in WRITES

"""Make the same rows again at a tenth of the cost: by the statements that made them first.

A world takes our services 0.16 s of a core, and two thousand tests want one. So the statements of
the first making are kept, and later ones send them once more, from the same numbers of sequences:
the rows, their ids and what triggers add are the same. Times are those of the first making.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, TypeVar

from django.db import connection

T = TypeVar("T")
Statement = tuple[str, Any, bool]  # SQL, parameters, is it for many
Sequences = dict[str, int | None]  # name -> last number given; None: none yet

WRITES = ("INSERT", "UPDATE", "DELETE")
_kept: dict[str, tuple[Any, list[Statement], Sequences]] = {}


def replayed(make: Callable[[], T]) -> T:
    """Return what `make` made: really the first time of a process, from then on by replay.

    Only within the transaction of a test, which is rolled back; elsewhere it is made for real.
    """
    if not connection.in_atomic_block:
        return make()
    name = f"{make.__module__}.{make.__qualname__}"
    if name not in _kept:
        before = _sequences()
        with _recording() as statements:
            made = make()
        advanced = {key: last for key, last in _sequences().items() if last != before.get(key)}
        _kept[name] = made, statements, {key: before.get(key) for key in advanced}
        return deepcopy(made)
    made, statements, sequences = _kept[name]
    _set_back(sequences)
    with connection.cursor() as cursor:
        for sql, parameters, many in statements:
            run = cursor.executemany if many else cursor.execute
            run(sql, parameters)
            if cursor.description and not many:
                cursor.fetchall()  # of RETURNING: SQLite ends a statement with its last row
    return deepcopy(made)


@contextmanager
def _recording() -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def keep(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if sql.lstrip().upper().startswith(WRITES):
            params = [tuple(each) for each in params] if many else params
            statements.append((sql, params, many))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        yield statements


def _sequences() -> Sequences:
    if connection.vendor == "sqlite":
        sql = "SELECT name, seq FROM sqlite_sequence"
    else:
        sql = (
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"
        )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


def _set_back(sequences: Sequences) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(
                "DELETE FROM sqlite_sequence WHERE name = %s", [(name,) for name in sequences]
            )
            cursor.executemany(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)",
                [(name, last) for name, last in sequences.items() if last is not None],
            )
            return
        for name, last in sequences.items():
            cursor.execute("SELECT setval(%s, %s, %s)", [name, last or 1, last is not None])

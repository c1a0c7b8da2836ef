"""Statements that never change: written once by the ORM, from then on only run.

For a statement of thirty columns and joins the ORM takes longer to write it than a database to
answer it, and longer to look at every value again than to fetch it. So only columns go through here
that need no second look: numbers, texts, booleans, bytes, and times that the database writes
(shown_times).
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import NoneType
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BooleanField,
    CharField,
    Expression,
    F,
    Field,
    Func,
    IntegerField,
    JSONField,
    Model,
    QuerySet,
    TextField,
)
from django.db.models.expressions import BaseExpression
from django.db.models.sql.compiler import SQLCompiler

Statement = tuple[str, list[Any]]
MOST_ROWS = 500  # in one statement


class Given(Expression):
    """A value of a prepared read that is known only when it is run; `name` says which."""

    def __init__(self, name: str, output_field: Field[Any, Any]):
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return "%s", (self,)

    def plain(self, value: object, connection: BaseDatabaseWrapper) -> Any:
        """Return `value` as the driver of the database takes it."""
        return self.output_field.get_db_prep_value(value, connection)


class Among(Func):
    """The condition that a column is one of the given ids, as a single value: a JSON array."""

    output_field = BooleanField()
    arg_joiner = " IN (SELECT value::bigint FROM json_array_elements_text("
    template = "%(expressions)s::json) AS value)"

    def __init__(self, column: str, ids: str) -> None:
        super().__init__(F(column), Given(ids, TextField()))

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        joiner, template = " IN (SELECT value FROM json_each(", "%(expressions)s))"
        return super().as_sql(compiler, connection, arg_joiner=joiner, template=template, **context)


class Prepared:
    """A read of `columns` and named `expressions` of `rows`, whose values are `Given`."""

    def __init__(
        self, rows: Callable[[], QuerySet[Any]], *columns: str, **expressions: BaseExpression
    ) -> None:
        self._rows = rows
        self._columns = columns
        self._expressions = expressions
        self._names = (*columns, *expressions)
        self._statements: dict[str, Statement] = {}
        self._alias = ""

    def run(self, **given: object) -> list[dict[str, Any]]:
        """Return the rows as dictionaries. `given`: each value by the name of its `Given`."""
        connection = connections[self._alias or self._find_alias()]
        sql, places = self._statement(connection)
        values = [
            place.plain(given[place.name], connection) if isinstance(place, Given) else place
            for place in places
        ]
        names = self._names
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [dict(zip(names, row, strict=False)) for row in cursor.fetchall()]

    def _find_alias(self) -> str:
        self._alias = self._rows().db
        return self._alias

    def _statement(self, connection: BaseDatabaseWrapper) -> Statement:
        # Two threads that write it at once write the same.
        found = self._statements.get(connection.vendor)
        if found is None:
            rows = self._rows().values(*self._columns, **self._expressions)
            sql, places = rows.query.get_compiler(connection=connection).as_sql()
            found = self._statements[connection.vendor] = sql, list(places)
        return found


class ManyWrites:
    """Writes the same columns of many rows of `model`, each found by its key."""

    def __init__(self, model: type[Model], *columns: str) -> None:
        self._model = model
        self._columns = columns

    def run(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows: the key, then a value for each column. What is not there is left out."""
        connection = connections[DEFAULT_DB_ALIAS]
        named = {field.name: field for field in self._model._meta.concrete_fields}
        fields = [named[name] for name in self._columns]
        columns = [_Column(field, connection) for field in fields]
        written = [
            (*(column.plain(value) for column, value in zip(columns, values, strict=True)), key)
            for key, *values in rows
        ]
        if not written:
            return
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                written = list({row[-1]: row for row in written}.values())  # the last word counts
                # Over a network, and with a plan for each row, one by one takes ten times as long.
                for start in range(0, len(written), MOST_ROWS):
                    some = written[start : start + MOST_ROWS]
                    statement = self._statement_for_many(fields, connection, len(some))
                    cursor.execute(statement, [value for row in some for value in row])
            else:
                cursor.executemany(self._statement(fields, connection), written)

    def _statement_for_many(
        self, fields: Sequence[Field[Any, Any]], connection: BaseDatabaseWrapper, rows: int
    ) -> str:
        """Return one statement for so many rows; the first says of which types their values are."""
        quote, key = connection.ops.quote_name, self._model._meta.pk
        columns = [*fields, key]
        names = [quote(field.column or "") for field in columns]
        changes = ", ".join(f"{name} = told.{name}" for name in names[:-1])
        typed = ", ".join(f"%s::{field.cast_db_type(connection)}" for field in columns)
        more = f", ({', '.join(['%s'] * len(columns))})" * (rows - 1)
        table = quote(self._model._meta.db_table)
        return (
            f"UPDATE {table} SET {changes} FROM (VALUES ({typed}){more}) "  # noqa: S608
            f"AS told ({', '.join(names)}) WHERE {table}.{names[-1]} = told.{names[-1]}"
        )

    def _statement(self, fields: Iterable[Field[Any, Any]], connection: BaseDatabaseWrapper) -> str:
        quote, meta = connection.ops.quote_name, self._model._meta
        changes = ", ".join(f"{quote(field.column or '')} = %s" for field in fields)
        key = quote(meta.pk.column or "")
        return f"UPDATE {quote(meta.db_table)} SET {changes} WHERE {key} = %s"  # noqa: S608


class _Column:
    """How the values of one column are given to the driver. Most need nothing done to them; that a
    field looks at each of them anyway takes longer than the database does to write them."""

    def __init__(self, field: Field[Any, Any], connection: BaseDatabaseWrapper) -> None:
        self._field = field
        self._connection = connection
        self._as_they_are = _as_they_are(field)
        self._times: dict[object, Any] = {}  # many rows have the same one

    def plain(self, value: object) -> Any:
        if type(value) in self._as_they_are:
            return value
        if not isinstance(value, datetime):
            return self._field.get_db_prep_save(value, self._connection)
        if value not in self._times:
            self._times[value] = self._field.get_db_prep_save(value, self._connection)
        return self._times[value]


def _as_they_are(field: Field[Any, Any]) -> tuple[type, ...]:
    if isinstance(field, JSONField):
        return ()
    if isinstance(field, IntegerField):
        return (int, NoneType)
    return (str, NoneType) if isinstance(field, CharField | TextField) else (NoneType,)


def ids_of(ids: Sequence[int]) -> str:
    """Return ids as the value of an `Among`."""
    return json.dumps(ids)


def stored_time(stored: datetime) -> datetime:
    """Return a time that a prepared read gave: SQLite keeps them without a zone, in UTC."""
    return stored if stored.tzinfo else stored.replace(tzinfo=UTC)

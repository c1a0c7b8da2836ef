"""Times as the API shows them, written by the database.

A page of bonds shows a thousand times. Reading each as text into a datetime only to write it as
text again takes longer than anything else on the page.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func
from django.db.models.sql.compiler import SQLCompiler


class ShownTime(Func):
    """A time column in UTC, cut to whole seconds: `2026-03-05T14:07:09Z`; null stays null."""

    output_field = CharField()
    template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

    def __init__(self, column: str) -> None:
        super().__init__(column)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # Django keeps times there as text in UTC, with a space where ISO 8601 has a T.
        date, clock = "substr(%(expressions)s, 1, 10)", "substr(%(expressions)s, 12, 8)"
        template = f"{date} || 'T' || {clock} || 'Z'"
        return super().as_sql(compiler, connection, template=template, **context)


def shown_times(*columns: str) -> dict[str, ShownTime]:
    """Return the expressions of columns under the names `shown_…`."""
    return {f"shown_{column}": ShownTime(column) for column in columns}

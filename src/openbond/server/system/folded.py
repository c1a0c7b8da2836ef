"""Text without regard to case, the same on both databases: for searches and orders of lists.

SQLite folds ASCII letters only, so it is given a function that folds them all. No index is made
with it: a file must stay readable, and checkable, without us.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import CharField, TextField, Transform
from django.db.models.sql.compiler import SQLCompiler

SQLITE_FUNCTION = "openbond_folded"


class Folded(Transform):
    """A column in lower case; as a lookup, `name__folded__contains`."""

    function = "LOWER"
    lookup_name = "folded"
    output_field = TextField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        return super().as_sql(compiler, connection, function=SQLITE_FUNCTION, **context)


def folded(text: str | None) -> str | None:
    return None if text is None else text.lower()


def prepare() -> None:
    """Make the lookup known, and the function to every connection that opens from now on."""
    CharField.register_lookup(Folded)
    TextField.register_lookup(Folded)
    connection_created.connect(_give_function, dispatch_uid=SQLITE_FUNCTION)


def _give_function(connection: BaseDatabaseWrapper, **more: object) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function(SQLITE_FUNCTION, 1, folded, deterministic=True)

"""Counts what a call asks of the database, so that a list costs the same for 10 rows and 1,000."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext


def queries_of(call: Callable[[], object]) -> list[str]:
    """Return the statements that `call` runs on this connection, savepoints left out."""
    with CaptureQueriesContext(connection) as captured:
        call()
    statements = [str(query["sql"]) for query in captured.captured_queries]
    return [sql for sql in statements if "SAVEPOINT" not in sql]

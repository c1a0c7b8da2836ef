"""Runs writers at the same moment, each on a connection of its own."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from django.db import connection


def together(*calls: Callable[[], object]) -> list[object]:
    """Return what each call returned or raised, in order."""
    start = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        start.wait(timeout=10)
        try:
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return list(pool.map(run, calls))


def errors_in(results: list[object]) -> list[Exception]:
    return [result for result in results if isinstance(result, Exception)]


@contextmanager
def meanwhile(table: str, act: Callable[[], object]) -> Iterator[list[object]]:
    """Once a row of `table` was looked up by its id, let somebody else `act` before going on."""
    looked_up = re.compile(rf'FROM "{table}".*"{table}"\."(id|node_ptr_id)" =')
    done: list[object] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if not done and looked_up.search(sql):
            done.append(sql)
            with ThreadPoolExecutor(max_workers=1) as other:
                other.submit(_on_its_own_connection, act).result(timeout=30)
        return result

    with connection.execute_wrapper(watch):
        yield done


def _on_its_own_connection(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connection.close()

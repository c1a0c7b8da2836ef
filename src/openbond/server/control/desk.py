"""Runs database work of the event loop: a few threads, each with a connection that it keeps."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4


class Desk:
    """Work waits here for a thread; whoever only waits for something needs none."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="desk")

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, done in a thread; what it raises is raised here."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, partial(_with_connection, partial(work, *args, **kwargs))
        )

    def close(self) -> None:
        """Let running work end, then close the connections."""
        close_with_connections(self._pool, self._threads)


def close_with_connections(pool: ThreadPoolExecutor, threads: int) -> None:
    """End a pool, closing the connection of each thread, so that SQLite can empty its log."""
    together = Barrier(threads)

    def close() -> None:
        together.wait()  # so that each thread takes one of these
        connections.close_all()

    for _ in range(threads):
        pool.submit(close)
    pool.shutdown(wait=True)


def _with_connection(work: Callable[[], T]) -> T:
    # A database file does not go away between two pieces of work; a connection over a network may.
    if any(opened.vendor != "sqlite" for opened in connections.all(initialized_only=True)):
        close_old_connections()
    try:
        return work()
    except BaseException:
        connections.close_all()
        raise

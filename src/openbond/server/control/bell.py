"""Wakes the polls that are held for nodes; one bell for all of them, rung from any thread."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Bell:
    """Lives on one event loop. A held poll costs one future: no thread, no database connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._held: dict[int, set[asyncio.Future[None]]] = {}
        self.closing = False

    @contextmanager
    def held(self, node_id: int) -> Iterator["asyncio.Future[None]"]:
        """Give a future that is done when the bell rings for a node, from now on."""
        future = self._loop.create_future()
        if self.closing:
            future.set_result(None)
        waiting = self._held.setdefault(node_id, set())
        waiting.add(future)
        try:
            yield future
        finally:
            waiting.discard(future)
            if not waiting:
                self._held.pop(node_id, None)

    def ring(self, node_ids: Iterable[int]) -> None:
        """Wake the polls of these nodes. Call it on the loop."""
        for node_id in node_ids:
            for future in self._held.get(node_id, ()):
                if not future.done():
                    future.set_result(None)

    def ring_from_thread(self, node_ids: Iterable[int]) -> None:
        self._loop.call_soon_threadsafe(self.ring, list(node_ids))

    def close(self) -> None:
        """End every held poll, now and later: the server stops."""
        self.closing = True
        self.ring(list(self._held))

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._held.values())

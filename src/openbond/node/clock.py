"""The two clocks of a node's programs; all below their loops takes `now` as an argument."""

import asyncio
from contextlib import suppress

from .wall_clock import wall_ms

__all__ = ["monotonic", "wait_at_most", "wall_ms"]


def monotonic() -> float:
    """Return seconds since some moment, of the running loop; never jumps."""
    return asyncio.get_running_loop().time()


async def wait_at_most(seconds: float, event: asyncio.Event) -> bool:
    """Wait for an event, but not for ever; report whether it came.

    Not by `asyncio.wait_for`: in Python 3.11 it forgets, now and then, that it was cancelled.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()

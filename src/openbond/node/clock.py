"""The two clocks of a node's programs; all below their loops takes `now` as an argument."""

import asyncio

from .wall_clock import wall_ms

__all__ = ["monotonic", "wall_ms"]


def monotonic() -> float:
    """Return seconds since some moment, of the running loop; never jumps."""
    return asyncio.get_running_loop().time()

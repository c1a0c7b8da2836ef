"""The two clocks of a node's programs; all below their loops takes `now` as an argument."""

import asyncio
import time


def monotonic() -> float:
    """Return seconds since some moment, of the running loop; never jumps."""
    return asyncio.get_running_loop().time()


def wall_ms() -> int:
    """Return milliseconds since 1970 as this node believes; may jump."""
    return time.time_ns() // 1_000_000

"""The wall clock, for what others read; beside clock.py because a tunnel daemon has no asyncio."""

import time


def wall_ms() -> int:
    """Return milliseconds since 1970 as this node believes; may jump."""
    return time.time_ns() // 1_000_000

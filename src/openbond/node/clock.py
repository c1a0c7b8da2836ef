"""The two clocks of a node's programs; all below their loops takes `now` as an argument."""

import time


def monotonic() -> float:
    """Return seconds since some moment; never jumps."""
    return time.monotonic()


def wall_ms() -> int:
    """Return milliseconds since 1970 as this node believes; may jump."""
    return time.time_ns() // 1_000_000

"""Wait for something to become true, and say in words what did not."""

import time
from collections.abc import Callable

from .errors import LabError

PAUSE = 0.05


def wait_until(
    is_true: Callable[[], bool], *, what: str, patience: float, pause: float = PAUSE
) -> float:
    """Return after how many seconds `is_true()` held.

    `patience` and `pause` in seconds. Raises LabError naming `what` when patience ends.
    """
    begun = time.monotonic()
    while not is_true():
        if time.monotonic() - begun > patience:
            raise LabError(f"waited {patience:g} s, but not so: {what}")
        time.sleep(pause)
    return time.monotonic() - begun

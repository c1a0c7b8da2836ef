"""Says at once, within this process, that what was committed wants somebody's look.

Only quicker than a look by the clock, never instead of it: another process hears nothing of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import transaction

_hearing: list[Callable[[], None]] = []


def ring_on_commit() -> None:
    """Ring when the transaction under way is committed; never when it is rolled back."""
    transaction.on_commit(_ring, robust=True)


@contextmanager
def heard_by(hear: Callable[[], None]) -> Iterator[None]:
    """Call `hear` at each ring, in whichever thread committed; it must be quick."""
    _hearing.append(hear)
    try:
        yield
    finally:
        _hearing.remove(hear)


def _ring() -> None:
    for hear in list(_hearing):
        hear()

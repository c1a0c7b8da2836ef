"""How long the answer to a failed login waits (00-general.md, 2.6): longer with each, up to 1 s.

Counted by the address that asks and by the account it asks for; the longer delay counts. A guesser
is slowed whether he tries many passwords or many accounts, and from wherever he comes. A right
login never waits and clears its account; that it does not clear its address keeps somebody with
an account of his own from clearing his way. What is quiet for a while is forgotten.

Each process counts for itself: with N of them behind a balancer a guesser has N times the failures
before he waits a second. That is all that another process would have to know.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

FIRST_SECONDS = 0.05
MAX_SECONDS = 1.0
FORGOTTEN_AFTER_SECONDS = 900.0
MAX_ENTRIES = 10_000


@dataclass(slots=True)
class LoginDelays:
    """Remembers how often in a row logins failed, by address and by account. For all threads."""

    _failures: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_failure(self, *, address: str, account: str, now: float) -> float:
        """Count a failed login; return the seconds its answer shall wait. `now` is monotonic.

        `account` is what the client gave as its name, "" where it gave none.
        """
        names = [f"from {address}", *([_account(account)] if account else [])]
        with self._lock:
            counts = [self._count(name, now) for name in names]
            while len(self._failures) > MAX_ENTRIES:
                self._failures.popitem(last=False)
        return _seconds(max(counts))

    def on_success(self, *, account: str) -> None:
        """Clear the account."""
        if not self._failures:
            return
        with self._lock:
            self._failures.pop(_account(account), None)

    def forget(self) -> None:
        with self._lock:
            self._failures.clear()

    def _count(self, name: str, now: float) -> int:
        failures, last = self._failures.pop(name, (0, now))
        if now - last > FORGOTTEN_AFTER_SECONDS:
            failures = 0
        self._failures[name] = (failures + 1, now)  # at the end: the oldest goes first
        return failures + 1


def _account(account: str) -> str:
    # A name may be as long as a header, and people type passwords where names belong.
    return hashlib.sha256(account.casefold().encode("utf-8", "replace")).hexdigest()


def _seconds(failures: int) -> float:
    doublings = min(failures - 1, 10)
    return min(FIRST_SECONDS * float(2**doublings), MAX_SECONDS)

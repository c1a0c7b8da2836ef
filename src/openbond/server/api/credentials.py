"""Remembers for a while that a password was right, so that argon2 is not paid on every request.

What is kept is an HMAC of user and password under a key of this process, beside the password hash
it was checked against. A changed password has another hash and is checked anew, in every process
at once; a deactivated user is refused before the memory is asked. Losing it costs only time.
"""

import hmac
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from django.contrib.auth.hashers import check_password, make_password

from openbond.server.spaces.models import User

KEPT_SECONDS = 300.0
MAX_ENTRIES = 4096
NOBODY = "argon2 takes its time for nobody, too"


def has_password(user: User | None, password: str) -> bool:
    """Report whether it is the user's password. Takes equally long when there is no user."""
    if user is None or not user.has_usable_password():
        make_password(NOBODY)
        return False
    return check_password(password, user.password)


@dataclass(slots=True)
class VerifiedPasswords:
    """Which (user, password) pairs were found right against which hash, and until when."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _entries: OrderedDict[bytes, tuple[str, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remember(self, *, user_id: int, password: str, against: str, now: float) -> None:
        """Note that `password` fits the hash `against`. `now` in seconds, monotonic."""
        with self._lock:
            self._entries[self._name(user_id, password)] = (against, now + KEPT_SECONDS)
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)

    def holds(self, *, user_id: int, password: str, against: str, now: float) -> bool:
        """Report whether `password` was found to fit `against` not long ago."""
        with self._lock:
            hash_then, until = self._entries.get(self._name(user_id, password), ("", 0.0))
        return now < until and hmac.compare_digest(hash_then.encode(), against.encode())

    def forget(self) -> None:
        with self._lock:
            self._entries.clear()

    def _name(self, user_id: int, password: str) -> bytes:
        return hmac.digest(self._key, f"{user_id}\0{password}".encode(), "sha256")

"""Secrets at rest: sealed with a key of the installation, opened only when somebody asks."""

from functools import lru_cache

from cryptography.fernet import Fernet
from django.conf import settings


def seal(text: str) -> str:
    """Return what may stand in the database for `text`; the empty string stays empty."""
    return _box(settings.FIELD_KEY).encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str) -> str:
    """Return the text that was sealed. Raises InvalidToken if the key is another one."""
    return _box(settings.FIELD_KEY).decrypt(sealed.encode()).decode() if sealed else ""


class Secret:
    """An attribute that seals what is written to it into a column, and opens it when read.

    Opening costs some microseconds, so a list of 10,000 nodes pays only for what it shows.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    def __get__(self, row: object, owner: type | None = None) -> str:
        if row is None:
            return ""
        sealed: str = getattr(row, self.column)
        return unseal(sealed)

    def __set__(self, row: object, text: str) -> None:
        setattr(row, self.column, seal(text))


@lru_cache(maxsize=4)
def _box(key: str) -> Fernet:
    return Fernet(key.encode())

"""The server's own secrets in its state directory: made once, read at every start."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

SECRETS_DIRECTORY = "secrets"
_DJANGO_KEY = "django.key"
_FIELD_KEY = "fields.key"


@dataclass(frozen=True, slots=True)
class Secrets:
    """`django_key` signs sessions; `field_key` seals passwords in the database."""

    django_key: str
    field_key: str
    are_kept: bool


def create_secrets(state: Path) -> None:
    """Make the secrets of a state directory, mode 0600. Those that exist already stay.

    Call it before Django's settings are read. Raises OSError if the directory is not writable.
    """
    directory = state / SECRETS_DIRECTORY
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create(directory / _DJANGO_KEY, secrets.token_urlsafe(48))
    _create(directory / _FIELD_KEY, Fernet.generate_key().decode())


def read_secrets(state: Path) -> Secrets:
    """Return the secrets; where there are none, fresh ones that die with this process.

    So tests, checks and type checkers need no state directory, and no installation ever runs on
    secrets that everybody knows; a system check refuses to serve with unkept ones.
    """
    directory = state / SECRETS_DIRECTORY
    try:
        return Secrets(
            django_key=(directory / _DJANGO_KEY).read_text().strip(),
            field_key=(directory / _FIELD_KEY).read_text().strip(),
            are_kept=True,
        )
    except FileNotFoundError:
        return Secrets(
            django_key=secrets.token_urlsafe(48),
            field_key=Fernet.generate_key().decode(),
            are_kept=False,
        )


def _create(path: Path, text: str) -> None:
    # O_EXCL: two processes that start at once agree on the file of the first.
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(file, "w") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())

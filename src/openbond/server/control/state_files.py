"""The state directory: where the server keeps its files, and who may use it now."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


class StateError(Exception):
    """The state directory cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The one directory that a server owns."""

    root: Path

    @property
    def authority(self) -> Path:
        return self.root / "ca"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def create(self) -> None:
        """Make the directory and its parts, for nobody else to read. Raises StateError."""
        for part in (self.root, self.authority, self.tls, self.backups):
            _create_directory(part)

    def lock(self) -> "StateLock":
        """Take the directory for this process alone. Raises StateError when another has it."""
        return StateLock(self.root / "server.lock")


class StateLock:
    """Held while a server runs on a state directory; the kernel frees it with the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip()
            os.close(self._file)
            raise StateError(
                f"Another openbond server (process {holder or 'unknown'}) already runs on "
                f"{path.parent}. Stop it first, or give this one its own directory with --state."
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def _create_directory(path: Path) -> None:
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        path.chmod(PRIVATE_DIRECTORY)
    except OSError as error:
        raise StateError(
            f"Cannot use {path} as the server's directory: {error.strerror or error}. "
            "Give one that this user may write, with --state."
        ) from error

"""One program of a kind per root: a lock that dies with its holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import AlreadyRunning, NotPrivileged


@contextmanager
def held(path: Path, program: str) -> Iterator[None]:
    """Hold the lock file while the block runs.

    Raises AlreadyRunning when another process holds it, NotPrivileged when it may not be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError as refused:
        raise NotPrivileged(
            f"{path.parent} may not be written: run `openbond node` as root, or give --root a "
            "directory of your own."
        ) from refused
    try:
        _take(descriptor, path, program)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, program: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as taken:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        raise AlreadyRunning(
            f"The {program} already runs here (pid {holder or 'unknown'}, lock {path}): "
            "stop it first, or use another --root."
        ) from taken
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

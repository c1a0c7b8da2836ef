"""Files that are whole or absent: write, flush to disk, rename (behaviour 1.3)."""

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from .errors import NodeError

T = TypeVar("T")

PRIVATE = 0o600
PUBLIC = 0o644


def write(path: Path, content: bytes, *, mode: int = PUBLIC) -> None:
    """Replace `path` so that a power cut leaves the old file or the new one, never half.

    Raises OSError when the disk refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _flush_directory(path.parent)


def write_value(path: Path, value: object, *, mode: int = PUBLIC) -> None:
    """Write a msgspec value as JSON."""
    write(path, encoded(value), mode=mode)


def encoded(value: object) -> bytes:
    """Return the JSON that write_value puts on disk."""
    return msgspec.json.encode(value)


def read(path: Path) -> bytes | None:
    """Return what the file holds, None when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def read_value(path: Path, kind: type[T]) -> T | None:
    """Return the value in a JSON file, None when there is no file.

    Raises Damaged when it does not hold a `kind`.
    """
    content = read(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as damage:
        raise Damaged(f"{path} is damaged ({damage}): remove it.") from damage


def remove(path: Path) -> None:
    """Remove a file, if it is there, for good."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        _flush_directory(path.parent)


def make_directory(path: Path, *, mode: int = 0o755) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Damaged(NodeError):
    """A file of ours does not hold what it should."""

"""What a program of the node has to tell an operator, left as a file until the agent reports it.

DIR/run/bonding/notes/<time>-<pid>-<n>.json. Whoever leaves a note needs no agent; the agent takes
it once it is in its own queue, so that a note is told at least once.
"""

import itertools
import os
from pathlib import Path

import structlog
from msgspec import Struct

from . import store

log = structlog.get_logger()

# An agent that is away for long shall not find the disk full of the same trouble.
MOST_NOTES = 500
_count = itertools.count()


class Note(Struct, frozen=True, kw_only=True):
    """`about` as in wire.reports.Problem; `at_ms`: wall clock."""

    about: str
    text: str
    at_ms: int


def leave_note(directory: Path, *, about: str, text: str, now_ms: int) -> None:
    """Leave a note for the agent; one too many, or a full disk, is only logged."""
    try:
        if directory.is_dir() and len(list(directory.glob("*.json"))) >= MOST_NOTES:
            log.warning("too many notes wait: one is dropped", about=about, text=text)
            return
        name = f"{now_ms:015}-{os.getpid()}-{next(_count)}.json"
        note = Note(about=about, text=text, at_ms=now_ms)
        store.write_value(directory / name, note, mode=store.PRIVATE)
    except OSError as error:
        log.error("a note cannot be stored", about=about, text=text, why=str(error))


def waiting_notes(directory: Path) -> list[tuple[Path, Note]]:
    """Return the notes in the order of time; remove each with store.remove once it is told."""
    found = []
    for path in sorted(directory.glob("*.json")) if directory.is_dir() else []:
        try:
            note = store.read_value(path, Note)
        except store.Damaged:
            store.remove(path)
            continue
        if note is not None:
            found.append((path, note))
    return found

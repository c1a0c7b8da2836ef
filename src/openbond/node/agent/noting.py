"""Reports what the node's other programs noted: hooks that failed, steps to get a modem back."""

import asyncio
from collections.abc import Callable

import structlog

from openbond.node import clock, store
from openbond.node.notes import Note, waiting_notes
from openbond.node.paths import Paths
from openbond.wire.reports import Noted

from .reporting import Reporter

log = structlog.get_logger()

LOOK_EVERY_S = 1.0


class Noting:
    def __init__(self, paths: Paths, reporter: Reporter) -> None:
        self._directory = paths.notes
        self._reporter = reporter

    async def run(self) -> None:
        """Take notes for ever."""
        while True:
            self.take()
            await asyncio.sleep(LOOK_EVERY_S)

    def take(self) -> None:
        """Put every waiting note into the queue of reports, then let go of it."""
        for path, note in waiting_notes(self._directory):
            self._report(note)
            store.remove(path)

    def note(self, about: str, text: str) -> None:
        """Report something of the agent's own."""
        self._report(Note(about=about, text=text, at_ms=clock.wall_ms()))

    def _report(self, note: Note) -> None:
        log.warning("noted", about=note.about, text=note.text)
        self._reporter.add(_report_of(note))


def _report_of(note: Note) -> Callable[[int], Noted]:
    return lambda number: Noted(number=number, at_ms=note.at_ms, about=note.about, text=note.text)

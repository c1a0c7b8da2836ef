"""Start programs that outlive us, and find and end them again by pid and start time.

A pid alone may be somebody else's by tomorrow; with its start time it is ours or gone.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from .netns import end_programs, is_alive

OPENBOND = (sys.executable, "-m", "openbond.cli")


class ProgramRecord(Struct, frozen=True, kw_only=True):
    """`started` is the kernel's start time, in clock ticks since boot."""

    pid: int
    started: int

    def is_running(self) -> bool:
        return is_alive(self.pid) and start_time_of(self.pid) == self.started


class Programs:
    """The programs of one lab: a record and a log for each, by name."""

    def __init__(self, records: Path, logs: Path) -> None:
        self._records = records
        self._logs = logs

    def start(
        self, name: str, argv: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> ProgramRecord:
        """Start a program in a session of its own, its words going to its log."""
        log = str(self._logs / f"{name}.log")
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawnp(
            argv[0],
            list(argv),
            {**os.environ, **(environment or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        record = ProgramRecord(pid=pid, started=start_time_of(pid) or 0)
        (self._records / f"{name}.json").write_bytes(msgspec.json.encode(record))
        return record

    def find(self, name: str) -> ProgramRecord | None:
        """Return the record of a program that was started under this name and still runs."""
        record = _read(self._records / f"{name}.json")
        return record if record is not None and record.is_running() else None

    def end(self, name: str) -> None:
        """End a program; nothing happens when it does not run."""
        record = self.find(name)
        if record is not None:
            end_programs([record.pid])

    def end_all(self) -> None:
        """End every program that was started and still runs."""
        records = [_read(path) for path in self._records.glob("*.json")]
        end_programs([record.pid for record in records if record and record.is_running()])

    def last_words(self, name: str, lines: int = 15) -> str:
        """Return the end of a program's log."""
        try:
            said = (self._logs / f"{name}.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(said.splitlines()[-lines:])


def start_time_of(pid: int) -> int | None:
    """Return when a program started, in clock ticks since boot; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def _read(path: Path) -> ProgramRecord | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProgramRecord)
    except (OSError, msgspec.DecodeError):
        return None

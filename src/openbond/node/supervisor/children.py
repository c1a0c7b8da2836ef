"""One process that outlives its supervisor: started, found again after a restart, ended."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from openbond.node.programs import Program

LOG_MOST_BYTES = 1_000_000


class Mark(Struct, frozen=True, kw_only=True):
    """What identifies a running process: a pid alone may have been given to another."""

    pid: int
    started: int  # ticks after boot, /proc/<pid>/stat field 22
    argv: list[str]


@dataclass(slots=True)
class Child:
    """A running process; `descriptor` is its pidfd, readable once it has ended."""

    mark: Mark
    descriptor: int
    started_at: float

    def send(self, number: int) -> None:
        """Send a signal; to a process that has ended it is harmless."""
        try:
            signal.pidfd_send_signal(self.descriptor, number)
        except ProcessLookupError:
            return

    def reap(self) -> str:
        """Return in words how it ended, and let go of it. Call once the descriptor is readable."""
        try:
            ended = os.waitid(os.P_PIDFD, self.descriptor, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            # Started by a supervisor before us: how it ended, only init knows.
            ended = None
        os.close(self.descriptor)
        return _how(ended)


def _how(ended: os.waitid_result | None) -> str:
    if ended is None:
        return "ended"
    if ended.si_code == os.CLD_EXITED:
        return f"ended with exit code {ended.si_status}"
    return f"killed by {signal.Signals(ended.si_status).name}"


def start(program: Program, log: Path, *, now: float) -> Child:
    """Start a program in a session of its own, its output appended to `log`.

    Raises OSError when it cannot be started.
    """
    _rotate(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        program.argv[0],
        program.argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o640),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE],
    )
    mark = Mark(pid=pid, started=_started(pid) or 0, argv=program.argv)
    return Child(mark, os.pidfd_open(pid), now)


def find_again(mark: Mark, *, now: float) -> Child | None:
    """Return the process of an earlier supervisor, None when it runs no more."""
    try:
        descriptor = os.pidfd_open(mark.pid)
    except OSError:
        return None
    # Asked after the descriptor is open: from here on the pid cannot change hands unnoticed.
    if _started(mark.pid) == mark.started:
        return Child(mark, descriptor, now)
    os.close(descriptor)
    return None


def _started(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    # A zombie runs no more: its parent was not us and never asked.
    return None if state in "ZX" else int(fields[18])


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_MOST_BYTES:
        log.replace(log.with_suffix(".log.1"))

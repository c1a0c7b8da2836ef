"""Where labs live on disk: one directory per lab, found again by any later command.

    <root>/<name>/lab.json    who built it, when, and where to look
                  programs/   one file per program we started: pid and start time
                  lines/      control socket of each line's relay
                  server/     the server's state directory
                  nodes/      one root directory per node
                  logs/       what each program said

The root is /var/lib/openbond-lab for root, else below XDG_STATE_HOME; not /run, which Debian mounts
without exec, while a node starts hooks from its own directory. Nothing of a lab lies elsewhere but
its namespaces, which carry its prefix.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from .errors import LabError
from .programs import ProgramRecord, start_time_of

NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
DEFAULT_NAME = "demo"
ROOT_VARIABLE = "OPENBOND_LAB_ROOT"


class LabRecord(Struct, frozen=True, kw_only=True):
    """`is_up` is written when the lab is complete; without it, the build goes on or was killed."""

    name: str
    builder: ProgramRecord
    is_up: bool = False
    url: str = ""
    email: str = ""
    bond_id: int = 0


class LabDirectory:
    """The paths of one lab and its record."""

    def __init__(self, name: str, root: Path | None = None) -> None:
        if not NAME.fullmatch(name):
            raise LabError(
                f"{name!r} is no name for a lab: small letters and digits, a letter first, "
                "20 at most"
            )
        self.name = name
        self.path = (root or labs_root()) / name

    @property
    def prefix(self) -> str:
        return f"ob-{self.name}-"

    @property
    def programs(self) -> Path:
        return self.path / "programs"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def server_state(self) -> Path:
        return self.path / "server"

    @property
    def server_socket(self) -> Path:
        return self.path / "server.sock"

    @property
    def password_file(self) -> Path:
        return self.path / "password"

    @property
    def password(self) -> str:
        """The administrator's."""
        return self.password_file.read_text().strip()

    @property
    def ca_file(self) -> Path:
        return self.server_state / "ca" / "ca.pem"

    def node_root(self, host: str) -> Path:
        return self.path / "nodes" / host

    def line_control(self, line: str) -> Path:
        return self.path / "lines" / f"{line}.sock"

    def create(self) -> None:
        """Make the directories, readable by their owner alone."""
        self.path.mkdir(mode=0o700, parents=True)
        for part in (self.programs, self.logs, self.path / "lines", self.path / "nodes"):
            part.mkdir()

    def remove(self) -> None:
        """Remove all files of the lab, and the root when it was the last; twice is harmless."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()

    def write(self, record: LabRecord) -> None:
        """Replace the record as a whole."""
        partial = self.path / "lab.json.new"
        partial.write_bytes(msgspec.json.encode(record))
        partial.replace(self.path / "lab.json")

    def read(self) -> LabRecord | None:
        """Return the record; None when there is none that can be read."""
        try:
            return msgspec.json.decode((self.path / "lab.json").read_bytes(), type=LabRecord)
        except (OSError, msgspec.DecodeError):
            return None


def new_record(name: str) -> LabRecord:
    """Return the record of a lab that this program begins to build."""
    builder = ProgramRecord(pid=os.getpid(), started=start_time_of(os.getpid()) or 0)
    return LabRecord(name=name, builder=builder)


def labs_root() -> Path:
    """Return the directory that holds all labs of this user."""
    if os.environ.get(ROOT_VARIABLE):
        return Path(os.environ[ROOT_VARIABLE])
    if os.geteuid() == 0:
        return Path("/var/lib/openbond-lab")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "openbond-lab"


@contextlib.contextmanager
def registry_lock() -> Iterator[None]:
    """Hold the registry while a lab is looked up, cleaned and begun, so that two take turns."""
    root = labs_root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def known_labs() -> list[str]:
    """Return the names of all labs that left a directory, sorted."""
    root = labs_root()
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in root.iterdir() if NAME.fullmatch(entry.name))

"""Let an ordinary user run labs: a keeper holds a user, mount and network namespace of his own.

All labs of one user live inside the same keeper, where he is root over nothing but them. Every
command enters it by starting itself again through nsenter; the keeper ends with the last lab.
"""

import os
import sys
from pathlib import Path

import msgspec

from .commands import run
from .errors import LabError
from .forwarder import listen_on_loopback
from .layout import SERVER_PORT
from .netns import end_programs
from .programs import ProgramRecord, start_time_of
from .registry import ROOT_VARIABLE, known_labs, labs_root
from .waiting import wait_until

LOOPBACK_VARIABLE = "OPENBOND_LAB_LOOPBACK"
KEEPER_READY = "keeper.ready"
# A /run of its own, because ip-netns(8) keeps names there; "ready" tells that it is mounted.
KEEPER_SCRIPT = (
    "mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up && "
    ': > "$1" && exec sleep infinity'
)


def enter_user_namespace(*, begins: bool) -> None:
    """Go on inside the user's namespaces; returns at once for root, or when there are none.

    `begins`: make them if need be. Raises LabError when the system does not let the user.
    """
    if os.geteuid() == 0:
        return
    keeper = find_keeper()
    if keeper is None and not begins:
        return
    _check_tun()
    pid = keeper.pid if keeper else _start_keeper().pid
    os.environ[ROOT_VARIABLE] = str(labs_root())
    if begins:
        # The loopback inside is not the machine's: listen before going in.
        os.environ[LOOPBACK_VARIABLE] = str(os.dup(listen_on_loopback(SERVER_PORT).detach()))
        os.set_inheritable(int(os.environ[LOOPBACK_VARIABLE]), True)
    again = [sys.executable, "-m", "openbond.cli", *sys.argv[1:]]
    into = ["nsenter", "--preserve-credentials", "--target", str(pid), "-U", "-m", "-n"]
    os.execvp("nsenter", [*into, "--", *again])  # noqa: S606  # an argument list, no shell text


def find_keeper() -> ProgramRecord | None:
    """Return the keeper of this user, if it runs."""
    try:
        record = msgspec.json.decode(_keeper_file().read_bytes(), type=ProgramRecord)
    except (OSError, msgspec.DecodeError):
        return None
    return record if record.is_running() else None


def end_keeper_if_idle() -> None:
    """End the keeper when the last lab is gone."""
    keeper = find_keeper()
    if keeper is None or known_labs():
        return
    _keeper_file().unlink(missing_ok=True)
    (labs_root() / KEEPER_READY).unlink(missing_ok=True)
    labs_root().rmdir()
    end_programs([keeper.pid])


def _start_keeper() -> ProgramRecord:
    labs_root().mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_namespaces()
    ready = labs_root() / KEEPER_READY
    ready.unlink(missing_ok=True)
    inside = ["sh", "-c", KEEPER_SCRIPT, "keeper", str(ready)]
    argv = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--", *inside]
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=nowhere, setsid=True)
    wait_until(ready.exists, what="the user's namespaces are ready", patience=5)
    record = ProgramRecord(pid=pid, started=start_time_of(pid) or 0)
    _keeper_file().write_bytes(msgspec.json.encode(record))
    return record


def _check_namespaces() -> None:
    try:
        run(["unshare", "--user", "--map-root-user", "--mount", "--net", "--", "true"])
    except LabError as refused:
        raise LabError(
            "this system does not let ordinary users make user namespaces: run the lab with sudo "
            "(or, as root, allow them: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)"
        ) from refused


def _check_tun() -> None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise LabError(
            "the lab needs /dev/net/tun: run it with sudo (or, as root: chmod 0666 /dev/net/tun)"
        )


def _keeper_file() -> Path:
    return labs_root() / "keeper.json"

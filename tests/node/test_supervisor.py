"""The supervisor with real, small programs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from openbond.node.paths import Paths
from openbond.node.programs import Program, read_programs, remove_program, write_program
from openbond.node.supervisor.restarts import Restarts

COMMAND = (sys.executable, "-m", "openbond.cli", "node", "supervisor", "--no-agent")
SLEEPY = ["sleep", "600"]


class Site:
    """One root with a supervisor, which may be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Paths(root)
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.root / "out").open("ab") as out:
            self.running = subprocess.Popen(
                [*COMMAND, "--root", str(self.root)], stdout=out, stderr=out
            )
        self.until(self._answers)

    def _answers(self) -> bool:
        try:
            self.ask(type="status")
        except OSError:
            return False
        return True

    def wants(self, name: str, argv: list[str]) -> None:
        write_program(self.paths.programs, Program(name=name, argv=argv))
        self.ask(type="reload")

    def ask(self, **request: object) -> Any:
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.paths.supervisor_socket))
            door.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(door.makefile().readline())

    def program(self, name: str) -> Any:
        found = {entry["name"]: entry for entry in self.ask(type="status")["programs"]}
        return found.get(name)

    def until(self, condition: Callable[[], object], *, within_s: float = 20.0) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < within_s, (self.root / "out").read_text()
            time.sleep(0.02)
        return time.monotonic() - began

    def signal(self, number: int) -> int:
        assert self.running is not None
        self.running.send_signal(number)
        return self.running.wait(20)


@contextmanager
def running() -> Iterator[Site]:
    # The path of a Unix socket is short; pytest's own directories are not.
    with TemporaryDirectory(prefix="obs") as place:
        built = Site(Path(place))
        built.start()
        yield built
        if built.running is not None and built.running.poll() is None:
            built.signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One supervisor for all tests that leave it alive; each has programs of its own name."""
    with running() as built:
        yield built


@pytest.fixture
def mortal() -> Iterator[Site]:
    """A supervisor that the test may kill."""
    with running() as built:
        yield built


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_wanted_program_runs_and_an_unwanted_one_ends(site: Site) -> None:
    site.wants("one-0", SLEEPY)
    pid = site.program("one-0")["pid"]
    assert alive(pid)

    remove_program(site.paths.programs, "one-0")
    site.ask(type="reload")

    site.until(lambda: not alive(pid))
    assert site.program("one-0") is None


def test_killing_one_program_restarts_only_that_one_and_at_once(site: Site) -> None:
    site.wants("one-1", SLEEPY)
    site.wants("two-1", SLEEPY)
    one, two = site.program("one-1")["pid"], site.program("two-1")["pid"]

    os.kill(one, signal.SIGKILL)
    took = site.until(lambda: site.program("one-1")["pid"] not in (0, one))

    assert took < 1.0
    assert site.program("two-1")["pid"] == two
    assert site.program("one-1")["restarts"] == 1
    assert site.program("one-1")["reason"] == "killed by SIGKILL"


def test_a_program_with_new_arguments_is_replaced_and_that_is_no_restart(site: Site) -> None:
    site.wants("one-2", SLEEPY)
    before = site.program("one-2")["pid"]

    site.wants("one-2", ["sleep", "601"])

    site.until(lambda: site.program("one-2")["pid"] not in (0, before))
    assert site.program("one-2")["restarts"] == 0


def test_a_program_unwanted_and_wanted_again_is_a_new_one_and_no_restart(site: Site) -> None:
    site.wants("again", SLEEPY)
    before = site.program("again")["pid"]

    remove_program(site.paths.programs, "again")
    site.ask(type="reload")
    site.wants("again", SLEEPY)

    site.until(lambda: site.program("again")["pid"] not in (0, before))
    assert site.program("again")["restarts"] == 0


def test_a_supervisor_killed_harms_nobody_and_the_next_one_finds_them(mortal: Site) -> None:
    mortal.wants("one", SLEEPY)
    pid = mortal.program("one")["pid"]

    mortal.signal(signal.SIGKILL)
    assert alive(pid)
    mortal.start()

    assert mortal.program("one")["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    mortal.until(lambda: mortal.program("one")["pid"] not in (0, pid))


def test_it_can_be_upgraded_without_ending_anything(mortal: Site) -> None:
    mortal.wants("one", SLEEPY)
    pid = mortal.program("one")["pid"]

    assert mortal.signal(signal.SIGUSR1) == 0

    assert alive(pid)
    mortal.start()
    assert mortal.program("one")["pid"] == pid


def test_asked_to_end_it_ends_its_programs_even_stubborn_ones(mortal: Site) -> None:
    deaf = [sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN);"]
    deaf[-1] += "open('deaf','w').close(); time.sleep(600)"
    mortal.wants("one", ["env", "-C", str(mortal.root), *deaf])
    mortal.until((mortal.root / "deaf").exists)
    pid = mortal.program("one")["pid"]

    assert mortal.signal(signal.SIGTERM) == 0

    assert not alive(pid)


def test_what_cannot_be_started_is_tried_again_and_its_reason_shown(site: Site) -> None:
    site.wants("one-6", ["/no/such/program"])

    assert site.program("one-6")["pid"] == 0
    assert "No such file" in site.program("one-6")["reason"]
    site.until(lambda: site.program("one-6")["restarts"] >= 3)


def test_a_program_that_does_not_answer_is_killed_with_the_reason_given(site: Site) -> None:
    site.wants("one-7", SLEEPY)
    pid = site.program("one-7")["pid"]

    site.ask(type="restart", name="one-7", reason="did not answer 3 times")

    site.until(lambda: site.program("one-7")["pid"] not in (0, pid))
    assert site.program("one-7")["reason"] == "did not answer 3 times"


def test_a_request_nobody_understands_is_refused_in_words(site: Site) -> None:
    assert "This is no request" in site.ask(type="dance")["refused"]
    assert site.ask(type="restart", name="x", reason="")["refused"] == ("No program 'x' runs here.")


def test_a_second_supervisor_is_refused(site: Site) -> None:
    again = [*COMMAND, "--root", str(site.root)]

    done = subprocess.run(again, capture_output=True, text=True, check=False)

    assert done.returncode == 10
    assert done.stderr.startswith("The supervisor already runs here (pid ")


def test_what_programs_say_goes_into_a_log_each(site: Site) -> None:
    site.wants("one-10", ["sh", "-c", "echo hello; echo trouble >&2; sleep 600"])
    log = site.root / "var" / "log" / "bonding" / "one-10.log"

    site.until(lambda: log.exists() and log.read_text() == "hello\ntrouble\n")


# ------------------------------------------------------------------------------------------- pure


def test_the_first_restart_is_at_once_and_later_ones_wait_longer() -> None:
    restarts, delays = Restarts(), []
    for _ in range(10):
        restarts = restarts.ended(ran_s=0.1)
        delays.append(restarts.delay_s)

    assert delays == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert restarts.total == 10


def test_a_program_that_ran_well_is_restarted_at_once_again() -> None:
    restarts = Restarts(soon=8, total=8).ended(ran_s=60.0)

    assert (restarts.delay_s, restarts.total) == (0, 9)


@pytest.mark.parametrize(
    "content", ["{", '{"name": "../x", "argv": ["a"]}', '{"name": "x", "argv": []}', "[]"]
)
def test_a_damaged_program_file_is_passed_over(tmp_path: Path, content: str) -> None:
    write_program(tmp_path, Program(name="good", argv=["a"]))
    (tmp_path / "bad.json").write_text(content)

    assert list(read_programs(tmp_path)) == ["good"]

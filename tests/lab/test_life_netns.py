"""Labs side by side, and what becomes of killed ones. No server here: only what holds it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from openbond.lab import life
from openbond.lab.errors import LabError
from openbond.lab.forwarder import listen_on_loopback
from openbond.lab.layout import HOSTS, INTERNET, LINES, SERVER, SITE
from openbond.lab.life import Lab, LabState
from openbond.lab.netns import is_alive, namespaces_of
from openbond.lab.registry import ROOT_VARIABLE
from openbond.lab.waiting import wait_until

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.xdist_group("netns"),
]

ONE, OTHER = f"one{os.getpid()}", f"other{os.getpid()}"


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "labs"))
    yield tmp_path / "labs"
    for name in (ONE, OTHER):
        Lab(name).end()


def quiet(_: str) -> None:
    pass


def begin_in_another_process(name: str) -> subprocess.Popen[bytes]:
    """Begin a lab and build its namespaces in a process that can be killed."""
    program = (
        "import sys, time; from openbond.lab import life\n"
        "lab = life.begin(sys.argv[1], print); lab.topology.build(); print('built', flush=True)\n"
        "time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
    return subprocess.Popen([sys.executable, "-c", program, name], env=environment)


def test_two_labs_do_not_meet(own_registry: Path) -> None:
    one, other = life.begin(ONE, quiet), life.begin(OTHER, quiet)
    one.topology.build()
    other.topology.build()

    one.end()

    assert len(namespaces_of(other.directory.prefix)) == len(HOSTS)
    assert "bytes from" in other.host("internet").run(["ping", "-c", "1", SERVER])
    assert other.directory.path.exists()


def test_the_end_leaves_nothing_behind(own_registry: Path) -> None:
    lab = life.begin(ONE, quiet)
    lab.topology.build()
    pids = [pid for name in HOSTS for pid in lab.host(name).pids()]

    lab.end()

    assert len(pids) >= len(LINES)
    assert namespaces_of(lab.directory.prefix) == []
    assert not any(is_alive(pid) for pid in pids)
    assert not own_registry.exists()


def test_a_lab_that_is_being_built_is_not_built_twice() -> None:
    life.begin(ONE, quiet)

    with pytest.raises(LabError, match="is building already"):
        life.begin(ONE, quiet)


@pytest.mark.parametrize("again", [ONE, OTHER], ids=["one", "other"])
def test_a_killed_lab_is_cleaned_by_the_next_up(again: str) -> None:
    killed = begin_in_another_process(ONE)
    wait_until(
        lambda: len(namespaces_of(f"ob-{ONE}-")) == len(HOSTS), what="it is built", patience=15
    )
    time.sleep(1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    left = [pid for one in namespaces_of(f"ob-{ONE}-") for pid in one.pids()]
    assert Lab(ONE).state() is LabState.KILLED

    told: list[str] = []
    life.begin(again, told.append)

    assert told == [f"Cleaning up the killed lab {ONE}"]
    assert namespaces_of(f"ob-{ONE}-") == []
    assert not any(is_alive(pid) for pid in left)


def test_a_build_that_fails_leaves_nothing_behind(own_registry: Path) -> None:
    lab = life.begin(ONE, quiet)
    lab.host("customer").create()  # in the way of the build

    with pytest.raises(LabError, match="File exists"), listen_on_loopback() as loopback:
        life.build(lab, loopback, quiet)

    assert namespaces_of(lab.directory.prefix) == []
    assert not own_registry.exists()


def test_a_lab_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(LabError, match=rf"no lab '{ONE}' is up .* openbond lab up --name {ONE}"):
        Lab.find(ONE)


@pytest.mark.parametrize("name", ["", "Demo", "a-b", "1lab", "x" * 21, "../x"])
def test_a_name_that_would_collide_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="is no name for a lab"):
        Lab(name)


def test_every_line_has_its_own_delay_and_reaches_the_data_centre() -> None:
    lab = life.begin(ONE, quiet)
    lab.topology.build()
    bonder = lab.host("bonder")

    for line in LINES:
        bonder.add_address(line.interface, f"{line.ip}/{line.prefix}")
        bonder.add_route("default", via=line.gateway)
        bonder.run(["ping", "-c", "1", SERVER])
        seen = bonder.run(["ping", "-q", "-c", "5", "-i", "0.1", SERVER])
        bonder.ip("route", "delete", "default")

        # The least, for now and then an ARP exchange takes a round trip of its own.
        least = float(seen.rpartition("= ")[2].split("/")[0])
        assert 2 * line.delay_ms <= least <= 2 * line.delay_ms + 3
        assert lab.topology.rates(line) == (line.mbps, line.mbps)


def test_a_core_without_bonds_does_not_know_the_site() -> None:
    lab = life.begin(ONE, quiet)
    lab.topology.build()

    assert SITE.network not in lab.host("core").ip("route", "show", "table", "all")
    assert INTERNET in lab.host("core").ip("route", "show", "table", "all")

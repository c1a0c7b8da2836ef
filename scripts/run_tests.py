"""Run the test suite in its parts and print one closing line for all of them.

Each part is a run of pytest: everything that needs no root (in parallel), the server's tests once
more on PostgreSQL, then real namespaces and the lab. The latter mostly wait, so the run on
PostgreSQL works beside them, with the lowest weight: it takes what they leave. What compares
speeds runs last, with the machine to itself. A failing part does not stop the others.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent.parent
# What takes long is told, so that the whole stays well inside its half hour.
# So is what held in a second or third run alone.
TOLD = ["--durations=20", "--durations-min=5", "-rR"]
# First what has single tests of a minute or two, or one process would be left with one at the end.
SERVER_TESTS = ["tests/contract", "tests/control", "tests/server", "tests/api", "tests/web"]

# Each process has one half of the files from the start, so what a file sets up is made once.
PARALLEL = ("-n", "2", "--dist", "worksteal")
KERNEL_TESTS = ["tests/e2e", "tests/netns", "tests/lab", "tests/browser"]
ON_REAL_KERNELS = "(netns or e2e or browser) and not speeds and not long"
REST = "not netns and not e2e and not browser"


@dataclass(frozen=True)
class Part:
    """One run of pytest. `is_beside`: beside those after it, up to one that `is_alone`."""

    name: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    needs_root: bool = False
    is_beside: bool = False
    is_alone: bool = False


PARTS = [
    Part("without root, SQLite", (*PARALLEL, "-m", REST, "tests")),
    Part(
        "server, PostgreSQL",
        (*PARALLEL, "--timeout=600", "-m", REST, *SERVER_TESTS),
        (("OPENBOND_TEST_DATABASE", "postgresql"),),
        is_beside=True,
    ),
    Part(
        "namespaces, lab, browser",
        # They mostly wait: two files at a time, each process with a lab of its own.
        ("-n", "2", "--dist", "loadfile", "-m", ON_REAL_KERNELS, *KERNEL_TESTS),
        needs_root=True,
    ),
    Part("speeds", ("-m", "speeds and not long", *KERNEL_TESTS), needs_root=True, is_alone=True),
]


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add_report(self, path: Path) -> None:
        for suite in ElementTree.parse(path).getroot().iter("testsuite"):  # noqa: S314 - our own file
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            self.failed += bad
            self.skipped += skipped
            self.passed += int(suite.get("tests", 0)) - bad - skipped


class LowestWeight:
    """A group of processes that get what all others leave of the processor.

    To be nice is not enough: by autogroup (sched(7)) a nice value counts inside a session alone,
    and each program of the lab has a session of its own. Where no control group can be made, it
    is nice.
    """

    # Version 1 of the controller, then version 2: the file of the weight, and the least it takes.
    PLACES = (("/sys/fs/cgroup/cpu", "cpu.shares", "2"), ("/sys/fs/cgroup", "cpu.weight", "1"))

    def __init__(self) -> None:
        self._group: Path | None = None
        for place, weight, least in self.PLACES:
            group = Path(place) / f"openbond-tests-{os.getpid()}"
            with suppress(OSError):
                group.mkdir()
                self._group = group
                (group / weight).write_text(least)
                return
            self.remove()

    def take(self) -> None:
        """Put this process, and what it will start, into the group."""
        os.nice(19)
        if self._group:
            with suppress(OSError):
                (self._group / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the group; what its processes started and is still ending is waited for."""
        for _ in range(50):
            if not self._group or not self._group.exists():
                break
            with suppress(OSError):
                self._group.rmdir()
                break
            time.sleep(0.1)
        self._group = None


class Run:
    """A part under way. What a part beside others prints is kept until it has ended."""

    def __init__(self, part: Part, folder: Path, *, is_beside: bool) -> None:
        self._part = part
        self._report = folder / f"{part.name}.xml"
        self._said = folder / f"{part.name}.txt" if is_beside else None
        self._began = time.monotonic()
        print(f"\n=== {part.name}{' (beside what follows)' if is_beside else ''}", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", *TOLD, f"--junitxml={self._report}"]
        output = self._said.open("wb") if self._said else None
        self._weight = LowestWeight() if is_beside else None
        self._running = subprocess.Popen(
            [*command, *part.arguments],
            cwd=HERE,
            env={**os.environ, **dict(part.environment)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            preexec_fn=self._weight.take if self._weight else None,
        )

    def finish(self, count: Count) -> bool:
        """Wait for the end, count, and return whether it succeeded."""
        code = self._running.wait()
        if self._weight:
            self._weight.remove()
        if self._said:
            print(f"\n=== {self._part.name}", flush=True)
            print(self._said.read_text(errors="replace"), flush=True)
        print(f"=== {self._part.name}: {time.monotonic() - self._began:.0f} s", flush=True)
        if self._report.exists():
            count.add_report(self._report)
        else:
            count.failed += 1
        return code in (0, 5)  # 5: nothing collected


def run_all(parts: list[Part], folder: Path, count: Count) -> bool:
    """Run the parts and return whether all succeeded."""
    good, beside = True, []
    for part in parts:
        is_beside = part.is_beside and part is not parts[-1]
        if part.is_alone:
            good = finish_all(beside, count) and good
        run = Run(part, folder, is_beside=is_beside)
        if is_beside:
            beside.append(run)
        else:
            good = run.finish(count) and good
    return finish_all(beside, count) and good


def finish_all(beside: list[Run], count: Count) -> bool:
    """Wait for the runs, take them off the list, and return whether all succeeded."""
    ended = [run.finish(count) for run in beside]
    beside.clear()
    return all(ended)


def main() -> int:
    wanted = sys.argv[1:]
    count = Count()
    parts = []
    for part in PARTS:
        if wanted and not any(word in part.name for word in wanted):
            continue
        if part.needs_root and os.geteuid() != 0:
            print(f"\n=== {part.name}: left out, it needs root (run: sudo make test)")
            continue
        parts.append(part)
    with tempfile.TemporaryDirectory() as folder:
        good = run_all(parts, Path(folder), count)
    if count.passed == 0:
        count.failed += 1
    print(f"\n{count.passed} passed, {count.failed} failed, {count.skipped} skipped", flush=True)
    return 0 if good and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main())

"""Run the test suite in its parts and print one closing line for all of them.

The parts run one after another, each by pytest: everything that needs no root (in parallel), the
server's tests once more on PostgreSQL, then real namespaces and the lab. A failing part does not
stop the later ones.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent.parent
# What takes long is told, so that the whole stays well inside its half hour.
SLOWEST = ["--durations=8", "--durations-min=5"]
SERVER_TESTS = ["tests/server", "tests/api", "tests/control", "tests/contract"]


@dataclass
class Part:
    name: str
    arguments: list[str]
    environment: dict[str, str]
    needs_root: bool = False


PARTS = [
    Part("without root, SQLite", ["-n", "2", "-m", "not netns and not e2e", "tests"], {}),
    Part(
        "server, PostgreSQL",
        ["-n", "2", "-m", "not netns and not e2e", *SERVER_TESTS],
        {"OPENBOND_TEST_DATABASE": "postgresql"},
    ),
    Part("namespaces", ["-m", "netns", "tests"], {}, needs_root=True),
    Part("lab, end to end", ["-m", "e2e", "tests/e2e"], {}, needs_root=True),
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


def run(part: Part, count: Count) -> bool:
    """Run one part and return whether it succeeded."""
    print(f"\n=== {part.name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", *SLOWEST, f"--junitxml={report}"]
        command += part.arguments
        done = subprocess.run(
            command, cwd=HERE, env={**os.environ, **part.environment}, check=False
        )
        print(f"=== {part.name}: {time.monotonic() - began:.0f} s", flush=True)
        if report.exists():
            count.add_report(report)
        else:
            count.failed += 1
        return done.returncode in (0, 5)  # 5: nothing collected


def main() -> int:
    wanted = sys.argv[1:]
    count = Count()
    good = True
    for part in PARTS:
        if wanted and not any(word in part.name for word in wanted):
            continue
        if part.needs_root and os.geteuid() != 0:
            print(f"\n=== {part.name}: left out, it needs root (run: sudo make test)")
            continue
        good = run(part, count) and good
    if count.passed == 0:
        count.failed += 1
    print(f"\n{count.passed} passed, {count.failed} failed, {count.skipped} skipped", flush=True)
    return 0 if good and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main())

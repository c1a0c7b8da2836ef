"""A daemon is light: there is one per bond (item 56), so what it carries counts fifty times."""

import subprocess
import sys

import pytest

from openbond.node.tunnel_daemon import log

HEAVY = ("asyncio", "django", "httpx", "pyroute2", "rich", "ssl", "structlog", "typer")


def test_a_daemon_carries_nothing_that_it_does_not_need() -> None:
    program = "import sys, openbond.node.tunnel_daemon.__main__; print(*sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert set(HEAVY) & set(printed.split()) == set()


def test_a_line_of_the_log_has_its_time_level_words_and_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.warning("a leg waits", leg=3, why="interface eth7 does not exist")

    line = capsys.readouterr().out
    assert line.endswith(" leg=3 why=interface eth7 does not exist\n")
    assert "[warning  ] a leg waits" in line
    assert line[:2] == "20"

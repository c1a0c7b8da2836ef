"""The daemon's own log lines: plain text like those of the node's other programs, nothing imported.

There is a daemon per bond, and structlog with what it brings along (asyncio, rich) is half of what
one costs in memory: 10 of 22 MB, 500 MB on an aggregator of 50 bonds (item 56).
"""

import sys
from datetime import UTC, datetime

from openbond.node.wall_clock import wall_ms


def info(words: str, /, **about: object) -> None:
    _write("info", words, about)


def warning(words: str, /, **about: object) -> None:
    _write("warning", words, about)


def _write(level: str, words: str, about: dict[str, object]) -> None:
    at = datetime.fromtimestamp(wall_ms() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    pairs = "".join(f" {name}={value}" for name, value in sorted(about.items()))
    sys.stdout.write(f"{at} [{level:<9}] {words:<30}{pairs}\n")
    sys.stdout.flush()

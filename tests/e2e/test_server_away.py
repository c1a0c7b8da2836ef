"""The server is away for ten minutes: what was measured meanwhile is there afterwards, once
(issue 5, Must show 4).

Minutes of waiting, so the suite leaves it out. By hand, as root:

    pytest -s -m long tests/e2e/test_server_away.py
"""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from msgspec import Struct

from openbond.lab.layout import INTERNET
from openbond.lab.waiting import wait_until
from openbond.server.telemetry.rules.samples import decoded

from .site import Site

AWAY_S = int(os.environ.get("OPENBOND_AWAY_SECONDS", "600"))
# Nodes report once a minute, and ask a server that was away again after some minutes at most.
PATIENCE = 420
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.long,
    pytest.mark.xdist_group("lab"),
    pytest.mark.timeout(AWAY_S + 2 * PATIENCE),
]

INTERVAL_MS = 10_000
PINGS_PER_SECOND = 5
# The three nodes, and the bond as either end tells of it.
SUBJECTS = 5
# Of payload, and of the IP packet that the tunnel carries.
PAYLOAD, PACKET = 1200, 1228


@dataclass(frozen=True)
class Row:
    """What one report told of one subject: when it arrived, and of which times; ms since 1970."""

    at: int
    times: list[int]


class DrawnLine(Struct, frozen=True):
    name: str
    values: list[float | None]


class Chart(Struct, frozen=True):
    start: datetime
    bucket: int
    lines: list[DrawnLine]

    def between(self, line: DrawnLine, begin_ms: int, end_ms: int) -> list[float | None]:
        """Return the values of the buckets that lie wholly between two times."""
        start = self.start.replace(tzinfo=UTC).timestamp()
        return [
            value
            for number, value in enumerate(line.values)
            if begin_ms <= (start + number * self.bucket) * 1000
            and (start + (number + 1) * self.bucket) * 1000 <= end_ms
        ]


def test_what_was_measured_while_the_server_was_away_is_there_afterwards_once(site: Site) -> None:
    with customers_traffic(site):
        wait_until(
            lambda: len(told(site)) >= SUBJECTS,
            what="the nodes have begun to tell what they measure",
            patience=PATIENCE,
            pause=2,
        )
        site.kill_server()
        begin = now_ms()
        time.sleep(AWAY_S)
        end = now_ms()
        site.lab.start_server()
        wait_until(site.server_answers, what="the server answers", patience=PATIENCE)
        took = wait_until(
            lambda: all(has_arrived(rows, end) for rows in told(site).values()),
            what="everything measured meanwhile has arrived",
            patience=PATIENCE,
            pause=2,
        )
    rows = told(site)
    tell(f"away {(end - begin) / 1000:.0f} s, all there {took:.0f} s after the server was back")

    for subject, of_subject in rows.items():
        check_once(subject, of_subject, begin, end)
    for name in ("tunnel_traffic", "leg_traffic", "leg_latency", "cpu"):
        drawn = chart(site, name)
        for line in drawn.lines:
            assert None not in drawn.between(line, begin, end), (name, line)
    check_traffic(chart(site, "tunnel_traffic"), begin, end)


def check_once(subject: tuple[int, int], rows: list[Row], begin: int, end: int) -> None:
    """Every interval of the time away has one sample, and it came when the server was back."""
    late = [row for row in rows if begin < row.times[-1] <= end - INTERVAL_MS]
    times = sorted(at for row in rows for at in row.times if begin < at <= end)
    expected = (end - begin) / INTERVAL_MS
    tell(f"subject {subject}: {len(times)} samples of {expected:.0f} in {len(late)} reports")

    assert all(row.at >= end for row in late)
    assert [row.times for row in late] == sorted(row.times for row in late)
    assert abs(len(times) - expected) <= 1
    assert all(after - before > INTERVAL_MS / 2 for before, after in pairwise(times))


def check_traffic(drawn: Chart, begin: int, end: int) -> None:
    """The customer's pings, neither lost in the time away nor counted twice."""
    for line in drawn.lines:
        values = [value for value in drawn.between(line, begin, end) if value is not None]
        mean = sum(values) / len(values)
        sent = PINGS_PER_SECOND * PACKET * 8
        tell(f"{line.name}: {mean:.0f} bit/s on the chart, {sent} sent")
        assert 0.95 * sent <= mean <= 1.03 * sent


@contextmanager
def customers_traffic(site: Site) -> Iterator[None]:
    words = ["ping", "-q", "-i", str(1 / PINGS_PER_SECOND), "-s", str(PAYLOAD), INTERNET]
    with subprocess.Popen(site.customer.argv(words), stdout=subprocess.DEVNULL) as running:
        try:
            yield
        finally:
            running.terminate()


def told(site: Site) -> dict[tuple[int, int], list[Row]]:
    """Return the samples by whom they are of, in the order in which they arrived."""
    database = site.lab.directory.server_state / "telemetry.sqlite3"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT told, object_id, at, packed FROM telemetry_samples JOIN telemetry_subject "
            "ON telemetry_subject.id = subject_id ORDER BY telemetry_samples.id"
        ).fetchall()
    rows: dict[tuple[int, int], list[Row]] = {}
    for kind, object_id, at, packed in found:
        samples = decoded(packed)
        times = [samples.start_ms + offset for offset in samples.offsets_ms]
        rows.setdefault((kind, object_id), []).append(Row(at, times))
    return rows


def has_arrived(rows: list[Row], end: int) -> bool:
    """Say whether something that was measured after the time away is there."""
    return any(row.times[-1] > end + INTERVAL_MS for row in rows)


def chart(site: Site, name: str) -> Chart:
    return site.api.get(f"/api/charts/bonds/{site.bond_id}/?chart={name}&span=1h", Chart)


def tell(words: str) -> None:
    """Say what was measured, for whoever runs this by hand with -s."""
    sys.stdout.write(f"\n{words}\n")


def now_ms() -> int:
    return round(time.time() * 1000)

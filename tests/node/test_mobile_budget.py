"""What the channel may cost on mobile legs in a month, and how reports become rarer above it."""

import asyncio
import socket
from pathlib import Path

import pytest

from openbond.node import clock
from openbond.node.agent.measuring import Measuring, Sources
from openbond.node.channel.budget import MobileBudget, octets_moved
from openbond.node.daemon_messages import StatusAnswer
from openbond.node.linux.health import Health
from openbond.node.report_queue import MakeReport
from openbond.wire.reports import Metrics
from tests.node.samples import bond, bonder, static_leg
from tests.node.virtual_time import run_virtually

MB = 1_000_000
NOVEMBER, DECEMBER = 1_795_000_000_000, 1_796_200_000_000  # ms: 18 November, 2 December 2026


def test_the_budget_is_of_a_calendar_month(tmp_path: Path) -> None:
    budget = MobileBudget(tmp_path / "spent.json", most_mb=2)

    budget.spend(2 * MB, now_ms=NOVEMBER)
    at_the_limit = budget.is_spent(now_ms=NOVEMBER)
    budget.spend(1, now_ms=NOVEMBER)

    assert not at_the_limit
    assert budget.is_spent(now_ms=NOVEMBER)
    assert not budget.is_spent(now_ms=DECEMBER)
    budget.spend(1, now_ms=DECEMBER)
    assert not budget.is_spent(now_ms=DECEMBER)


def test_what_was_spent_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "spent.json"
    MobileBudget(path, most_mb=1).spend(2 * MB, now_ms=NOVEMBER)

    assert MobileBudget(path, most_mb=1).is_spent(now_ms=NOVEMBER)


def test_a_damaged_file_begins_anew_and_a_disk_that_takes_nothing_ends_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spent.json"
    path.write_bytes(b"\x00 torn")
    gone = tmp_path / "gone"

    found = MobileBudget(path, most_mb=1)
    unwritten = MobileBudget(gone / "spent.json", most_mb=1)
    gone.touch()
    unwritten.spend(2 * MB, now_ms=NOVEMBER)

    assert not found.is_spent(now_ms=NOVEMBER)
    assert unwritten.is_spent(now_ms=NOVEMBER)


def receive(end: socket.socket, octets: int) -> None:
    while octets > 0:
        octets -= len(end.recv(octets))


def test_all_octets_of_a_connection_count_headers_included() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as near,
    ):
        far, _ = listening.accept()
        with far:
            near.sendall(bytes(10_000))
            receive(far, 10_000)
            far.sendall(bytes(500))
            receive(near, 500)

            moved = octets_moved(near)

    # Handshake and acknowledgements included: at least four packets with headers.
    assert 10_500 + 4 * 52 <= moved <= 10_500 + 20 * 52


@pytest.mark.parametrize(("is_thrifty", "reports"), [(False, 10), (True, 1)])
def test_above_the_budget_metrics_are_reported_ten_times_more_rarely(
    monkeypatch: pytest.MonkeyPatch, is_thrifty: bool, reports: int
) -> None:
    told: list[Metrics] = []

    class Told:
        def add(self, make: MakeReport) -> None:
            report = make(len(told) + 1)
            assert isinstance(report, Metrics)
            told.append(report)

    async def statuses() -> dict[int, StatusAnswer]:
        return {}

    async def life() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(clock, "monotonic", loop.time)
        monkeypatch.setattr(clock, "wall_ms", lambda: round(loop.time() * 1000))
        content = bonder(bond(legs=[static_leg()]))
        sources = Sources(
            lambda: content,
            statuses,
            dict,
            Health,
            is_thrifty=lambda: is_thrifty,
        )
        measuring = asyncio.create_task(Measuring(sources, Told()).run())
        await asyncio.sleep(625)
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)

    run_virtually(life())

    assert len(told) == reports
    assert sum(len(report.times_ms) for report in told) == 60, "none is lost"

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.node.report_queue import ReportQueue
from openbond.wire.metrics import Columns
from openbond.wire.reports import BondRates, LegStateChanged, Metrics, Report, ReportsLost
from openbond.wire.states import ShownState

DAY_MS = 24 * 3600 * 1000


def rates(at_ms: int = 0) -> Callable[[int], Report]:
    return lambda number: BondRates(
        number=number, at_ms=at_ms, bond_id=7, download_bps=1, upload_bps=2
    )


def change(at_ms: int = 0) -> Callable[[int], Report]:
    return lambda number: LegStateChanged(
        number=number,
        at_ms=at_ms,
        bond_id=7,
        leg_id=21,
        old=ShownState.UP,
        new=ShownState.DOWN,
        signal="SILENT",
    )


def numbers(queue: ReportQueue) -> list[int]:
    return [report.number for report in queue.batch()]


def test_what_waited_is_there_after_a_restart(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue")
    queue.add(change(1), now_ms=1)
    queue.add(rates(2), now_ms=2)

    again = ReportQueue(tmp_path / "queue")

    assert again.batch() == queue.batch()
    assert again.add(change(3), now_ms=3).number == 3


def test_numbers_rise_by_one_even_when_all_was_taken(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue")
    for at in range(300):
        queue.add(rates(at), now_ms=at)
        queue.taken(at + 1)

    again = ReportQueue(tmp_path / "queue")

    assert len(again) < 300
    assert again.add(rates(), now_ms=0).number == 301


def test_the_file_does_not_grow_with_what_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "queue"
    queue = ReportQueue(path)
    for at in range(1000):
        queue.add(rates(at), now_ms=at)
        queue.taken(at + 1)

    assert path.stat().st_size < 20_000


def test_the_server_may_take_a_part(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue")
    for at in range(5):
        queue.add(change(at), now_ms=at)

    queue.taken(3)

    assert numbers(queue) == [4, 5]


def test_a_line_torn_by_a_power_cut_is_dropped_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "queue"
    queue = ReportQueue(path)
    queue.add(change(1), now_ms=1)
    queue.add(change(2), now_ms=2)
    path.write_bytes(path.read_bytes()[:-10])

    again = ReportQueue(path)
    again.add(change(3), now_ms=3)

    assert [report.at_ms for report in ReportQueue(path).batch()] == [1, 3]


def test_when_room_is_short_metrics_go_before_changes_of_state(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue", most_bytes=4000)
    queue.add(change(1), now_ms=1)
    for at in range(2, 100):
        queue.add(rates(at), now_ms=at)
    queue.add(change(100), now_ms=100)

    kept = queue.batch()

    assert [r.at_ms for r in kept if isinstance(r, LegStateChanged)] == [1, 100]
    metrics = [r.at_ms for r in kept if isinstance(r, BondRates)]
    assert metrics == list(range(metrics[0], 100))


def test_every_lost_report_is_counted(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue", most_bytes=4000)
    for at in range(200):
        queue.add(rates(at), now_ms=at)

    kept = queue.batch()

    lost = sum(report.count for report in kept if isinstance(report, ReportsLost))
    assert lost + sum(isinstance(report, BondRates) for report in kept) == 200
    assert sum(isinstance(report, ReportsLost) for report in kept) == 1


def test_after_seven_days_a_report_is_no_use(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue")
    queue.add(change(0), now_ms=0)

    queue.add(change(8 * DAY_MS), now_ms=8 * DAY_MS)

    assert [type(report) for report in queue.batch()] == [LegStateChanged, ReportsLost]


class FullDisk:
    """A queue's file on a disk that has room for so many bytes, shared by all files of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and os.fstat(descriptor).st_size > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_the_oldest_metrics_give_way_and_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = ReportQueue(tmp_path / "queue")
    disk = FullDisk(monkeypatch, room=3_000)
    for at in range(1, 100):
        queue.add(rates(at) if at % 10 else change(at), now_ms=at)

    kept = ReportQueue(tmp_path / "queue").batch()

    assert kept == queue.batch()
    assert (tmp_path / "queue").stat().st_size <= disk.room
    changes = [r.at_ms for r in kept if isinstance(r, LegStateChanged)]
    metrics = [r.at_ms for r in kept if isinstance(r, BondRates)]
    (lost,) = [r.count for r in kept if isinstance(r, ReportsLost)]
    assert changes == list(range(10, 100, 10))
    assert metrics == [at for at in range(metrics[0], 100) if at % 10]
    assert lost + len(changes) + len(metrics) == 99


def test_on_a_disk_that_takes_nothing_reports_wait_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = ReportQueue(tmp_path / "queue")
    queue.add(change(1), now_ms=1)
    disk = FullDisk(monkeypatch, room=0)
    for at in (2, 3):
        with pytest.raises(OSError, match="No space"):
            queue.add(rates(at), now_ms=at)
    in_memory = [report.at_ms for report in queue.batch()]
    disk.room = 10_000
    queue.add(change(4), now_ms=4)

    assert in_memory == [1, 2, 3]
    assert [report.at_ms for report in ReportQueue(tmp_path / "queue").batch()] == [1, 2, 3, 4]
    assert numbers(queue) == [1, 2, 3, 4]


def test_a_request_stays_small_however_large_the_reports(tmp_path: Path) -> None:
    queue = ReportQueue(tmp_path / "queue")
    for at in range(3):
        queue.add(large(at), now_ms=at)

    first = queue.batch()
    queue.taken(first[-1].number)

    assert len(first) == 1
    assert numbers(queue) == [2]


def large(at_ms: int) -> Callable[[int], Report]:
    series: Columns = {"up": list(range(400_000))}
    return lambda number: Metrics(
        number=number, at_ms=at_ms, interval_ms=10_000, times_ms=[at_ms], node=series
    )


@given(st.lists(st.sampled_from(["add", "take", "restart"]), max_size=60))
def test_no_number_is_ever_given_twice(actions: list[str]) -> None:
    with TemporaryDirectory() as place:
        path = Path(place, "queue")
        queue, given_out = ReportQueue(path), []
        for action in actions:
            if action == "add":
                given_out.append(queue.add(rates(), now_ms=0).number)
            elif action == "take" and len(queue):
                queue.taken(queue.batch()[0].number)
            elif action == "restart":
                queue = ReportQueue(path)

        assert given_out == list(range(1, len(given_out) + 1))

"""The measurements of the server, small: they run, and what they prove of correctness holds."""

import pytest

from openbond.lab.bench.rows import Row
from openbond.lab.bench.server import children

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    monkeypatch.setenv("OPENBOND_BENCH_SECONDS", "1")
    return children.measure("writers", url="", say=lambda words: None)


def test_eight_processes_on_one_file_lose_nothing_and_meet_no_lock_error(rows: list[Row]) -> None:
    found = {row.name: row for row in rows}

    assert found["8 writers, errors"].value == 0, found
    assert found["8 writers, lost updates"].value == 0, found
    # Each wrote at least once, so there was something to lose.
    assert found["8 writers, rate"].value > 0

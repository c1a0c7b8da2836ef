"""The number of a start rises for ever: across reboots, and without a right clock."""

from pathlib import Path

import pytest

from openbond.node.tunnel_daemon.starts import next_start, starts_path

NOW = 1_790_000_000


def test_the_first_start_takes_the_clock(tmp_path: Path) -> None:
    assert next_start(starts_path(tmp_path, 7), NOW) == NOW


def test_a_clock_that_fell_back_does_not_make_the_number_fall(tmp_path: Path) -> None:
    path = starts_path(tmp_path, 7)
    first = next_start(path, NOW)

    assert next_start(path, 1000) == first + 1
    assert next_start(path, 1000) == first + 2


def test_two_starts_in_one_second_differ(tmp_path: Path) -> None:
    path = starts_path(tmp_path, 7)

    assert len({next_start(path, NOW) for _ in range(5)}) == 5


def test_bonds_count_apart(tmp_path: Path) -> None:
    assert starts_path(tmp_path, 7) != starts_path(tmp_path, 8)


@pytest.mark.parametrize("damage", [b"", b"\xff\x00", b"-4", b"12x"])
def test_a_damaged_file_leaves_the_clock(tmp_path: Path, damage: bytes) -> None:
    path = starts_path(tmp_path, 7)
    path.write_bytes(damage)

    assert next_start(path, NOW) == NOW

"""The replay window: each number once, none too old."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.messages import REPLAY_WINDOW
from openbond.tunnel.replay import ReplayWindow

LAST = 2**64 - 1


def test_the_window_reads_as_this_list() -> None:
    window = ReplayWindow()

    for number, accepted in [
        (0, True),
        (1, True),
        (1, False),
        (9, True),
        (8, True),
        (7, True),
        (7, False),
        (REPLAY_WINDOW, True),
        (REPLAY_WINDOW - 1, True),
        (REPLAY_WINDOW - 1, False),
        (1, False),
        (2, True),
        (2, False),
        (REPLAY_WINDOW + 16, True),
        (3, False),  # never came, and is too old now
        (16, False),
        (17, True),
        (LAST, True),
        (LAST, False),
        (LAST - REPLAY_WINDOW, False),
        (LAST - REPLAY_WINDOW + 1, True),
        (0, False),
    ]:
        assert window.accept(number) is accepted, number


def test_a_run_is_taken_whole_or_not_at_all() -> None:
    window = ReplayWindow()
    assert window.accept_run(10, 5)
    assert window.accept(20)

    assert not window.accept_run(14, 3)  # 14 came already

    assert [window.accept(number) for number in (14, 15, 16)] == [False, True, True]


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_run_longer_than_the_window_leaves_nothing_open(size: int) -> None:
    window = ReplayWindow(size)

    assert window.accept_run(100, 3 * size)

    assert not any(window.accept(number) for number in range(100, 100 + 3 * size))
    assert window.accept(100 + 3 * size)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), max_size=60))
def test_it_equals_a_set_that_forgets_what_is_too_old(runs: list[tuple[int, int]]) -> None:
    size = 64
    window, seen = ReplayWindow(size), set[int]()

    for first, count in runs:
        numbers = range(first, first + count)
        newest = max(seen, default=-1)
        are_new = all(n not in seen for n in numbers)
        behind = first <= newest
        fits = not behind or (first + count - 1 <= newest and first > newest - size)
        assert window.accept_run(first, count) is (are_new and fits)
        if are_new and fits:
            seen.update(numbers)
        assert window.highest == max(seen, default=-1)

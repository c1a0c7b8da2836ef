from hypothesis import given
from hypothesis import strategies as st

from openbond.node.backoff import Backoff


def after(failures: int, *, refused: bool = False, dice: float = 0.5) -> float:
    backoff = Backoff()
    for _ in range(failures):
        backoff = backoff.failed()
    return backoff.delay(refused=refused, dice=dice)


def test_the_delay_doubles_from_one_second_to_sixty() -> None:
    assert [after(n) for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_server_that_blames_the_node_is_asked_every_15_minutes_at_last() -> None:
    assert [after(n, refused=True) for n in (1, 7, 10, 11, 30)] == [1, 64, 512, 900, 900]


def test_nodes_that_failed_together_do_not_come_back_together() -> None:
    assert after(7, dice=0.0) == 30
    assert after(7, dice=1.0) == 90


@given(st.integers(1, 10_000), st.booleans(), st.floats(0, 1, exclude_max=True))
def test_it_never_gives_up_and_never_hurries(failures: int, refused: bool, dice: float) -> None:
    delay = after(min(failures, 400), refused=refused, dice=dice)

    assert 0.5 <= delay <= 1.5 * 900


def test_a_node_that_has_failed_for_years_can_still_count() -> None:
    assert Backoff(10**9).delay(refused=False, dice=0.5) == 60

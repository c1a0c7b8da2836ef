"""A path MTU that fell is told from loss by what is missing: all that is large, for a while."""

from openbond.tunnel.hearing import Gap, Hearing
from openbond.tunnel.large_loss import ENOUGH, LargeLoss

PATIENCE = 0.05
LATER = 10.0


def report(highest: int, *gaps: tuple[int, int], session: int = 1) -> Hearing:
    return Hearing(session, highest, 0, 0.0, tuple(Gap(*gap) for gap in gaps))


def sent(loss: LargeLoss, first: int, count: int, *, size: int = 1400, session: int = 1) -> None:
    loss.on_sent(session, first + count - 1, count, count * size, 1.0)


def test_large_datagrams_that_all_vanish_are_found() -> None:
    loss = LargeLoss()
    sent(loss, 10, ENOUGH)

    assert loss.on_report(report(10 + ENOUGH, (10, ENOUGH)), LATER, PATIENCE)


def test_it_is_told_once() -> None:
    loss = LargeLoss()
    sent(loss, 10, ENOUGH)
    loss.on_report(report(10 + ENOUGH, (10, ENOUGH)), LATER, PATIENCE)

    assert not loss.on_report(report(10 + ENOUGH, (10, ENOUGH)), LATER, PATIENCE)


def test_one_that_came_through_says_that_the_size_fits() -> None:
    loss = LargeLoss()
    for run in range(6):
        sent(loss, 10 + 4 * run, 4)

    gaps = [(10, 4), (15, 3), (18, 4), (23, 3), (26, 4), (31, 3)]

    assert not loss.on_report(report(40, *gaps), LATER, PATIENCE)


def test_small_datagrams_say_nothing() -> None:
    loss = LargeLoss()
    sent(loss, 10, 4 * ENOUGH, size=200)

    assert not loss.on_report(report(99, (10, 4 * ENOUGH)), LATER, PATIENCE)


def test_what_may_still_be_named_is_waited_for() -> None:
    loss = LargeLoss()
    sent(loss, 10, ENOUGH)

    assert not loss.on_report(report(10 + ENOUGH), 1.01, PATIENCE)
    assert loss.on_report(report(10 + ENOUGH, (10, ENOUGH)), 1.16, PATIENCE)


def test_silence_is_not_loss() -> None:
    loss = LargeLoss()
    sent(loss, 10, ENOUGH)

    assert not loss.on_report(report(9), LATER, PATIENCE)


def test_a_new_keypair_begins_anew() -> None:
    loss = LargeLoss()
    sent(loss, 10, ENOUGH)
    sent(loss, 1, 1, session=2)

    assert not loss.on_report(report(10 + ENOUGH, (10, ENOUGH)), LATER, PATIENCE)
    assert not loss.on_report(report(5, (1, 1), session=2), LATER, PATIENCE)

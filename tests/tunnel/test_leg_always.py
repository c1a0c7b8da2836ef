"""What holds of a leg whatever happens to it."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from openbond.tunnel.legs import is_eligible
from openbond.tunnel.settings import LinkMode
from tests.tunnel.pair import AGGREGATOR, BONDER, Line, Pair, bond, leg

BOTH = (BONDER, AGGREGATOR)


mishaps = st.lists(
    st.tuples(
        st.sampled_from(
            ["cut", "mend", "loss", "delay", "port", "lost", "ready", "restart", "data", "mode"]
        ),
        st.floats(min_value=0.0, max_value=8.0),
    ),
    max_size=12,
)


def happen(pair: Pair, what: str, epoch: int) -> None:
    line = pair.lines[1]
    role = (BONDER, AGGREGATOR)[epoch % 2]
    deeds: dict[str, Callable[[], object]] = {
        "cut": line.cut,
        "mend": line.mend,
        "loss": lambda: setattr(line, "loss_up", 0.0 if line.loss_up else 0.3),
        "delay": lambda: setattr(line, "delay_down", 0.2 if line.delay_down < 0.1 else 0.01),
        "port": lambda: setattr(line, "bonder_port", line.bonder_port + 1),
        "lost": lambda: pair.end(BONDER, 1).on_lost(pair.now),
        "ready": lambda: pair.end(BONDER, 1).on_ready(None, pair.now),
        "restart": lambda: pair.restart(role, epoch),
        "data": lambda: pair.send_data(role, 1, 20),
        "mode": lambda: pair.reconfigure(
            role, bond(role, leg(1, mode=LinkMode.IDLE), leg(2, failover=True))
        ),
    }
    deeds[what]()


def live(seed: int, story: list[tuple[str, float]]) -> Pair:
    pair = Pair(leg(1), leg(2, failover=True), seed=seed)
    pair.run(7)
    for epoch, (what, seconds) in enumerate(story, start=2):
        happen(pair, what, epoch)
        pair.run(seconds)  # asserts that no timer points into the past
    return pair


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), mishaps)
def test_whatever_happens_a_mended_leg_works_again_within_nine_seconds(
    seed: int, story: list[tuple[str, float]]
) -> None:
    pair = live(seed, story)
    pair.lines[1] = Line(bonder_port=pair.lines[1].bonder_port)
    for role in BOTH:
        pair.reconfigure(role, bond(role, leg(1), leg(2, failover=True)))

    pair.run(9)

    assert is_eligible(pair.end(BONDER, 1))
    assert is_eligible(pair.end(AGGREGATOR, 1))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), mishaps)
def test_the_same_inputs_give_the_same_outputs(seed: int, story: list[tuple[str, float]]) -> None:
    first, second = live(seed, story), live(seed, story)

    for role in BOTH:
        assert first.ends[role].events == second.ends[role].events
        assert first.ends[role].sent_control == second.ends[role].sent_control
        assert first.ends[role].drops == second.ends[role].drops


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), mishaps)
def test_events_tell_each_state_once_and_in_the_order_of_time(
    seed: int, story: list[tuple[str, float]]
) -> None:
    pair = live(seed, [step for step in story if step[0] != "restart"])

    for role in BOTH:
        changes = pair.changes(role)
        assert all(before.new == after.old for before, after in pairwise(changes))
        assert all(before.at <= after.at for before, after in pairwise(changes))
        assert changes[-1].new == pair.end(role).shown

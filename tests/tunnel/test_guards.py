"""Full legs and spill legs: findings, hysteresis, and who takes what (behaviour 2.7)."""

from dataclasses import replace

import pytest

from openbond.tunnel.guards import (
    FULL_AGAIN_AFTER,
    LOSS_WINDOW,
    Guards,
    LegFacts,
    Use,
    best_leg,
)
from openbond.tunnel.leg_queue import LegQueue
from openbond.tunnel.messages import Type
from openbond.tunnel.parcels import Parcel
from openbond.tunnel.repair import Outbox
from openbond.tunnel.spill import FLOW_IDLE, WAIT_FOR, Spill
from tests.tunnel.ends import still_end

GOOD = LegFacts(leg_id=1, bps=50e6, rtt=0.020, delay=0.0, loss=0.0, late=0.0, sent=0)
ALIKE = LegFacts(leg_id=2, bps=40e6, rtt=0.030, delay=0.005, loss=0.0, late=0.0, sent=0)
MANY = 10_000  # datagrams in a window


def judge(guards: Guards, second: LegFacts, now: float, *, sent: int = MANY) -> Use:
    """Judge two legs after a window in which so many datagrams were sent on the second."""
    guards.judge([GOOD, replace(second, sent=0, loss=None, late=None)], now - LOSS_WINDOW)
    return guards.judge([GOOD, replace(second, sent=sent)], now)[2]


def use_of_second(facts: LegFacts) -> tuple[Use, str]:
    guards = Guards()
    return judge(guards, facts, 10.0), guards.words(2)


@pytest.mark.parametrize(
    ("facts", "use", "words"),
    [
        (ALIKE, Use.FULL, ""),
        (replace(ALIKE, late=0.051), Use.FLOWS, "spill only, 5% of its packets come too late"),
        (replace(ALIKE, loss=0.025), Use.FLOWS, "spill only, loses 2.5%"),
        (replace(ALIKE, delay=0.090), Use.FLOWS, "spill only, adds 90 ms"),
        (replace(ALIKE, bps=25e6), Use.OVERFLOW, "spill only, leg 1 is 2.0 times as fast"),
        (replace(ALIKE, rtt=0.070), Use.OVERFLOW, "spill only, adds 50 ms of round trip"),
        (replace(ALIKE, loss=0.015), Use.FULL, ""),
        (replace(ALIKE, loss=None, late=None, rtt=None), Use.FULL, ""),
    ],
)
def test_findings(facts: LegFacts, use: Use, words: str) -> None:
    assert use_of_second(facts) == (use, words)


def test_the_best_leg_is_the_fastest_clean_one_and_always_full() -> None:
    lossy_but_fast = replace(ALIKE, bps=100e6, loss=0.05, delay=0.2)

    assert best_leg([GOOD, lossy_but_fast]) is GOOD
    assert best_leg([replace(GOOD, bps=40e6, rtt=0.04), ALIKE]) is ALIKE
    assert Guards().judge([replace(GOOD, delay=1.0, late=1.0)], 0.0) == {1: Use.FULL}


@pytest.mark.parametrize("lost", [3, 4])
def test_what_chance_takes_of_a_quiet_leg_is_no_finding(lost: int) -> None:
    facts = replace(ALIKE, loss=lost / 100)

    assert judge(Guards(), facts, 10.0, sent=100) is Use.FULL
    assert judge(Guards(), facts, 10.0, sent=10_000) is Use.FLOWS


def test_a_quiet_leg_that_loses_a_tenth_is_found_out() -> None:
    assert judge(Guards(), replace(ALIKE, loss=0.10), 10.0, sent=100) is Use.FLOWS


def test_a_leg_is_full_again_after_30_s_without_findings() -> None:
    guards = Guards()
    assert judge(guards, replace(ALIKE, late=0.2), 0.0) is Use.FLOWS

    uses = {now: guards.judge([GOOD, ALIKE], float(now))[2] for now in range(1, 40)}

    changed = [now for now, use in uses.items() if use is Use.FULL]
    assert changed[0] == 1 + FULL_AGAIN_AFTER


@pytest.mark.parametrize("better", [{"late": 0.03}, {"loss": 0.017}])
def test_a_finding_that_is_only_a_little_better_keeps_the_leg_a_spill_leg(
    better: dict[str, float],
) -> None:
    guards = Guards()
    assert judge(guards, replace(ALIKE, loss=0.1, late=0.1), 0.0) is Use.FLOWS

    for second in range(1, 100):
        facts = replace(ALIKE, sent=MANY * (second + 10), **better)  # type: ignore[arg-type]
        uses = guards.judge([GOOD, facts], float(second))

    assert uses[2] is Use.FLOWS


def test_a_slower_leg_that_was_lossy_takes_no_single_packets_before_that_is_over() -> None:
    guards, slow = Guards(), replace(ALIKE, bps=20e6)
    assert judge(guards, replace(slow, loss=0.1), 0.0) is Use.FLOWS

    uses = {now: guards.judge([GOOD, slow], float(now))[2] for now in range(1, 40)}

    assert uses[30] is Use.FLOWS
    assert uses[31] is Use.OVERFLOW


# -- who takes what -------------------------------------------------------------------------------


def leg(leg_id: int) -> LegQueue:
    return LegQueue(still_end(leg_id), bps=10e6, outbox=Outbox(keep=0.0, room=0))


def parcel(flow: int) -> Parcel:
    return Parcel(Type.PACKET, flow, 0, bytes(1400))


def fill(queue: LegQueue) -> None:
    for _ in range(12):  # some 14 ms at 10 Mbit/s
        queue.enqueue(parcel(99))


def spill(full: LegQueue, other: LegQueue, use: Use) -> Spill:
    made = Spill()
    made.set_legs([full, other], {full.id: Use.FULL, other.id: use})
    return made


def test_an_unlike_leg_joins_only_while_the_full_legs_wait() -> None:
    full, unlike = leg(1), leg(2)
    made = spill(full, unlike, Use.OVERFLOW)

    made.look(0.0)
    assert made.legs_for(parcel(1), 0.0) == [full]
    fill(full)
    made.look(0.0)
    assert made.legs_for(parcel(1), 0.0) == [full, unlike]


def test_a_bad_leg_takes_only_flows_that_begin_while_the_full_legs_have_waited() -> None:
    full, bad = leg(1), leg(2)
    made = spill(full, bad, Use.FLOWS)
    fill(full)
    made.look(0.0)
    made.on_given(parcel(1), full, 0.0)

    fill(full)
    made.look(WAIT_FOR)
    # The line has carried on meanwhile, yet the queue is as long.
    assert made.legs_for(parcel(1), WAIT_FOR) == [full]
    assert made.legs_for(parcel(2), WAIT_FOR) == [full, bad]
    assert made.legs_for(parcel(3), WAIT_FOR - 0.01) == [full]


def test_a_flow_stays_on_the_bad_leg_it_began_on_until_it_pauses() -> None:
    full, bad = leg(1), leg(2)
    made = spill(full, bad, Use.FLOWS)
    made.on_given(parcel(2), bad, 0.0)

    made.look(1.0)
    assert made.kept_on(parcel(2), 1.0) is bad
    made.look(1.0 + FLOW_IDLE + 0.1)
    assert made.kept_on(parcel(2), 1.0 + FLOW_IDLE + 0.1) is None


def test_a_flow_leaves_a_bad_leg_that_is_not_eligible_any_more() -> None:
    full, bad = leg(1), leg(2)
    made = spill(full, bad, Use.FLOWS)
    made.on_given(parcel(2), bad, 0.0)

    made.set_legs([full], {1: Use.FULL})

    assert made.kept_on(parcel(2), 0.1) is None
    assert made.legs_for(parcel(2), 0.1) == [full]


def test_without_a_judgement_every_leg_is_full() -> None:
    one, other = leg(1), leg(2)
    made = Spill()

    made.set_legs([one, other], {})

    assert made.legs_for(parcel(1), 0.0) == [one, other]

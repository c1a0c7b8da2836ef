"""The table of states against behaviour 3.2 and 3.3."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.leg import TRANSITIONS, Facts, Inner, LegMachine, Signal, Trouble
from openbond.tunnel.settings import LinkMode, Role

BOTH = list(Role)
SHOWN = {
    "offline",
    "down",
    "handshaking",
    "testing",
    "removed",
    "idle",
    "unhealthy",
    "adjusted",
    "failover",
    "up",
}


def machine(
    inner: Inner,
    *,
    role: Role = Role.BONDER,
    trouble: Trouble = Trouble.NONE,
    facts: Facts | None = None,
) -> LegMachine:
    facts = facts or Facts(mode=LinkMode.ACTIVE)
    return LegMachine(role=role, facts=facts, inner=inner, trouble=trouble)


def active(**facts: bool) -> Facts:
    return Facts(mode=LinkMode.ACTIVE, **facts)


# Behaviour 3.3, row by row: from, signal, facts, trouble before, to, trouble after.
ROWS = [
    (Inner.OFFLINE, Signal.MODE_IDLE, active(), Trouble.NONE, Inner.DOWN, Trouble.NONE),
    (Inner.OFFLINE, Signal.MODE_ACTIVE, active(), Trouble.NONE, Inner.DOWN, Trouble.NONE),
    (Inner.DOWN, Signal.ECHO, active(), Trouble.NONE, Inner.TESTING, Trouble.NONE),
    (Inner.HANDSHAKING, Signal.SESSION, active(), Trouble.NONE, Inner.TESTING, Trouble.NONE),
    (Inner.DOWN, Signal.SESSION, active(), Trouble.NONE, Inner.TESTING, Trouble.NONE),
    (Inner.HANDSHAKING, Signal.NO_SESSION, active(), Trouble.NONE, Inner.DOWN, Trouble.NONE),
    (Inner.TESTING, Signal.SILENT, active(), Trouble.NONE, Inner.DOWN, Trouble.NONE),
    (Inner.WORKING, Signal.SILENT, active(), Trouble.LOSS, Inner.DOWN, Trouble.NONE),
    (Inner.REMOVED, Signal.SILENT, active(), Trouble.LOSS, Inner.DOWN, Trouble.NONE),
    (Inner.TESTING, Signal.STEADY, active(), Trouble.NONE, Inner.WORKING, Trouble.NONE),
    (
        Inner.TESTING,
        Signal.STEADY,
        active(under_test=True),
        Trouble.NONE,
        Inner.TESTING,
        Trouble.NONE,
    ),
    (
        Inner.TESTING,
        Signal.STEADY,
        active(held_out=True, flap_detection=True),
        Trouble.NONE,
        Inner.REMOVED,
        Trouble.FLAPPING,
    ),
    (
        Inner.TESTING,
        Signal.STEADY,
        active(held_out=True),
        Trouble.NONE,
        Inner.WORKING,
        Trouble.FLAPPING,
    ),
    (
        Inner.TESTING,
        Signal.STEADY,
        Facts(mode=LinkMode.IDLE, held_out=True, flap_detection=True),
        Trouble.NONE,
        Inner.WORKING,
        Trouble.NONE,
    ),
    (
        Inner.WORKING,
        Signal.LOSS_HIGH,
        active(loss_detection=True, others_eligible=True),
        Trouble.NONE,
        Inner.REMOVED,
        Trouble.LOSS,
    ),
    (
        Inner.WORKING,
        Signal.LOSS_HIGH,
        active(loss_detection=True),
        Trouble.NONE,
        Inner.WORKING,
        Trouble.LOSS,
    ),
    (
        Inner.WORKING,
        Signal.LOSS_HIGH,
        active(others_eligible=True),
        Trouble.NONE,
        Inner.WORKING,
        Trouble.LOSS,
    ),
    (
        Inner.WORKING,
        Signal.LOSS_HIGH,
        Facts(mode=LinkMode.IDLE, loss_detection=True, others_eligible=True),
        Trouble.NONE,
        Inner.WORKING,
        Trouble.NONE,
    ),
    (
        Inner.WORKING,
        Signal.OTHER_ELIGIBLE,
        active(loss_detection=True),
        Trouble.LOSS,
        Inner.REMOVED,
        Trouble.LOSS,
    ),
    (
        Inner.WORKING,
        Signal.OTHER_ELIGIBLE,
        active(loss_detection=True),
        Trouble.LATENCY,
        Inner.WORKING,
        Trouble.LATENCY,
    ),
    (Inner.WORKING, Signal.LOSS_LOW, active(), Trouble.LOSS, Inner.WORKING, Trouble.NONE),
    (Inner.WORKING, Signal.LATENCY_HIGH, active(), Trouble.NONE, Inner.WORKING, Trouble.LATENCY),
    (Inner.WORKING, Signal.LATENCY_LOW, active(), Trouble.LATENCY, Inner.WORKING, Trouble.NONE),
    (Inner.WORKING, Signal.SLOWED, active(), Trouble.NONE, Inner.WORKING, Trouble.SLOWED),
    (Inner.WORKING, Signal.FULL_SPEED, active(), Trouble.SLOWED, Inner.WORKING, Trouble.NONE),
    (Inner.REMOVED, Signal.REJOIN, active(), Trouble.LOSS, Inner.WORKING, Trouble.NONE),
    (Inner.REMOVED, Signal.ALONE, active(), Trouble.LOSS, Inner.WORKING, Trouble.LOSS),
    (Inner.WORKING, Signal.TEST_BEGIN, active(), Trouble.NONE, Inner.TESTING, Trouble.NONE),
    (Inner.TESTING, Signal.TEST_END, active(), Trouble.NONE, Inner.TESTING, Trouble.NONE),
]


@pytest.mark.parametrize(("start", "signal", "facts", "before", "end", "after"), ROWS)
@pytest.mark.parametrize("role", BOTH)
def test_the_rows_of_behaviour(
    start: Inner,
    signal: Signal,
    facts: Facts,
    before: Trouble,
    end: Inner,
    after: Trouble,
    role: Role,
) -> None:
    leg = machine(start, role=role, trouble=before, facts=facts)

    leg.signal(signal)

    assert (leg.inner, leg.trouble) == (end, after)


@pytest.mark.parametrize("start", list(Inner))
def test_mode_offline_ends_everything(start: Inner) -> None:
    leg = machine(start, trouble=Trouble.LOSS)

    leg.signal(Signal.MODE_OFFLINE)

    assert (leg.inner, leg.trouble) == (Inner.OFFLINE, Trouble.NONE)


@pytest.mark.parametrize(
    ("signal", "start", "end", "only"),
    [
        (Signal.READY, Inner.DOWN, Inner.HANDSHAKING, Role.BONDER),
        (Signal.INITIATION, Inner.DOWN, Inner.HANDSHAKING, Role.AGGREGATOR),
        (Signal.LOST, Inner.HANDSHAKING, Inner.DOWN, Role.BONDER),
        (Signal.LOST, Inner.TESTING, Inner.DOWN, Role.BONDER),
        (Signal.LOST, Inner.WORKING, Inner.DOWN, Role.BONDER),
        (Signal.LOST, Inner.REMOVED, Inner.DOWN, Role.BONDER),
    ],
)
def test_some_signals_count_at_one_end_only(
    signal: Signal, start: Inner, end: Inner, only: Role
) -> None:
    for role in BOTH:
        leg = machine(start, role=role)

        leg.signal(signal)

        assert leg.inner is (end if role is only else start)


def test_between_idle_and_active_the_inner_state_stays() -> None:
    for inner in set(Inner) - {Inner.OFFLINE}:
        leg = machine(inner)

        leg.signal(Signal.MODE_IDLE)
        leg.signal(Signal.MODE_ACTIVE)

        assert leg.inner is inner


def test_a_pair_that_is_absent_changes_nothing() -> None:
    present = {(row.state, row.signal) for row in TRANSITIONS}

    for inner, signal in set(product(Inner, Signal)) - present:
        leg = machine(inner, trouble=Trouble.LATENCY)
        assert leg.signal(signal) is None
        assert (leg.inner, leg.trouble) == (inner, Trouble.LATENCY)


@pytest.mark.parametrize(
    ("facts", "trouble", "shown"),
    [
        (Facts(mode=LinkMode.IDLE, failover=True), Trouble.LOSS | Trouble.SLOWED, "idle"),
        (active(failover=True), Trouble.LATENCY | Trouble.SLOWED, "unhealthy"),
        (active(failover=True), Trouble.FLAPPING, "unhealthy"),
        (active(failover=True), Trouble.SLOWED, "adjusted"),
        (active(failover=True), Trouble.NONE, "failover"),
        (active(), Trouble.NONE, "up"),
    ],
)
def test_a_working_leg_shows_the_first_that_holds(
    facts: Facts, trouble: Trouble, shown: str
) -> None:
    assert machine(Inner.WORKING, facts=facts, trouble=trouble).shown == shown


@given(
    st.sampled_from(Role),
    st.lists(st.tuples(st.sampled_from(Signal), st.integers(0, 63)), max_size=40),
)
def test_no_story_leads_out_of_the_closed_set_of_states(
    role: Role, story: list[tuple[Signal, int]]
) -> None:
    leg = machine(Inner.OFFLINE, role=role)
    for signal, bits in story:
        flags = [bool(bits >> position & 1) for position in range(6)]
        leg.facts.failover, leg.facts.under_test, leg.facts.held_out = flags[:3]
        leg.facts.others_eligible, leg.facts.loss_detection, leg.facts.flap_detection = flags[3:]

        leg.signal(signal)

        assert leg.shown in SHOWN
        assert leg.trouble is Trouble.NONE or leg.inner not in (Inner.OFFLINE, Inner.DOWN)

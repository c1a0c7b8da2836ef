"""Delays, loss, latency, drops and load of a leg, each machine on its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.delays import RawDelay, relative_delays
from openbond.tunnel.flaps import FlapCounter
from openbond.tunnel.latency import Baseline, LatencyJudge
from openbond.tunnel.load import LoadMeter
from openbond.tunnel.loss import LONG_WINDOW, LossJudge, LossMeter

WRAP = 2**32


def delay_of(seconds: float, *, offset: int, samples: int = 40) -> RawDelay:
    """A leg with a true delay, between clocks that differ by `offset` microseconds."""
    delay = RawDelay()
    for number in range(samples):
        sent = number * 100_000
        delay.on_sample(sent % WRAP, (sent + offset + round(seconds * 1e6)) % WRAP)
    return delay


# -- delays


@pytest.mark.parametrize("offset", [0, 1, -5_000_000, 2**31, 2**32 - 1, 123_456_789])
def test_differences_between_legs_are_exact_whatever_the_clocks(offset: int) -> None:
    legs = [delay_of(seconds, offset=offset) for seconds in (0.010, 0.042, 0.300)]

    assert relative_delays(legs) == pytest.approx([0.0, 0.032, 0.290])


def test_a_leg_without_a_sample_counts_as_the_slowest() -> None:
    legs = [delay_of(0.010, offset=0), RawDelay(), delay_of(0.050, offset=0)]

    assert relative_delays(legs) == pytest.approx([0.0, 0.040, 0.040])


def test_nothing_known_is_no_difference() -> None:
    assert relative_delays([RawDelay(), RawDelay()]) == [0.0, 0.0]
    assert relative_delays([]) == []


def test_a_clock_set_anew_is_followed_at_once() -> None:
    one, other = delay_of(0.010, offset=0), delay_of(0.030, offset=0)

    for leg, seconds in ((one, 0.010), (other, 0.030)):
        leg.on_sample(0, 7_000_000 + round(seconds * 1e6))

    assert relative_delays([one, other]) == pytest.approx([0.0, 0.020])


# -- loss


def feed(meter: LossMeter, *, lose_every: int, amount: int, start: float, rate: float) -> None:
    for number in range(amount):
        if number % lose_every:
            meter.on_heard(1, int(start * rate) + number, 1, start + number / rate)


def test_loss_is_the_share_of_numbers_that_did_not_come() -> None:
    meter = LossMeter()

    feed(meter, lose_every=10, amount=1000, start=0.0, rate=100.0)

    assert meter.loss(9.99) == pytest.approx(0.1, abs=0.01)


def test_fewer_than_fifty_datagrams_say_nothing() -> None:
    meter = LossMeter()

    feed(meter, lose_every=2, amount=48, start=0.0, rate=10.0)

    assert meter.loss(4.8) is None


def test_loss_is_forgotten_with_its_window() -> None:
    meter = LossMeter()
    feed(meter, lose_every=2, amount=400, start=0.0, rate=100.0)

    feed(meter, lose_every=10**9, amount=1200, start=4.0, rate=100.0)

    assert meter.loss(15.99) == pytest.approx(0.0, abs=0.01)
    assert meter.loss(15.99, LONG_WINDOW) == pytest.approx(0.125, abs=0.01)


def test_what_comes_late_was_not_lost() -> None:
    meter = LossMeter()

    for first in range(0, 200, 2):
        meter.on_heard(1, first + 1, 1, 1.0)
        meter.on_heard(1, first, 1, 1.0)

    assert meter.loss(1.5) == pytest.approx(0.0, abs=0.01)


def test_a_new_keypair_is_no_loss_and_the_old_ones_stragglers_neither() -> None:
    meter = LossMeter()
    meter.on_heard(1, 1000, 60, 1.0)

    meter.on_heard(2, 1, 30, 1.1)
    meter.on_heard(1, 1060, 5, 1.1)
    meter.on_heard(2, 31, 30, 1.2)

    assert meter.loss(1.5) == 0.0


@given(st.permutations(range(120)))
def test_no_order_of_arrival_makes_loss_of_a_complete_row(order: list[int]) -> None:
    meter = LossMeter()
    meter.on_heard(1, 0, 1, 1.0)

    for number in order:
        meter.on_heard(1, number + 1, 1, 1.0)

    assert meter.loss(1.5) == 0.0


def test_high_and_low_loss_leave_room_between_them() -> None:
    judge = LossJudge(0.05)

    findings = []
    for loss in (0.06, 0.05, 0.03, 0.02, None):
        judge.on_report(loss, loss)
        findings.append((judge.is_high, judge.is_low))

    assert findings == [
        (True, False),
        (True, False),
        (False, False),
        (False, True),
        (False, False),
    ]


# -- latency


def test_the_baseline_is_the_least_of_ten_minutes_under_light_load() -> None:
    baseline = Baseline()
    baseline.on_sample(0.010, 0.001, load=0.5, now=0.0)
    assert baseline.rtt(0.0) is None

    baseline.on_sample(0.030, 0.002, load=0.1, now=30.0)
    baseline.on_sample(0.020, 0.003, load=0.1, now=31.0)
    baseline.on_sample(0.040, 0.004, load=0.1, now=500.0)

    assert (baseline.rtt(500.0), baseline.jitter(500.0)) == (0.020, 0.002)
    assert baseline.rtt(700.0) == 0.040
    assert baseline.rtt(7000.0) == 0.040  # nothing newer: the last one known


def test_latency_is_high_after_ten_seconds_and_low_after_thirty() -> None:
    judge = LatencyJudge()
    for second in range(11):
        judge.on_sample(0.12, 0.001, float(second))
    assert (judge.is_high(9.9), judge.is_high(10.0)) == (False, True)

    for second in range(11, 60):
        judge.on_sample(0.04, 0.001, float(second))

    assert (judge.is_high(50.0), judge.is_low(40.0), judge.is_low(41.0)) == (False, False, True)


def test_a_jittery_leg_is_given_more_room() -> None:
    judge = LatencyJudge()

    for second in range(20):
        judge.on_sample(0.12, 0.020, float(second))

    assert not judge.is_high(20.0)


# -- drops


def test_four_drops_in_five_minutes_are_flapping_and_three_are_not() -> None:
    flaps = FlapCounter(4, 300.0)

    assert [flaps.on_drop(at) for at in (0.0, 100.0, 200.0, 310.0)] == [False] * 4
    assert flaps.on_drop(320.0) is True  # with 100, 200 and 310

    assert flaps.is_held_out(379.0)
    assert not flaps.is_held_out(381.0)


def test_each_flapping_doubles_the_hold_out_up_to_a_quarter_of_an_hour() -> None:
    flaps, now, hold_outs = FlapCounter(2, 300.0), 0.0, []

    for _ in range(6):
        flaps.on_drop(now)
        flaps.on_drop(now + 1)
        hold_outs.append(flaps.held_out_until - now - 1)
        now += 1000

    assert hold_outs == [60, 120, 240, 480, 900, 900]
    flaps.on_drop(now + 2000)
    flaps.on_drop(now + 2001)
    assert flaps.held_out_until == now + 2061


# -- load


def test_load_is_the_rate_of_the_last_second() -> None:
    meter = LoadMeter()

    for tick in range(200):
        meter.on_sent(12_500, 10 + tick / 100)

    assert meter.bps(12.0) == pytest.approx(10e6, rel=0.02)
    assert meter.bps(14.5) == 0.0

"""When a leg is probed, what its echoes say, and when it is silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.probes import (
    Echo,
    HeardLeg,
    Pace,
    Probe,
    Prober,
    Timing,
    clock_difference,
    clock_of,
    decode_echo,
    decode_probe,
)

AUTOMATIC = Timing()
FIXED = Timing(automatic=False, interval=0.5, timeout=3.0)


def prober(timing: Timing = AUTOMATIC, pace: Pace = Pace.USUAL) -> Prober:
    prober = Prober(timing, now=0.0)
    prober.set_pace(pace, 0.0)
    return prober


def drive(prober: Prober, rtt: float | None, *, start: float, seconds: float) -> list[float]:
    """Let a line with `rtt` (None: dead) answer for a while; return when probes were sent."""
    echoes: list[tuple[float, int]] = []
    sent: list[float] = []
    now = start
    while now <= start + seconds:
        for echo in [echo for echo in echoes if echo[0] <= now]:
            echoes.remove(echo)
            prober.on_heard(now)
            prober.on_echo(echo[1], 0.0, now)
        prober.handle_timer(now)
        number = prober.probe_to_send(now)
        if number is not None:
            sent.append(now)
            if rtt is not None:
                echoes.append((now + rtt, number))
        now = min([prober.get_timer(), *(at for at, _ in echoes)])
    return sent


@pytest.mark.parametrize(
    ("rtt", "interval"), [(0.001, 0.1), (0.05, 0.1), (0.1, 0.2), (0.3, 0.6), (0.9, 1.0)]
)
def test_the_interval_is_twice_the_rtt_within_its_bounds(rtt: float, interval: float) -> None:
    leg = prober()

    drive(leg, rtt, start=0.0, seconds=20)

    assert leg.interval == pytest.approx(interval)
    assert leg.smoothed_rtt == pytest.approx(rtt)
    assert leg.jitter == pytest.approx(0.0, abs=0.01)


def test_mean_and_deviation_of_any_stretch_of_time_can_be_told() -> None:
    leg = prober()
    drive(leg, 0.010, start=0.0, seconds=5)
    before = leg.rtts, leg.rtt_sum, leg.rtt_square_sum

    drive(leg, 0.030, start=5.1, seconds=5)

    after = leg.rtts, leg.rtt_sum, leg.rtt_square_sum
    count, total, squares = (new - old for new, old in zip(after, before, strict=True))
    assert count > 10
    assert total / count == pytest.approx(0.030)
    assert squares / count - (total / count) ** 2 == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("pace", "interval"), [(Pace.TESTING, 0.5), (Pace.SLOW, 1.0)])
def test_the_pace_rules_over_the_timing(pace: Pace, interval: float) -> None:
    for timing in (AUTOMATIC, FIXED):
        sent = drive(prober(timing, pace), 0.02, start=0.0, seconds=10)

        assert len(sent) == pytest.approx(10 / interval, abs=1)


def test_a_quicker_pace_takes_effect_at_once() -> None:
    leg = prober(pace=Pace.SLOW)
    drive(leg, 0.02, start=0.0, seconds=5.5)

    leg.set_pace(Pace.USUAL, 5.5)

    assert leg.probe_to_send(5.5) is not None


def test_five_probes_without_an_echo_are_silence_and_four_are_not() -> None:
    leg = prober()
    drive(leg, 0.02, start=0.0, seconds=10)
    assert not leg.is_silent

    drive(leg, None, start=10.01, seconds=0.48)
    assert not leg.is_silent
    drive(leg, None, start=10.5, seconds=0.15)

    assert leg.is_silent


def test_an_echo_ends_the_silence_however_late() -> None:
    leg = prober()
    drive(leg, 0.02, start=0.0, seconds=10)
    number = leg.probe_to_send(leg.get_timer())
    assert number is not None
    drive(leg, None, start=10.2, seconds=1.0)
    assert leg.is_silent

    assert leg.on_echo(number, 0.0, 11.3) is not None

    assert not leg.is_silent


def test_fixed_timing_counts_seconds_of_quiet_and_any_datagram_ends_it() -> None:
    leg = prober(FIXED)
    drive(leg, 0.02, start=0.0, seconds=10)
    drive(leg, None, start=10.0, seconds=2.5)
    assert not leg.is_silent

    drive(leg, None, start=12.5, seconds=0.6)
    assert leg.is_silent

    leg.on_heard(13.3)
    assert not leg.is_silent


def test_steady_takes_ten_echoes_and_five_seconds() -> None:
    quick, slow = prober(), prober(pace=Pace.SLOW)

    drive(quick, 0.02, start=0.0, seconds=4.95)
    drive(slow, 0.02, start=0.0, seconds=8.5)
    assert (quick.is_steady(4.95), slow.is_steady(8.5)) == (False, False)
    drive(quick, 0.02, start=4.96, seconds=0.3)
    drive(slow, 0.02, start=8.6, seconds=1.0)

    assert (quick.is_steady(5.2), slow.is_steady(9.6)) == (True, True)


def test_a_lost_echo_begins_the_run_anew() -> None:
    leg = prober()
    drive(leg, 0.02, start=0.0, seconds=4.0)
    drive(leg, None, start=4.05, seconds=0.25)

    drive(leg, 0.02, start=4.3, seconds=4.0)

    assert not leg.is_steady(8.3)


def test_an_echo_nobody_asked_for_says_nothing() -> None:
    leg = prober()

    assert leg.on_echo(999, 0.0, 0.1) is None
    assert leg.smoothed_rtt is None


def test_an_echo_counts_once() -> None:
    leg = prober()
    number = leg.probe_to_send(0.0)
    assert number is not None

    assert leg.on_echo(number, 0.0, 0.1) == 0.0
    assert leg.on_echo(number, 0.0, 0.2) is None


def test_time_the_peer_held_the_echo_is_not_rtt() -> None:
    leg = prober()
    number = leg.probe_to_send(0.0)
    assert number is not None

    leg.on_echo(number, 0.03, 0.05)

    assert leg.smoothed_rtt == pytest.approx(0.02)


def test_a_peer_that_lies_about_holding_cannot_make_rtt_negative() -> None:
    leg = prober()
    first, second = leg.probe_to_send(0.0), leg.probe_to_send(1.0)
    assert first is not None
    assert second is not None

    leg.on_echo(first, 1e6, 0.05)
    leg.on_echo(second, -1e6, 1.05)

    assert leg.smoothed_rtt is not None
    assert 0.0 <= leg.smoothed_rtt <= 0.05


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 1.5), st.sampled_from(Pace)), max_size=60),
    st.sampled_from([AUTOMATIC, FIXED]),
)
def test_the_timer_never_points_into_the_past(
    steps: list[tuple[bool, float, Pace]], timing: Timing
) -> None:
    leg, now = prober(timing), 0.0
    for answers, later, pace in steps:
        leg.set_pace(pace, now)
        number = leg.probe_to_send(now)
        if answers and number is not None:
            leg.on_echo(number, 0.0, now)
        now = min(leg.get_timer(), now + later)
        leg.handle_timer(now)
        leg.probe_to_send(now)
        assert leg.get_timer() > now


# -- bytes


def test_a_probe_arrives_as_it_was_sent() -> None:
    heard = (HeardLeg(3, 0.25), HeardLeg(4, 65.535, lost=True))

    assert decode_probe(Probe(9, 77, heard, True, 12_000).encode()) == Probe(
        9, 77, heard, True, 12_000
    )


def test_a_very_long_age_is_not_taken_for_lost() -> None:
    probe = decode_probe(Probe(1, 1, (HeardLeg(3, 4000.0),)).encode())

    assert probe is not None
    assert (probe.heard[0].age, probe.heard[0].lost) == (65.534, False)


def test_an_echo_arrives_as_it_was_sent() -> None:
    echo = Echo(9, 1, 2, 0.0525, None, 0.5)

    assert decode_echo(echo.encode()) == echo


@given(st.binary(max_size=80))
def test_any_bytes_are_decoded_or_refused_and_never_raise(body: bytes) -> None:
    probe, echo = decode_probe(body), decode_echo(body)

    assert probe is None or len(probe.encode()) == len(body)
    assert echo is None or echo.loss is None or 0 <= echo.loss <= 1


@pytest.mark.parametrize(
    ("later", "earlier", "seconds"),
    [(1_000_000, 0, 1.0), (0, 1_000_000, -1.0), (5, 2**32 - 5, 0.00001), (2**31 - 1, 0, 2147.48)],
)
def test_time_stamps_are_compared_across_their_wrap(
    later: int, earlier: int, seconds: float
) -> None:
    assert clock_difference(later, earlier) == pytest.approx(seconds, rel=1e-5)


def test_a_time_stamp_is_microseconds() -> None:
    assert clock_difference(clock_of(5000.25), clock_of(5000.0)) == pytest.approx(0.25)

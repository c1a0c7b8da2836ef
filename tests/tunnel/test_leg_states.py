"""The states of a leg over a simulated line: good, dead, lossy, flapping, garbled."""

import pytest

from openbond.tunnel.drops import Drop
from openbond.tunnel.leg import Inner
from openbond.tunnel.settings import LinkMode
from tests.tunnel.pair import AGGREGATOR, BONDER, Line, Pair, bond, leg

BOTH = (BONDER, AGGREGATOR)


def line_with_rtt(rtt: float) -> Line:
    return Line(delay_up=rtt / 2, delay_down=rtt / 2)


# -- good, dead, lossy, flapping -------------------------------------------------------------------


def test_a_good_leg_is_tested_for_five_seconds_and_then_up_at_both_ends() -> None:
    pair = Pair()

    pair.run(60)

    assert pair.entered(BONDER) == ["down", "handshaking", "testing", "up"]
    assert pair.entered(AGGREGATOR) == ["down", "handshaking", "testing", "up"]
    assert pair.changes(BONDER)[-1].at == pytest.approx(1005.0, abs=0.5)
    assert pair.ends[BONDER].drops == pair.ends[AGGREGATOR].drops == []


def test_a_leg_that_never_answers_is_down_after_five_seconds_and_asked_without_end() -> None:
    pair = Pair()
    pair.lines[1].cut()

    pair.run(120)

    assert pair.entered(BONDER) == ["down", "handshaking", "down"]
    assert pair.changes(BONDER)[-1].at == pytest.approx(1005.0)
    assert pair.end(BONDER).session.is_handshaking
    assert pair.shown() == ("down", "down")


@pytest.mark.parametrize(
    ("rtt", "bound"), [(0.0, 0.61), (0.020, 0.61), (0.050, 0.61), (0.200, 2.5)]
)
@pytest.mark.parametrize("phase", [0.0, 0.013, 0.049, 0.077, 0.099])
def test_a_dead_leg_is_out_of_use_in_time(rtt: float, bound: float, phase: float) -> None:
    pair = Pair(lines={1: line_with_rtt(rtt)})
    pair.run(20 + phase)
    pair.lines[1].cut()

    pair.run(bound)

    assert pair.shown() == ("down", "down")
    assert pair.changes(BONDER)[-1].signal == "SILENT"
    assert pair.eligible(BONDER) == pair.eligible(AGGREGATOR) == []


@pytest.mark.parametrize("outage", [1.0, 3.0, 10.0, 45.0, 200.0, 2000.0])
def test_a_mended_leg_carries_data_again_within_three_seconds_without_help(outage: float) -> None:
    pair = Pair()
    pair.run(20)
    pair.lines[1].cut()
    pair.run(outage)
    pair.lines[1].mend()

    pair.run(3)

    assert pair.eligible(BONDER) == pair.eligible(AGGREGATOR) == [1]  # tier 3: the last resort
    assert pair.shown() == ("testing", "testing")
    pair.run(5)
    assert pair.shown() == ("up", "up")


@pytest.mark.parametrize("direction", ["is_up_cut", "is_down_cut"])
@pytest.mark.parametrize("automatic", [True, False])
def test_a_leg_dead_in_one_direction_is_down_at_both_ends(direction: str, automatic: bool) -> None:
    legs = (leg(1), leg(2))
    pair = Pair(
        *legs,
        bonder=bond(BONDER, *legs, automatic_ping_timing=automatic),
        aggregator=bond(AGGREGATOR, *legs, automatic_ping_timing=automatic),
    )
    pair.run(20)
    setattr(pair.lines[1], direction, True)

    pair.run(0.7 if automatic else 3.6)

    assert pair.end(BONDER, 1).inner is Inner.DOWN
    assert pair.end(AGGREGATOR, 1).inner in (Inner.DOWN, Inner.HANDSHAKING)
    assert pair.eligible(BONDER) == pair.eligible(AGGREGATOR) == [2]
    pair.lines[1].mend()
    pair.run(9)
    assert pair.shown(1) == ("up", "up")


def test_a_lost_carrier_is_known_to_the_peer_by_the_next_probe_on_another_leg() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)

    pair.end(BONDER, 1).on_lost(pair.now)
    pair.lines[1].cut()
    pair.run(0.05)

    assert pair.shown(1) == ("down", "down")
    assert pair.changes(BONDER, 1)[-1].signal == "LOST"


def test_ready_after_lost_brings_the_leg_back_under_the_same_keys() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)
    keypair = pair.end(BONDER, 1).keypair
    pair.end(BONDER, 1).on_lost(pair.now)
    pair.lines[1].cut()
    pair.run(8)
    pair.lines[1].mend()
    pair.lines[1].bonder_port = 40777  # a new address, so a new socket

    pair.end(BONDER, 1).on_ready(None, pair.now)
    pair.run(3)

    assert pair.shown(1) == ("testing", "testing")
    assert pair.end(AGGREGATOR, 1).address == ("10.0.0.1", 40777)
    assert keypair in (pair.end(BONDER, 1).keypair, *pair.end(BONDER, 1).keypairs.values())


@pytest.mark.parametrize("loss", [0.02, 0.04])
def test_little_loss_changes_nothing(loss: float) -> None:
    pair = Pair(lines={1: Line(loss_up=loss)}, seed=3)

    pair.run(120)

    assert set(pair.entered(BONDER)) <= {"down", "handshaking", "testing", "up", "unhealthy"}
    assert pair.entered(AGGREGATOR)[-1] == "up"


def test_loss_in_one_direction_marks_the_end_that_sends_and_clears_when_it_is_over() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)

    pair.lines[1].loss_up = 0.12
    pair.run(40)

    assert pair.shown(1) == ("unhealthy", "up")
    assert pair.end(BONDER, 1).send_loss == pytest.approx(0.12, abs=0.08)
    pair.lines[1].loss_up = 0.0
    pair.run(60)
    assert pair.shown(1) == ("up", "up")


def test_a_lossy_leg_is_removed_when_detection_is_on_and_comes_back_when_good() -> None:
    legs = (leg(1), leg(2))
    pair = Pair(*legs, bonder=bond(BONDER, *legs, packet_loss_detection=True))
    pair.run(20)

    pair.lines[1].loss_up = 0.12
    pair.run(40)

    assert pair.shown(1)[0] == "removed"
    assert pair.eligible(BONDER) == [2]
    assert pair.eligible(AGGREGATOR) == [1, 2]
    pair.lines[1].loss_up = 0.0
    pair.run(60)
    assert pair.shown(1) == ("up", "up")
    assert pair.eligible(BONDER) == [1, 2]


def test_removal_never_empties_the_bond() -> None:
    legs = (leg(1), leg(2))
    pair = Pair(*legs, bonder=bond(BONDER, *legs, packet_loss_detection=True))
    pair.run(20)
    pair.lines[1].loss_up = 0.12
    pair.run(40)

    pair.lines[2].cut()
    pair.run(1)

    assert pair.shown(1)[0] == "unhealthy"
    assert pair.eligible(BONDER) == [1]
    pair.lines[2].mend()
    pair.run(10)
    assert pair.shown(1)[0] == "removed"


def test_two_lossy_legs_do_not_take_turns() -> None:
    legs = (leg(1), leg(2))
    pair = Pair(*legs, bonder=bond(BONDER, *legs, packet_loss_detection=True))
    pair.run(20)

    pair.lines[1].loss_up = pair.lines[2].loss_up = 0.15
    pair.run(120)

    assert sorted([pair.shown(1)[0], pair.shown(2)[0]]) == ["removed", "unhealthy"]
    assert len(pair.changes(BONDER, 1)) + len(pair.changes(BONDER, 2)) < 16


def flap(pair: Pair, times: int) -> None:
    for _ in range(times):
        pair.lines[1].cut()
        pair.run(3)
        pair.lines[1].mend()
        pair.run(10)


def test_a_flapping_leg_is_held_out_for_a_minute_when_detection_is_on() -> None:
    legs = (leg(1), leg(2))
    pair = Pair(*legs, bonder=bond(BONDER, *legs, flap_detection=True))
    pair.run(20)

    flap(pair, 4)

    assert pair.shown(1) == ("removed", "unhealthy")  # the aggregator's detection is off
    pair.run(70)
    assert pair.shown(1) == ("up", "up")


def test_latency_marks_a_leg_and_never_removes_it() -> None:
    legs = (leg(1), leg(2))
    pair = Pair(*legs, bonder=bond(BONDER, *legs, packet_loss_detection=True, flap_detection=True))
    pair.run(30)

    pair.lines[1].delay_up = 0.3
    pair.run(30)

    assert pair.shown(1)[0] == "unhealthy"
    assert 1 in pair.eligible(BONDER)
    pair.lines[1].delay_up = 0.01
    pair.run(60)
    assert pair.shown(1)[0] == "up"


# -- modes and tiers -------------------------------------------------------------------------------


def test_an_idle_leg_is_probed_and_carries_no_data() -> None:
    pair = Pair(leg(1, mode=LinkMode.IDLE), leg(2))

    pair.run(20)

    assert pair.shown(1) == ("idle", "idle")
    assert pair.eligible(BONDER) == [2]


def test_an_offline_leg_is_silent_and_comes_back_by_its_mode() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)
    offline = (leg(1, mode=LinkMode.OFFLINE), leg(2))

    for role in BOTH:
        pair.reconfigure(role, bond(role, *offline))
    sent = pair.ends[BONDER].sent_control
    pair.run(20)

    assert pair.shown(1) == ("offline", "offline")
    assert pair.end(BONDER, 1).get_timer() == float("inf")
    assert pair.ends[BONDER].sent_control > sent  # leg 2 goes on
    for role in BOTH:
        pair.reconfigure(role, bond(role, leg(1), leg(2)))
    pair.end(BONDER, 1).on_ready(None, pair.now)
    pair.run(10)
    assert pair.shown(1) == ("up", "up")


def test_a_failover_leg_stands_by_takes_over_and_gives_back() -> None:
    pair = Pair(leg(1), leg(2, failover=True))
    pair.run(20)
    assert pair.shown(2) == ("failover", "failover")
    assert pair.eligible(BONDER) == [1]

    pair.lines[1].cut()
    pair.run(0.7)

    assert pair.eligible(BONDER) == pair.eligible(AGGREGATOR) == [2]
    assert pair.end(BONDER, 2).dialogue.prober.interval == pytest.approx(0.1)
    pair.lines[1].mend()
    pair.run(9)
    assert pair.eligible(BONDER) == [1]
    assert pair.end(BONDER, 2).dialogue.prober.interval == pytest.approx(1.0)


def test_speed_zero_bars_one_direction_only() -> None:
    pair = Pair(
        bonder=bond(BONDER, leg(1, send_bps=0.0), leg(2)),
        aggregator=bond(AGGREGATOR, leg(1)),
        lines={1: Line(), 2: Line()},
    )

    pair.run(10)

    assert pair.eligible(BONDER) == []
    assert pair.eligible(AGGREGATOR) == [1]


def test_a_leg_under_test_carries_nothing_and_returns() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)

    for role in BOTH:
        pair.end(role, 1).on_test(under_test=True, measured=True, now=pair.now)
    pair.run(20)

    assert pair.shown(1) == ("testing", "testing")
    assert pair.eligible(BONDER) == [2]
    for role in BOTH:
        pair.end(role, 1).on_test(under_test=False, measured=False, now=pair.now)
    pair.run(6)
    assert pair.shown(1) == ("up", "up")


# -- garbage, late, duplicate ----------------------------------------------------------------------


def test_duplicates_are_dropped_as_replayed_and_disturb_nothing() -> None:
    pair = Pair(lines={1: Line(copies=2)})

    pair.run(30)

    assert pair.shown() == ("up", "up")
    assert {drop for _, drop in pair.ends[BONDER].drops} == {Drop.REPLAYED, Drop.UNASKED}
    assert pair.end(AGGREGATOR).session.handshakes == 1


def test_datagrams_that_overtake_each_other_are_not_loss() -> None:
    pair = Pair(lines={1: Line(jitter=0.15)}, seed=5)

    pair.run(60)

    assert pair.end(BONDER).send_loss == pytest.approx(0.0, abs=0.03)
    assert pair.shown() == ("up", "up")


def test_garbage_from_anywhere_changes_nothing() -> None:
    pair = Pair()
    pair.run(20)
    address = pair.end(AGGREGATOR).address

    for _ in range(500):
        garbage = pair.chance.randbytes(pair.chance.randrange(0, 200))
        for role in BOTH:
            assert pair.end(role).receive_control(garbage, ("198.51.100.9", 9), pair.now)
    pair.run(5)

    assert pair.shown() == ("up", "up")
    assert pair.end(AGGREGATOR).address == address

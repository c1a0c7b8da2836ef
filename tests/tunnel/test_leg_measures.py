"""What the ends of a leg find out: path MTU, silence under load, gaps; and what it costs."""

import pytest

from openbond.tunnel.events import PathMtuFound
from openbond.tunnel.settings import Role
from tests.tunnel.pair import AGGREGATOR, BONDER, Line, Pair, bond, leg

BOTH = (BONDER, AGGREGATOR)


def line_with_rtt(rtt: float) -> Line:
    return Line(delay_up=rtt / 2, delay_down=rtt / 2)


# -- path MTU --------------------------------------------------------------------------------------


def found(pair: Pair, role: Role) -> list[int]:
    return [e.mtu for e in pair.ends[role].events if isinstance(e, PathMtuFound)]


def test_the_path_mtu_of_each_direction_is_found_within_ten_seconds() -> None:
    pair = Pair(lines={1: Line(mtu_up=1400, mtu_down=1452, delay_up=0.1, delay_down=0.1)})

    pair.run(10)

    assert found(pair, BONDER) == [1400]
    assert found(pair, AGGREGATOR) == [1452]
    assert pair.shown() == ("up", "up")


def test_a_lowered_path_mtu_is_found_by_action_and_a_raised_one_after_it_was_found_twice() -> None:
    pair = Pair()
    pair.run(20)

    pair.lines[1].mtu_up = 1400
    pair.end(BONDER).detect_path_mtu(pair.now)
    pair.run(10)
    assert pair.end(BONDER).path_mtu == 1400
    pair.lines[1].mtu_up = 1500
    pair.end(BONDER).detect_path_mtu(pair.now)
    pair.run(10)

    assert found(pair, BONDER) == [1500, 1400, 1500]


def test_a_path_mtu_that_fell_is_measured_at_once_when_large_data_vanishes() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)

    pair.lines[1].mtu_up = 1400
    for _ in range(100):
        pair.send_data(BONDER, 1, 2, size=1400)
        pair.run(0.01)
    pair.run(1.0)

    assert pair.end(BONDER, 1).path_mtu == 1400


@pytest.mark.parametrize("size", [100, 1400])
def test_loss_of_any_size_is_not_taken_for_a_path_mtu_that_fell(size: int) -> None:
    pair = Pair(lines={1: Line(loss_up=0.3)}, seed=7)
    pair.run(20)
    before = len(found(pair, BONDER))

    for _ in range(500):
        pair.send_data(BONDER, 1, 2, size=size)
        pair.run(0.01)

    assert len(found(pair, BONDER)) == before


# -- load and silence ------------------------------------------------------------------------------


def test_a_leg_cut_under_load_is_suspect_within_160_ms() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)
    for _ in range(100):
        pair.send_data(BONDER, 1, 5)
        pair.run(0.005)
    assert not pair.end(BONDER, 1).is_suspect(pair.now)

    pair.lines[1].cut()
    for _ in range(32):
        pair.send_data(BONDER, 1, 5)
        pair.run(0.005)

    assert pair.end(BONDER, 1).is_suspect(pair.now)
    assert pair.eligible(BONDER) == [2]


@pytest.mark.parametrize("direction", ["is_up_cut"])
def test_a_leg_that_died_in_our_direction_only_is_suspect_though_the_peer_is_heard(
    direction: str,
) -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(20)
    setattr(pair.lines[1], direction, True)

    for _ in range(40):
        pair.send_data(BONDER, 1, 5)
        pair.send_data(AGGREGATOR, 1, 5)
        pair.run(0.005)

    assert pair.end(BONDER, 1).is_suspect(pair.now)


@pytest.mark.parametrize("gap", [0.001, 0.03, 0.08, 0.2, 1.0])
def test_a_good_leg_is_never_suspect_however_its_data_comes(gap: float) -> None:
    pair = Pair(lines={1: Line(delay_up=0.05, delay_down=0.05, jitter=0.004)})
    pair.run(20)

    for _ in range(200):
        pair.send_data(BONDER, 1, 3)
        pair.run(gap)
        assert not pair.end(BONDER).is_suspect(pair.now)


def test_lost_data_is_named_in_a_hearing_report_at_once() -> None:
    pair = Pair()
    pair.run(20)
    pair.send_data(BONDER, 1, 1)
    pair.run(0.1)
    pair.end(BONDER).hearings_to_take()

    pair.lines[1].cut()
    keypair = pair.end(BONDER).keypair
    assert keypair is not None
    lost = keypair.next_sequence
    pair.send_data(BONDER, 1, 2)
    pair.lines[1].mend()
    pair.send_data(BONDER, 1, 4)
    pair.run(0.025)

    gaps = [gap for hearing in pair.end(BONDER).hearings_to_take() for gap in hearing.gaps]
    assert [(gap.first, gap.count) for gap in gaps] == [(lost, 2)]


def fill(pair: Pair, seconds: float) -> None:
    """Send data at the bonder as fast as the leg's speed in force allows."""
    end, credit = pair.end(BONDER), 0.0
    for _ in range(round(seconds / 0.02)):
        credit += end.speed_in_force * 0.02 / 8
        amount = int(credit // 1062)
        credit -= amount * 1062
        if amount:
            pair.send_data(BONDER, 1, amount, size=1000)
        pair.run(0.02)


def test_a_leg_narrowed_under_load_is_slowed_says_so_and_recovers() -> None:
    legs = (leg(1, send_bps=2e6),)
    pair = Pair(
        *legs,
        bonder=bond(BONDER, *legs, bandwidth_adaptation=True),
        aggregator=bond(AGGREGATOR, *legs, bandwidth_adaptation=True),
    )
    pair.run(20)
    fill(pair, 5)
    assert pair.shown() == ("up", "up")

    pair.lines[1].rate_up = 1e6
    fill(pair, 15)
    assert pair.end(BONDER).speed_in_force <= 1.05e6
    fill(pair, 40)  # what the narrowing lost is forgotten after 30 s

    assert pair.shown() == ("adjusted", "up")
    assert pair.end(BONDER).smoothed_rtt == pytest.approx(0.03, abs=0.04)
    adapted = pair.end(BONDER).adapted_bps
    assert adapted is not None
    assert pair.end(AGGREGATOR).dialogue.peer_speed_kbps == pytest.approx(adapted / 1e3, rel=0.05)
    pair.lines[1].rate_up = 0.0
    fill(pair, 180)
    assert pair.end(BONDER).speed_in_force == 2e6
    assert pair.shown() == ("up", "up")
    assert pair.end(AGGREGATOR).dialogue.peer_speed_kbps == 0


def test_probing_costs_at_most_16_kbit_per_second_in_each_direction() -> None:
    legs = [leg(number) for number in range(1, 9)]
    pair = Pair(*legs, lines={each.id: line_with_rtt(0.005) for each in legs})
    pair.run(20)
    before = {role: pair.ends[role].sent_control for role in BOTH}

    pair.run(60)

    for role in BOTH:
        per_leg = (pair.ends[role].sent_control - before[role]) * 8 / 60 / len(legs)
        assert per_leg < 16_000


def test_the_share_of_late_data_is_told_to_its_sender() -> None:
    pair = Pair()
    pair.run(20)
    assert pair.end(BONDER).dialogue.peer_late_share is None

    pair.end(AGGREGATOR).dialogue.late_share = 0.07
    pair.run(0.5)

    assert pair.end(BONDER).dialogue.peer_late_share == pytest.approx(0.07)


def test_a_failover_leg_costs_less_than_a_gigabyte_a_month() -> None:
    pair = Pair(leg(1), leg(2, failover=True))
    pair.run(20)
    sent = []
    original = pair.send

    def weigh(role: Role, leg_id: int, datagram: bytes) -> None:
        if leg_id == 2:
            sent.append(len(datagram) + 28)
        original(role, leg_id, datagram)

    pair.send = weigh  # type: ignore[method-assign]
    pair.run(200)

    assert sum(sent) / 200 * 86_400 * 30 < 1e9

"""A whole bond on a simulated internet: what a customer's packets meet (behaviour 2)."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openbond.tunnel.counters import LEG_COUNTERS
from openbond.tunnel.events import InnerMtuChanged, LegStateChanged
from openbond.tunnel.packets import flow_of
from openbond.tunnel.settings import BondSettings, Distribution, LegSettings, Role, Security
from tests.sim.internet import FAR, SITE, Line, bond_settings
from tests.sim.traffic import READY, numbered, numbers, sent_since, shares, stream, up
from tests.tunnel.inner import kernel_packets, plain_read, small_udp, super_tcp, tcp_packet


@pytest.mark.parametrize("security", list(Security))
def test_packets_cross_both_ways_in_every_security_mode(security: Security) -> None:
    def of_mode(role: Role, *legs: object) -> object:
        return bond_settings(role, *legs, security=security)  # type: ignore[arg-type]

    internet = up({1: Line(), 2: Line(delay=0.030)}, settings=of_mode)
    reads = [super_tcp(40_000, 1300), plain_read(small_udp(80)), plain_read(tcp_packet(1100))]

    for read in reads:
        internet.send(SITE, read)
        internet.send(FAR, read)
    internet.run(0.5)

    for end in (SITE, FAR):
        got = [packet for write in internet.packets(end) for packet in kernel_packets(write)]
        wanted = [packet for read in reads for packet in kernel_packets(read)]
        assert sorted(got) == sorted(wanted)


def test_the_legs_come_up_and_the_inner_mtu_is_told() -> None:
    internet = up({1: Line(), 2: Line()})

    for end in (SITE, FAR):
        entered = [e.new for e in internet.events[end] if isinstance(e, LegStateChanged)]
        assert entered.count("up") == 2
        assert InnerMtuChanged(1436) in internet.events[end]


def test_one_flow_uses_the_sum_of_the_legs_and_comes_out_in_order() -> None:
    internet = up({1: Line(20, 0.030), 2: Line(50, 0.015), 3: Line(100, 0.005)})

    sent = stream(internet, SITE, mbps=150, seconds=1.0)
    internet.run(1.5)

    assert numbers(internet.packets(FAR)) == list(range(sent))


@pytest.mark.parametrize("rule", list(Distribution))
def test_under_saturation_bytes_per_leg_are_in_proportion_to_the_speeds(rule: Distribution) -> None:
    def of_rule(role: Role, *legs: object) -> object:
        return bond_settings(role, *legs, distribution=rule)  # type: ignore[arg-type]

    internet = up({1: Line(20, 0.030), 2: Line(50, 0.015), 3: Line(100, 0.005)}, settings=of_rule)
    before = internet.carried.copy()

    stream(internet, SITE, mbps=250, seconds=1.0)
    internet.run(1.0)

    share = shares(internet, SITE, before)
    assert share[1] == pytest.approx(20 / 170, rel=0.05)
    assert share[2] == pytest.approx(50 / 170, rel=0.05)
    assert share[3] == pytest.approx(100 / 170, rel=0.05)


def test_no_leg_is_given_more_than_its_speed() -> None:
    internet = up({1: Line(20), 2: Line(50)})
    before = internet.carried.copy()

    stream(internet, SITE, mbps=200, seconds=1.0)
    internet.run(1.0)

    for leg, mbps in ((1, 20), (2, 50)):
        octets = internet.carried[SITE, leg] - before[SITE, leg]
        assert octets <= mbps * 1e6 / 8 * 1.0 * 1.05


def test_a_lone_packet_takes_the_leg_where_it_arrives_first() -> None:
    internet = up({1: Line(60, 0.030), 2: Line(50, 0.010)})
    sent_at = internet.now

    internet.send(SITE, plain_read(small_udp(100)))
    internet.run(0.2)

    (came_at, _), *_ = internet.delivered[FAR]
    assert came_at - sent_at < 0.012


def test_light_load_stays_on_the_best_leg_and_heavy_load_spills_to_an_unlike_one() -> None:
    internet = up({1: Line(100, 0.010), 2: Line(20, 0.005)})
    before = internet.carried.copy()

    stream(internet, SITE, mbps=50, seconds=1.0)
    internet.run(1.0)
    light = internet.carried[SITE, 2] - before[SITE, 2]
    stream(internet, SITE, mbps=115, seconds=1.0)
    internet.run(1.0)
    heavy = internet.carried[SITE, 2] - before[SITE, 2] - light

    assert light * 8 < 50e3  # control messages
    assert heavy * 8 > 10e6
    report = internet.bonds[SITE].report()
    assert [leg.spill_reason for leg in report.legs] == [
        "",
        "spill only, leg 1 is 5.0 times as fast",
    ]


def test_both_ends_count_what_crosses_a_leg_alike() -> None:
    internet = up({1: Line(100, 0.010)})
    before = [internet.bonds[end].report().legs[0].counters for end in (SITE, FAR)]
    stream(internet, SITE, mbps=50, seconds=1.0)
    internet.run(2.0)
    after = [internet.bonds[end].report().legs[0].counters for end in (SITE, FAR)]

    sent = after[0]["sent_octets"] - before[0]["sent_octets"]
    received = after[1]["received_octets"] - before[1]["received_octets"]
    assert set(after[0]) >= set(LEG_COUNTERS)
    assert received == pytest.approx(sent, rel=0.01)
    trips = after[0]["rtts"] - before[0]["rtts"]
    assert (after[0]["rtt_us"] - before[0]["rtt_us"]) / trips == pytest.approx(20_000, rel=0.25)


def test_a_lossy_leg_takes_nothing_of_a_flow_that_runs_on_a_good_one() -> None:
    lossy = Line(20, 0.010)
    internet = up({1: Line(20, 0.010), 2: lossy})
    lossy.loss = 0.1
    for _ in range(12):  # until the loss is known
        stream(internet, SITE, mbps=5, seconds=1.0)
        internet.run(1.0)
    before, began = internet.carried.copy(), internet.now
    stream(internet, SITE, mbps=19, seconds=2.0)
    internet.run(2.0)
    first_flow = internet.carried[SITE, 2] - before[SITE, 2]

    assert "loses" in internet.bonds[SITE].report().legs[1].spill_reason
    assert first_flow * 8 < 100e3
    got = numbers(internet.packets(FAR, since=began + 0.1))
    assert got == sorted(got)


def test_a_cut_leg_under_load_silences_a_steady_stream_for_less_than_a_quarter_second() -> None:
    internet = up({1: Line(20, 0.010), 2: Line(50, 0.030)})
    stream(internet, SITE, mbps=40, seconds=4.0)
    internet.run(1.0)
    cut_at = internet.now

    internet.lines[1].cut()
    internet.run(2.0)

    times = [at for at, _ in internet.delivered[FAR] if at > cut_at - 0.5]
    gap = max(later - earlier for earlier, later in pairwise(times))
    assert gap < 0.250
    downs = [e for e in internet.events[SITE] if isinstance(e, LegStateChanged) and e.new == "down"]
    assert [e.leg_id for e in downs if e.at > cut_at] == [1]


def test_what_was_on_its_way_on_a_cut_leg_is_sent_again_on_the_others() -> None:
    internet = up({1: Line(100, 0.010), 2: Line(100, 0.010)})
    sent = stream(internet, SITE, mbps=60, seconds=2.0)
    internet.run(1.0)

    internet.lines[1].cut()
    internet.run(3.0)

    assert len(set(numbers(internet.packets(FAR)))) >= sent * 0.99


def test_a_mended_leg_carries_again_with_nobodys_help() -> None:
    internet = up({1: Line(20), 2: Line(20)})
    internet.lines[1].cut()
    internet.run(5.0)
    internet.lines[1].mend()
    internet.run(12.0)
    before = internet.carried.copy()

    stream(internet, SITE, mbps=60, seconds=1.0)
    internet.run(1.0)

    assert shares(internet, SITE, before)[1] == pytest.approx(0.5, abs=0.05)


def test_losses_of_one_leg_are_repaired_over_the_others_within_the_hold() -> None:
    internet = up({1: Line(50, 0.020), 2: Line(50, 0.004, loss=0.008)})

    sent = stream(internet, SITE, mbps=80, seconds=1.0)
    internet.run(1.5)

    got = numbers(internet.packets(FAR))
    assert len(set(got)) >= sent * 0.999
    out_of_order = sum(later < earlier for earlier, later in pairwise(got))
    assert out_of_order <= sent * 0.002


def test_a_repair_is_in_time_though_the_report_about_the_loss_was_lost() -> None:
    """The leg that loses data loses reports as well; the nearest other one carries them, too."""
    internet = up({1: Line(20, 0.030), 2: Line(50, 0.015, loss=0.015), 3: Line(100, 0.005)})

    sent = stream(internet, SITE, mbps=130, seconds=2.0)
    internet.run(2.5)

    legs = internet.bonds[SITE].report().legs
    assert sum(leg.counters["repaired"] for leg in legs) > 70
    assert numbers(internet.packets(FAR)) == list(range(sent))


def test_a_narrowed_leg_beside_another_is_slowed_and_goes_on_carrying() -> None:
    """Adaptation looks at loaded seconds: the leg may not lose its load to a finding meanwhile."""

    def adapting(role: Role, *legs: LegSettings) -> BondSettings:
        return replace(bond_settings(role, *legs), bandwidth_adaptation=True)

    lines = {1: Line(4, 0.010), 2: Line(4, 0.010)}
    internet = up(lines, settings=adapting)
    lines[1].mbps = 2.0
    stream(internet, SITE, mbps=10, seconds=20.0)
    internet.run(15.0)
    slowed = internet.bonds[SITE].report().legs[0].adapted_bps
    before = internet.carried.copy()
    internet.run(5.0)

    assert slowed is not None
    assert slowed <= 2.2e6
    carried = sent_since(internet, SITE, before, 1) * 8 / 5.0
    assert carried == pytest.approx(2e6, rel=0.15)


def test_repairs_do_not_go_the_long_way_over_a_leg_that_is_idle() -> None:
    """A slow, far leg carries nothing of a light load; its line is free since long."""
    lines = {1: Line(20, 0.030), 2: Line(50, 0.015, loss=0.01), 3: Line(50, 0.005)}
    internet = up(lines)

    sent = stream(internet, SITE, mbps=70, seconds=2.0)
    internet.run(2.5)

    legs = internet.bonds[SITE].report().legs
    repaired = {leg.leg_id: leg.counters["repaired"] for leg in legs}
    assert repaired[2] + repaired[3] > 10 * repaired[1]
    got = numbers(internet.packets(FAR))
    assert len(set(got)) >= sent * 0.999
    assert sum(later < earlier for earlier, later in pairwise(got)) <= sent * 0.001


def test_reordering_inside_a_leg_is_put_right() -> None:
    internet = up({1: Line(50, 0.010, reordered=0.05), 2: Line(50, 0.018)})

    sent = stream(internet, SITE, mbps=60, seconds=1.0)
    internet.run(2.0)

    assert numbers(internet.packets(FAR)) == list(range(sent))


def test_a_restarted_end_goes_on_with_the_flows_of_before() -> None:
    internet = up({1: Line(), 2: Line()})
    internet.send(SITE, plain_read(numbered(1)))
    internet.run(0.5)

    internet.restart(SITE, epoch=2)
    internet.run(READY)
    restarted_at = internet.now
    for number in range(2, 50):
        internet.send(SITE, plain_read(numbered(number)))
    internet.run(1.0)

    assert numbers(internet.packets(FAR, restarted_at)) == list(range(2, 50))


def test_with_no_leg_packets_wait_200_ms_and_are_then_counted() -> None:
    internet = up({1: Line()})
    internet.lines[1].cut()
    internet.bonds[SITE].on_leg_lost(1, internet.now)
    internet.run(0.1)

    internet.send(SITE, plain_read(tcp_packet(800)))
    internet.run(0.5)

    assert internet.bonds[SITE].report().counters["dropped_no_leg"] == 1


@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_bytes_in_are_bytes_out_while_nothing_is_lost(seed: int) -> None:
    dice = Random(seed)
    lines = {
        n: Line(dice.choice([None, 300]), dice.random() * 0.050, jitter=dice.random() * 0.001)
        for n in range(1, dice.randint(2, 5))
    }
    internet = up(lines, seed=seed)
    reads = [any_read(dice) for _ in range(40)]

    for role in (SITE, FAR):
        for number, read in enumerate(reads):
            internet.send(role, read, at=internet.now + number * 0.004)
    internet.run(1.0)

    wanted = [packet for read in reads for packet in kernel_packets(read)]
    for role in (SITE, FAR):
        got = [packet for write in internet.packets(role) for packet in kernel_packets(write)]
        assert Counter(map(bare, got)) == Counter(map(bare, wanted))
        for flow in {flow_of(packet) for packet in wanted}:
            assert [bare(p) for p in got if flow_of(p) == flow] == [
                bare(p) for p in wanted if flow_of(p) == flow
            ]


def any_read(dice: Random) -> bytes:
    """Return one of the things that a TUN device gives; each kind a flow of its own."""
    which = dice.randrange(4)
    seed = dice.randrange(2**20)
    if which == 0:
        return super_tcp(dice.randint(2800, 60_000), 1384, seed=seed)
    if which == 1:
        return super_tcp(dice.randint(2800, 60_000), 1364, version=6, seed=seed)
    if which == 2:
        return plain_read(small_udp(dice.randint(1, 1300), port=1, seed=seed))
    return plain_read(small_udp(dice.randint(1, 500), port=2, seed=seed))


def bare(packet: bytes) -> bytes:
    """Leave out IPv4 identification and checksum."""
    return packet[:4] + packet[6:10] + packet[12:] if packet[0] >> 4 == 4 else packet


@pytest.mark.parametrize("seed", range(3))
def test_the_same_inputs_give_the_same_outputs(seed: int) -> None:
    def outcome() -> tuple[object, object]:
        lines = {1: Line(20, 0.020, 0.005, loss=0.02), 2: Line(50, 0.004, reordered=0.02)}
        internet = up(lines, seed=seed)
        stream(internet, SITE, mbps=40, seconds=0.5)
        stream(internet, FAR, mbps=60, seconds=0.5)
        internet.run(1.0)
        return internet.delivered, internet.events

    assert outcome() == outcome()

"""A full bond on a simulated internet: who waits, who does not (behaviour 2.9, 5.10)."""

from dataclasses import replace
from statistics import mean, quantiles

import pytest

from openbond.tunnel.leg_queue import LegQueue
from openbond.tunnel.settings import (
    BondSettings,
    Distribution,
    LegSettings,
    Qos,
    QosClass,
    QosFilter,
    Role,
)
from tests.sim.internet import FAR, SITE, Internet, Line, bond_settings, inner
from tests.sim.traffic import Marked, numbered, numbers, sent_since, stream, up
from tests.tunnel.inner import plain_read, small_udp, super_tcp

EF = 46
UDP = 17
VOICE_FIRST = Qos(
    classes=tuple(QosClass(share=share) for share in (0.4, 0.2, 0.4)),
    default=2,
    filters=(QosFilter(target=0, dscp=EF), QosFilter(target=1, protocols=frozenset((1,)))),
)


def unequal() -> dict[int, Line]:
    return {1: Line(4, 0.030), 2: Line(10, 0.015), 3: Line(20, 0.005)}


def with_qos(qos: Qos) -> object:
    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        return replace(bond_settings(role, *legs), qos=qos)

    return settings


def flood(internet: Internet, *, mbps: float, seconds: float) -> None:
    """Offer super-packets of one flow that asks for nothing and slows down for nobody."""
    read = super_tcp(41_040, 1368)
    number = int(mbps * 1e6 * seconds / 8 / 41_040)
    for n in range(number):
        internet.send(SITE, read, at=internet.now + n * seconds / number)


@pytest.mark.parametrize("protocol", [1, UDP], ids=["ping", "UDP"])
def test_a_sparse_flow_through_a_full_bond_comes_at_most_20_ms_later(protocol: int) -> None:
    internet = up(unequal())
    idle = Marked(internet, SITE, seconds=1.0, every=0.050, protocol=protocol)
    internet.run(1.5)
    unloaded = mean(idle.waits(FAR))
    flood(internet, mbps=50, seconds=2.0)
    internet.run(0.5)
    internet.delivered[FAR].clear()

    loaded = Marked(internet, SITE, seconds=1.0, every=0.050, protocol=protocol)
    internet.run(1.5)

    waits = loaded.waits(FAR)
    assert len(waits) == len(loaded.sent)
    assert mean(waits) <= unloaded + 0.005
    assert max(waits) <= unloaded + 0.020


def test_a_full_bond_is_used_fully_all_the_same() -> None:
    internet = up(unequal())
    before = internet.carried.copy()

    flood(internet, mbps=50, seconds=1.5)
    internet.run(1.5)

    carried = sum(sent_since(internet, SITE, before, leg) for leg in internet.lines)
    assert carried * 8 / 1.5 >= 0.98 * 34e6


def test_what_is_dropped_in_our_queues_holds_nothing_up_at_the_far_end() -> None:
    internet = up(unequal())

    flood(internet, mbps=38, seconds=2.0)
    internet.run(2.5)

    report = internet.bonds[SITE].report()
    assert report.counters["dropped_queue_full"] > 0
    # No number is missing, so nothing was held for longer than the legs differ.
    assert internet.bonds[FAR].report().counters["duplicates"] == 0
    assert sum(leg.counters["late"] for leg in internet.bonds[FAR].report().legs) == 0


def test_flows_share_a_full_bond_alike() -> None:
    internet = up({1: Line(4, 0.010), 2: Line(4, 0.010)})
    for n in range(400):
        at = internet.now + n * 0.005
        internet.send(SITE, plain_read(small_udp(1200, port=1)), at=at)
        for _ in range(4):
            internet.send(SITE, plain_read(small_udp(1200, port=2)), at=at)

    internet.run(2.5)

    came = [write for write in internet.packets(FAR) if inner(write)[21] == 1]
    # The first asks for 1.9 Mbit/s of 8, less than its half: it loses nothing of it.
    assert len(came) == 400


@pytest.mark.parametrize("mbps", [1, 12])
def test_no_packet_of_a_flow_overtakes_another_on_the_only_leg(mbps: float) -> None:
    internet = up({1: Line(4, 0.010)})

    stream(internet, SITE, mbps=mbps, seconds=1.0, size=300)
    internet.run(2.0)

    got = numbers(internet.packets(FAR))
    assert got == sorted(got)


def test_legs_hold_no_more_than_their_bound() -> None:
    internet = up(unequal())
    flood(internet, mbps=50, seconds=1.0)
    longest = 0.0

    for _ in range(100):
        internet.run(0.007)
        queues: list[LegQueue] = internet.bonds[SITE]._eligible
        longest = max(longest, *(queue.wait(internet.now) for queue in queues))

    # Twice the delta of 25 ms, and one run more (scheduler.RUN_MOST).
    assert 0.020 <= longest <= 0.055


# -- classes --------------------------------------------------------------------------------------


def test_a_real_time_class_within_its_guarantee_is_hardly_delayed_by_full_load() -> None:
    internet = up(unequal(), settings=with_qos(VOICE_FIRST))
    idle = Marked(internet, SITE, seconds=0.5, every=0.010, dscp=EF)
    internet.run(1.0)
    unloaded = mean(idle.waits(FAR))
    flood(internet, mbps=50, seconds=2.5)
    internet.run(0.5)

    # 4 Mbit/s: more than sparse flows may be, less than its guarantee of 13.6.
    loaded = Marked(internet, SITE, seconds=1.0, every=0.0025, size=1200, dscp=EF)
    internet.run(1.5)

    waits = loaded.waits(FAR)
    assert len(waits) == len(loaded.sent)
    # Behaviour 5.10: 10 ms and one packet on the slowest leg, 99th percentile.
    assert quantiles(waits, n=100)[-1] <= unloaded + 0.010 + 1500 * 8 / 4e6


def test_the_margin_keeps_part_of_every_leg_free() -> None:
    internet = up({1: Line(10), 2: Line(10)}, settings=with_qos(Qos(margin=0.05)))
    before = internet.carried.copy()

    flood(internet, mbps=40, seconds=2.0)
    internet.run(2.0)

    for leg in (1, 2):
        assert sent_since(internet, SITE, before, leg) * 8 / 2.0 == pytest.approx(9.5e6, rel=0.03)


def test_a_change_of_profile_under_load_loses_nothing_that_waits() -> None:
    internet = up({1: Line(8), 2: Line(8)})
    for number in range(120):  # some 75 ms of the bond's speed
        internet.send(SITE, plain_read(numbered(number)))
    internet.run(0.020)

    bond = internet.bonds[SITE]
    bond.reconfigure(replace(bond.settings, qos=VOICE_FIRST), internet.now)
    internet.run(0.020)
    bond.reconfigure(replace(bond.settings, qos=Qos()), internet.now)
    internet.run(0.5)

    assert sorted(numbers(internet.packets(FAR))) == list(range(120))


def test_packets_of_all_classes_cross_with_round_robin_too() -> None:
    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        plain = bond_settings(role, *legs, distribution=Distribution.WEIGHTED_ROUND_ROBIN)
        return replace(plain, qos=VOICE_FIRST)

    internet = up({1: Line(4), 2: Line(10)}, settings=settings)
    voice = Marked(internet, SITE, seconds=0.5, every=0.020, dscp=EF)
    pings = Marked(internet, SITE, seconds=0.5, every=0.020, protocol=1)
    sent = stream(internet, SITE, mbps=6, seconds=0.5)
    internet.run(1.0)

    assert len(voice.waits(FAR)) == len(pings.waits(FAR)) == 25
    others = [w for _, w in internet.delivered[FAR] if w[19] == 6]
    assert sorted(numbers(others)) == list(range(sent))

"""Which leg takes the next packet (behaviour 2.7, 2.8), and how fast a leg may be (2.9)."""

from collections.abc import Callable
from random import Random

import pytest

from openbond.tunnel.leg_queue import LegQueue
from openbond.tunnel.messages import OUTER_IPV4, PACKET_HEADER, TAG_SIZE, Type
from openbond.tunnel.pacer import Pacer
from openbond.tunnel.parcels import BULK_LANE, Parcel
from openbond.tunnel.repair import Outbox
from openbond.tunnel.scheduler import (
    QUANTUM,
    EarliestArrival,
    Scheduler,
    WeightedRoundRobin,
    with_room,
)
from tests.tunnel.ends import still_end

AROUND = OUTER_IPV4 + PACKET_HEADER.size + TAG_SIZE


def leg(leg_id: int, mbps: float, delay: float = 0.0) -> LegQueue:
    queue = LegQueue(still_end(leg_id), bps=mbps * 1e6, outbox=Outbox(keep=0.0, room=0))
    queue.delay = delay
    return queue


def packet(octets: int = 1500) -> Parcel:
    """Return a packet that measures `octets` on the wire."""
    return Parcel(Type.PACKET, 1, 0, bytes(octets - AROUND))


def super_packet(size: int, step: int = 1000) -> Parcel:
    return Parcel(Type.SEGMENT, 1, 0, bytes(size), headers=bytes(40), begin=0, end=size, step=step)


def give(scheduler: Scheduler, legs: list[LegQueue], parcel: Parcel) -> LegQueue:
    chosen, count = scheduler.choose(parcel, legs, 0.0)
    chosen.enqueue(parcel.split(count)[0])
    return chosen


def test_of_a_burst_the_first_89_packets_go_to_the_near_leg_and_the_90th_to_the_far_one() -> None:
    # Behaviour 2.7, "check by arithmetic".
    near, far = leg(1, 50), leg(2, 30, delay=0.021)
    scheduler = EarliestArrival()

    taken = [give(scheduler, [near, far], packet()).id for _ in range(90)]

    assert taken == [1] * 89 + [2]


def test_a_tie_goes_to_the_less_busy_leg_then_to_the_lower_id() -> None:
    legs = [leg(2, 50), leg(1, 50)]
    busy = leg(3, 50)
    busy.enqueue(packet())
    idle_but_far = leg(4, 50, delay=1500 * 8 / 50e6)

    assert EarliestArrival().choose(packet(), legs, 0.0)[0].id == 1
    assert EarliestArrival().choose(packet(), [busy, idle_but_far], 0.0)[0].id == 4


@pytest.mark.parametrize("scheduler", [EarliestArrival(), WeightedRoundRobin()])
@pytest.mark.parametrize("make", [packet, lambda: super_packet(40_000)], ids=["packets", "super"])
def test_under_saturation_bytes_are_in_proportion_to_the_speeds(
    scheduler: Scheduler, make: Callable[[], Parcel]
) -> None:
    legs = [leg(1, 20, 0.0), leg(2, 50, 0.010), leg(3, 100, 0.003)]
    given_to = {1: 0, 2: 0, 3: 0}

    for _ in range(3000):
        rest: Parcel | None = make()
        while rest is not None:
            chosen, count = scheduler.choose(rest, legs, 0.0)
            taken, rest = rest.split(count)
            chosen.enqueue(taken)
            given_to[chosen.id] += taken.octets

    total = sum(given_to.values())
    for each in legs:
        share = each.pacer.bps / 170e6
        assert given_to[each.id] / total == pytest.approx(share, rel=0.05)


def test_segments_stay_together_for_a_millisecond_of_the_leg() -> None:
    legs = [leg(1, 100), leg(2, 100)]

    _, count = EarliestArrival().choose(super_packet(60_000), legs, 0.0)

    carried = count * super_packet(60_000).octets / 60 * 8 / 100e6
    assert QUANTUM * 0.9 <= carried <= QUANTUM


def test_a_super_packet_is_not_cut_when_one_leg_is_far_ahead() -> None:
    legs = [leg(1, 1000), leg(2, 10, delay=0.5)]

    chosen, count = EarliestArrival().choose(super_packet(60_000), legs, 0.0)

    assert (chosen.id, count) == (1, 60)


def test_round_robin_gives_a_returning_leg_no_flood() -> None:
    legs = [leg(1, 10), leg(2, 10)]
    scheduler = WeightedRoundRobin()
    for _ in range(1000):
        give(scheduler, legs[:1], packet())

    taken = [give(scheduler, legs, packet()).id for _ in range(200)]

    assert taken.count(1) >= 50


def test_a_leg_with_speed_0_or_a_full_queue_has_no_room() -> None:
    barred, full, free = leg(1, 0), leg(2, 10), leg(3, 10)
    for _ in range(30):
        full.enqueue(packet())

    assert with_room([barred, full, free], BULK_LANE, 0.0) == [free]


# -- pacing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mbps", [2, 20, 100])
@pytest.mark.parametrize("seed", range(5))
def test_no_window_of_100_ms_holds_more_than_the_speed_and_2_ms(mbps: int, seed: int) -> None:
    pacer, now, dice = Pacer(mbps * 1e6), 0.0, Random(seed)
    sent: list[float] = []
    while now < 0.6:
        now += dice.random() * 0.004
        while pacer.room(now) > 0:
            pacer.charge(1500, now)
            sent.append(now)

    most = max(sum(at <= when < at + 0.1 for when in sent) for at in sent)
    speed = mbps * 1e6 / 8
    assert most * 1500 <= 1.05 * (0.1 * speed + max(2 * 1500, 0.002 * speed))


def test_a_late_timer_costs_no_speed() -> None:
    pacer, sent = Pacer(100e6), 0
    for turn in range(1000):
        now = turn * 0.002  # always a little late
        while pacer.room(now) > 0:
            pacer.charge(1250, now)
            sent += 1250

    assert sent * 8 / 2.0 == pytest.approx(100e6, rel=0.01)


def test_time_in_which_nothing_waited_is_not_made_up_for() -> None:
    pacer, sent = Pacer(100e6), 0
    while pacer.room(10.0) > 0:
        pacer.charge(1250, 10.0)
        sent += 1250

    assert sent * 8 <= 100e6 * 0.002 + 1250 * 8


def test_the_pacer_opens_when_it_says() -> None:
    pacer = Pacer(10e6)
    pacer.charge(10_000, 0.0)

    assert pacer.room(pacer.opens_at() - 1e-4) == 0
    assert pacer.room(pacer.opens_at() + 1e-4) > 0

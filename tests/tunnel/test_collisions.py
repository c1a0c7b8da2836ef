"""Heavy flows that wait behind each other in one leg's queue are parted (behaviour 2.8)."""

from openbond.tunnel.collisions import FOR, KEPT_OFF, LOOK_EVERY, Collisions
from openbond.tunnel.leg_queue import LegQueue
from openbond.tunnel.messages import Type
from openbond.tunnel.parcels import Parcel
from openbond.tunnel.repair import Outbox
from tests.tunnel.ends import still_end

OLD, YOUNG, SMALL = 11, 12, 13
BPS = 10e6


def leg(leg_id: int) -> LegQueue:
    return LegQueue(still_end(leg_id), bps=BPS, outbox=Outbox(keep=0.0, room=0))


def wait_for(queue: LegQueue, seconds: float) -> None:
    """Make the leg's queue so long."""
    queue.take_back()
    octets = int(seconds * BPS / 8)
    while octets > 0:
        parcel = Parcel(Type.PACKET, 99, 0, bytes(min(1400, octets)))
        queue.enqueue(parcel)
        octets -= parcel.octets


class Bond:
    """Two full legs; the first is given two heavy flows and a small one."""

    def __init__(self, *, first_waits: float = 0.030, second_waits: float = 0.0) -> None:
        self.legs = [leg(1), leg(2)]
        self.collisions = Collisions()
        self.collisions.is_on = True
        self.now = 0.0
        wait_for(self.legs[0], first_waits)
        wait_for(self.legs[1], second_waits)

    def run(self, seconds: float, *, young: bool = True) -> None:
        until = self.now + seconds
        while self.now < until:
            self.give(OLD, 0.4)
            if young and self.now > 0.01:
                self.give(YOUNG, 0.4)
            self.give(SMALL, 0.05)
            self.collisions.look(self.legs, self.now)
            self.now += LOOK_EVERY

    def give(self, flow: int, share: float) -> None:
        octets = int(share * BPS / 8 * LOOK_EVERY)
        self.collisions.on_given(self.legs[0], flow, octets, self.now)

    def ids_for(self, flow: int) -> list[int]:
        return [each.id for each in self.collisions.legs_for(flow, self.legs, self.now)]


def test_the_youngest_of_two_heavy_flows_is_kept_off_the_crowded_leg() -> None:
    bond = Bond()

    bond.run(2.0)

    assert bond.ids_for(YOUNG) == [2]
    assert bond.ids_for(OLD) == bond.ids_for(SMALL) == [1, 2]


def test_a_short_crowd_changes_nothing() -> None:
    bond = Bond()

    bond.run(FOR - LOOK_EVERY)

    assert bond.ids_for(YOUNG) == [1, 2]


def test_it_may_use_the_leg_again_after_five_seconds() -> None:
    bond = Bond()
    bond.run(2.0)
    wait_for(bond.legs[0], 0.010)

    bond.run(KEPT_OFF)

    assert bond.ids_for(YOUNG) == [1, 2]


def test_a_single_heavy_flow_waits_behind_nobody() -> None:
    bond = Bond()

    bond.run(2.0, young=False)

    assert bond.ids_for(OLD) == [1, 2]


def test_queues_that_are_alike_are_no_collision() -> None:
    bond = Bond(first_waits=0.030, second_waits=0.025)

    bond.run(2.0)

    assert bond.ids_for(YOUNG) == [1, 2]


def test_no_leg_stands_idle_for_it() -> None:
    bond = Bond()
    bond.run(2.0)

    wait_for(bond.legs[0], 0.0)

    assert bond.ids_for(YOUNG) == [1, 2]


def test_whoever_is_kept_off_the_only_leg_there_is_uses_it() -> None:
    bond = Bond()
    bond.run(2.0)

    assert bond.collisions.legs_for(YOUNG, bond.legs[:1], bond.now) == bond.legs[:1]

"""What waits for its turn: fair between flows, in shares between classes (behaviour 2.9, 5.10)."""

from collections import Counter
from itertools import pairwise

import pytest

from openbond.tunnel.class_queues import WAIT_MOST, ClassQueues
from openbond.tunnel.flow_queues import CREDIT_MOST, CREDIT_PER_SECOND
from openbond.tunnel.flows import FlowNumbers
from openbond.tunnel.leg_queue import LegQueue
from openbond.tunnel.messages import OUTER_IPV4, PACKET_HEADER, TAG_SIZE, Type
from openbond.tunnel.parcels import BULK_LANE, SPARSE_LANE, Parcel
from openbond.tunnel.repair import Outbox
from openbond.tunnel.segments import Cutter
from openbond.tunnel.settings import QosClass
from tests.tunnel.ends import still_end
from tests.tunnel.inner import ipv4, small_udp

AROUND = OUTER_IPV4 + PACKET_HEADER.size + TAG_SIZE
CAPACITY = 10e6


class Queues:
    """Class queues over one leg of 10 Mbit/s; `serve` hands out what the leg can carry."""

    def __init__(self, *classes: QosClass) -> None:
        self.numbers = FlowNumbers(1)
        self.queues = ClassQueues(classes or (QosClass(share=1.0),), self.numbers)
        self.queues.why = "queue_full"
        self.leg = LegQueue(still_end(1), bps=CAPACITY, outbox=Outbox(keep=0.0, room=0))
        self.queues.set_legs([self.leg])
        self.now = 100.0
        self.served: list[tuple[float, Parcel]] = []
        self._due = 0.0

    def put(self, flow: int, octets: int = 1500, *, index: int = 0, amount: int = 1) -> None:
        for _ in range(amount):
            body = ipv4(17, bytes(octets - AROUND - 20))
            number = self.numbers.take(flow, 1)
            parcel = Parcel(Type.PACKET, flow, number, body, lane=2 * index + BULK_LANE)
            self.queues.put(parcel, self.now)

    def put_super(self, flow: int, count: int, step: int = 1400) -> None:
        end = count * step
        parcel = Parcel(
            Type.SEGMENT,
            flow,
            self.numbers.take(flow, count),
            bytes(end),
            headers=ipv4(6, b""),
            end=end,
            step=step,
        )
        self.queues.put(parcel, self.now)

    def serve(self, seconds: float, *, step: float = 0.001) -> None:
        """Let time pass; the leg takes single datagrams, as fast as its speed."""
        until = self.now + seconds
        while self.now < until:
            self.now += step
            self._due += CAPACITY / 8 * step
            self.queues.handle_timer(self.now)
            for turn in self.queues.turns(self.now):
                if self._due <= 0:
                    turn.refused(is_last=True)
                    continue
                first, rest = turn.parcel.split(1)
                turn.took(rest)
                self._due -= first.octets
                self.served.append((self.now, first))
            self._due = min(self._due, 3000.0)

    def octets_of(self, key: str, since: float = 0.0) -> Counter[int]:
        found: Counter[int] = Counter()
        for at, parcel in self.served:
            if at >= since:
                found[parcel.flow if key == "flow" else parcel.lane >> 1] += parcel.octets
        return found


# -- flows of one class ---------------------------------------------------------------------------


def test_flows_share_alike_however_large_their_packets_are() -> None:
    queues = Queues()
    for _ in range(100):
        queues.put(1, 1500, amount=3)
        queues.put(2, 300, amount=15)
        queues.put_super(3, 3)
        queues.serve(0.010)

    octets = queues.octets_of("flow", since=100.2)

    assert max(octets.values()) < 1.1 * min(octets.values())


def test_a_sparse_flow_passes_a_full_queue_by() -> None:
    queues = Queues()
    queues.put(1, amount=100)
    queues.serve(0.005)
    came_at = queues.now

    queues.put(2, 150)
    queues.serve(0.020)

    (gone_at, parcel), *_ = [(at, one) for at, one in queues.served if one.flow == 2]
    assert gone_at - came_at <= 0.0021
    assert parcel.lane == SPARSE_LANE


def test_a_flow_that_sends_much_in_pieces_is_sparse_for_what_it_earns_only() -> None:
    queues = Queues()
    for _ in range(100):
        queues.put(1, amount=6)
        queues.put(2, 1500, amount=2)
        queues.serve(0.005)

    sparse = [one.octets for _, one in queues.served if (one.flow, one.lane) == (2, SPARSE_LANE)]

    assert sum(sparse) <= CREDIT_MOST + 0.5 * CREDIT_PER_SECOND


def test_a_flow_whose_packets_wait_on_a_leg_is_not_sparse() -> None:
    queues = Queues()
    parcel = Parcel(Type.PACKET, 1, 0, ipv4(17, bytes(200)))
    queues.leg.enqueue(parcel)
    queues.queues.flow(parcel, queues.now).marks[queues.leg] = queues.leg.given

    queues.put(1, 200)
    queues.serve(0.010)

    assert [one.lane for _, one in queues.served] == [BULK_LANE]


def test_each_flow_keeps_its_order() -> None:
    queues = Queues()
    for number in range(200):
        queues.put(1, 200 + number % 7 * 200, amount=2)
        queues.put(2, 100)
        queues.put_super(3, 1 + number % 3)
        queues.serve(0.003)

    for flow in (1, 2, 3):
        numbers = [one.sequence for _, one in queues.served if one.flow == flow]
        assert numbers == sorted(numbers)


def test_a_standing_queue_loses_datagrams_and_leaves_no_gap_in_the_numbers() -> None:
    queues = Queues()
    for _ in range(300):
        queues.put_super(1, 6)  # some 13 Mbit/s into 10
        queues.serve(0.005)

    assert queues.queues.drops["queue_full"] > 0
    numbers = [one.sequence for _, one in queues.served]
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))


def test_nothing_waits_longer_than_200_ms() -> None:
    queues = Queues()
    waits = []
    queues.put(1, amount=1000)
    queues.serve(1.0)
    waits = [at - 100.0 for at, _ in queues.served]

    assert max(waits) <= WAIT_MOST + 0.001
    assert len(queues.served) + queues.queues.drops["queue_full"] == 1000


def test_what_is_dropped_for_age_leaves_no_gap_in_the_numbers_either() -> None:
    queues = Queues()
    queues.put(1, amount=400)
    queues.serve(0.1)
    queues.now += 0.150
    queues.queues.handle_timer(queues.now)
    queues.put(1, amount=3)
    queues.serve(0.1)

    numbers = [one.sequence for _, one in queues.served]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_mark_takes_the_place_of_a_drop() -> None:
    queues = Queues()
    for _ in range(200):
        body = bytearray(ipv4(17, bytes(1400)))
        body[1] |= 1
        for _ in range(6):
            number = queues.numbers.take(1, 1)
            queues.queues.put(Parcel(Type.PACKET, 1, number, bytes(body)), queues.now)
        queues.serve(0.005)

    assert queues.queues.marked > 0
    assert sum(one.body[1] & 3 == 3 for _, one in queues.served) == queues.queues.marked


def test_a_flow_that_no_leg_takes_keeps_nobody_waiting_and_nothing_of_it_is_lost() -> None:
    queues = Queues()
    queues.put(1, amount=5)
    queues.put(2, amount=5)
    taken: list[int] = []

    for barred in (1, 0):
        for turn in queues.queues.turns(queues.now):
            if turn.parcel.flow == barred:
                turn.refused(is_last=False)
                continue
            taken.append(turn.parcel.flow)
            turn.took(None)

    assert taken == [2] * 5 + [1] * 5


def test_a_thousand_flows_that_are_gone_are_forgotten() -> None:
    queues = Queues()
    for flow in range(1, 5000):
        queues.put(flow, 100)
        queues.serve(0.001)

    assert len(queues.queues.classes[0].queue._flows) <= 2100


def test_packets_of_one_flow_in_two_classes_are_two_flows() -> None:
    numbers = FlowNumbers(1)
    reads = [small_udp(700, port=port) for port in range(200)]

    flows = [
        {parcel.flow for parcel in cutter.cut(reads)}
        for index in range(4)
        for cutter in [Cutter(numbers, has_vnet_header=False, index=index, classes=4)]
    ]

    assert sum(map(len, flows)) == len(set.union(*flows))
    assert all(0 < flow < 2**16 for some in flows for flow in some)


# -- classes --------------------------------------------------------------------------------------

FOUR = tuple(QosClass(share=share) for share in (0.4, 0.2, 0.2, 0.2))


def flood(queues: Queues, wants: dict[int, float], seconds: float = 3.0) -> dict[int, float]:
    """Offer each class so much of the capacity; return what each got of it after a second."""
    began = queues.now
    due = dict.fromkeys(wants, 0.0)
    while queues.now < began + seconds:
        for index, share in wants.items():
            due[index] += share * CAPACITY / 8 * 0.005
            while due[index] > 0:
                queues.put(100 + index, index=index)
                due[index] -= 1500
        queues.serve(0.005)
    octets = queues.octets_of("class", since=began + 1.0)
    return {index: octets[index] * 8 / (seconds - 1.0) / CAPACITY for index in wants}


def test_in_overload_every_class_gets_its_guarantee() -> None:
    got = flood(Queues(*FOUR), dict.fromkeys(range(4), 1.0))

    assert got == {index: pytest.approx(each.share, rel=0.05) for index, each in enumerate(FOUR)}


def test_an_unused_share_is_lent_in_proportion_to_the_shares() -> None:
    got = flood(Queues(*FOUR), {0: 1.0, 1: 1.0})

    assert got[0] == pytest.approx(2 / 3, rel=0.05)
    assert got[1] == pytest.approx(1 / 3, rel=0.05)


def test_a_class_that_wants_little_gets_all_of_it_and_the_rest_is_used() -> None:
    got = flood(Queues(*FOUR), {0: 0.1, 3: 1.5})

    assert got[0] == pytest.approx(0.1, rel=0.05)
    assert sum(got.values()) >= 0.95


def test_a_class_that_was_idle_has_nothing_to_make_up_for() -> None:
    queues = Queues(*FOUR)
    flood(queues, {2: 1.5}, seconds=3.0)

    got = flood(queues, {2: 1.5, 3: 1.5}, seconds=3.0)

    assert got[2] == pytest.approx(0.5, rel=0.05)


def test_within_its_guarantee_an_earlier_class_is_served_first() -> None:
    queues = Queues(*FOUR)
    waits = []
    for _ in range(200):
        queues.put(7, index=3, amount=8)
        queues.put(8, 200, index=0, amount=3)
        before, came_at = len(queues.served), queues.now
        queues.serve(0.005)
        waits += [at - came_at for at, one in queues.served[before:] if one.flow == 8]

    assert max(waits) <= 0.004

"""Datagrams sealed at one end, opened at the other; forged, replayed and mangled ones are not."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openbond.tunnel.flows import FlowNumbers
from openbond.tunnel.inbound import Inbound
from openbond.tunnel.join import Joiner
from openbond.tunnel.leg_queue import LegQueue
from openbond.tunnel.messages import HEADER, TAG_SIZE, Type
from openbond.tunnel.reorder import Order
from openbond.tunnel.repair import Outbox
from openbond.tunnel.runs import OCTETS_MOST, SEGMENTS_MOST, Run
from openbond.tunnel.segments import Cutter
from openbond.tunnel.settings import Role, Security
from tests.tunnel.ends import PEER, keypairs, still_end
from tests.tunnel.inner import plain_read, small_reads, small_udp, super_tcp, tcp_packet

MODES = list(Security)


class Path:
    """One leg from cutting to joining, at a speed that never makes anything wait."""

    def __init__(self, security: Security = Security.ENCRYPTION) -> None:
        ours, theirs = keypairs(security)
        self.queue = LegQueue(still_end(1, ours), bps=1e12, outbox=Outbox(keep=0.15, room=1 << 20))
        self.order = Order()
        self.inbound = Inbound(still_end(1, theirs, Role.AGGREGATOR), self.order)
        self.cutter = Cutter(FlowNumbers(1), has_vnet_header=True)
        self.joiner = Joiner(has_vnet_header=True)
        self.now = 10.0

    def seal(self, *reads: bytes) -> list[Run]:
        for parcel in self.cutter.cut(reads):
            self.queue.enqueue(parcel)
        return self.queue.runs_to_send(self.now)

    def open(self, run: Run) -> None:
        self.inbound.receive(b"".join(run.buffers), run.size, PEER, self.now)

    def receive(self, datagram: bytes) -> None:
        self.inbound.receive(datagram, len(datagram), PEER, self.now)

    def writes(self) -> list[bytes]:
        writes = self.joiner.writes(self.order.take_ready())
        return [b"".join(write) for write in writes]


READS = [super_tcp(30_000, 1368), plain_read(tcp_packet(1200)), plain_read(small_udp(90))]


@pytest.mark.parametrize("security", MODES)
def test_what_went_in_comes_out(security: Security) -> None:
    path = Path(security)

    for run in path.seal(*READS):
        path.open(run)

    assert path.writes() == READS
    assert not path.inbound.drops


@pytest.mark.parametrize("security", MODES)
def test_datagrams_of_a_run_can_be_received_one_by_one(security: Security) -> None:
    path = Path(security)

    for run in path.seal(*READS):
        for datagram in run.datagrams():
            path.receive(datagram)

    assert path.writes() == READS


def test_only_encryption_hides_what_is_sent() -> None:
    packet = tcp_packet(1200)

    sealed = {mode: b"".join(Path(mode).seal(plain_read(packet))[0].buffers) for mode in MODES}

    assert packet[60:100] in sealed[Security.NONE]
    assert packet[60:100] in sealed[Security.HMAC]
    assert packet[60:100] not in sealed[Security.ENCRYPTION]


@given(st.lists(st.integers(min_value=1369, max_value=60_000), min_size=1, max_size=8))
@settings(deadline=None)
def test_a_run_is_what_udp_segment_allows(sizes: list[int]) -> None:
    path = Path()
    reads = [super_tcp(size, 1368) for size in sizes]

    runs = path.seal(*reads)

    for run in runs:
        lengths = [len(datagram) for datagram in run.datagrams()]
        assert len(lengths) == run.count <= SEGMENTS_MOST
        assert sum(lengths) == run.octets <= OCTETS_MOST
        assert all(length == run.size for length in lengths[:-1])
        assert lengths[-1] <= run.size
        path.open(run)
    assert path.writes() == reads


def test_super_packets_of_one_turn_fill_their_runs() -> None:
    runs = Path().seal(*[super_tcp(1368 * 30, 1368) for _ in range(4)])

    assert [run.count for run in runs] == [44, 44, 32]


# -- what must not get in -------------------------------------------------------------------------


@pytest.mark.parametrize("security", [Security.HMAC, Security.ENCRYPTION])
def test_a_replayed_run_is_dropped_and_counted(security: Security) -> None:
    path = Path(security)
    runs = path.seal(*READS)
    for run in runs:
        path.open(run)
    path.order.take_ready()

    for run in runs:
        path.open(run)

    assert path.order.take_ready() == []
    assert path.inbound.drops["replayed"] == sum(run.count for run in runs)


def test_a_run_with_one_forged_datagram_loses_only_that_one() -> None:
    path = Path()
    (run,) = path.seal(super_tcp(1368 * 5, 1368))
    datagrams = run.datagrams()
    datagrams[2] = datagrams[2][:-1] + bytes((datagrams[2][-1] ^ 1,))

    path.inbound.receive(b"".join(datagrams), run.size, PEER, path.now)

    assert path.inbound.datagrams == 4
    assert path.inbound.drops == {"bad_tag": 1}


def test_a_datagram_of_an_unknown_session_is_dropped() -> None:
    path = Path()
    (run,) = path.seal(plain_read(tcp_packet(1200)))
    datagram = bytearray(run.datagrams()[0])
    datagram[2] ^= 0xFF

    path.receive(bytes(datagram))

    assert path.inbound.drops == {"unknown_session": 1}


@pytest.mark.parametrize("kind", [Type.PACKET, Type.SEGMENT, Type.BUNDLE, Type.TRAIN])
def test_data_that_is_too_short_is_dropped(kind: Type) -> None:
    path = Path()
    header = HEADER.pack(kind, 0, 22, 5)

    for size in range(1, HEADER.size + TAG_SIZE):
        path.receive((header + bytes(40))[:size])

    assert path.inbound.datagrams == 0
    assert sum(path.inbound.drops.values()) == HEADER.size + TAG_SIZE - 1


@pytest.mark.parametrize("security", [Security.HMAC, Security.ENCRYPTION])
def test_of_100_000_mutated_datagrams_none_is_accepted_and_none_raises(security: Security) -> None:
    dice = Random(4)
    path = Path(security)
    small = [plain_read(small_udp(90, port=port)) for port in range(5)]
    runs = path.seal(super_tcp(700, 300), plain_read(tcp_packet(700)), *small)
    runs += path.seal(*small_reads(9))
    originals = [datagram for run in runs for datagram in run.datagrams()]
    kinds = {Type.SEGMENT, Type.PACKET, Type.BUNDLE, Type.TRAIN}
    assert {datagram[0] for datagram in originals} == kinds

    for number in range(100_000):
        path.receive(mutated(originals[number % len(originals)], dice))

    assert path.order.take_ready() == []
    assert path.inbound.datagrams == 0
    assert sum(path.inbound.drops.values()) == 100_000


def mutated(datagram: bytes, dice: Random) -> bytes:
    """Return another datagram of a data type: bits flipped, cut, lengthened or mixed."""
    way = dice.randrange(4)
    if way == 0:
        at = dice.randrange(1, len(datagram))
        return datagram[:at] + bytes((datagram[at] ^ 1 << dice.randrange(8),)) + datagram[at + 1 :]
    if way == 1:
        return datagram[: dice.randrange(1, len(datagram))]
    if way == 2:
        return datagram + dice.randbytes(dice.randrange(1, 40))
    kind = dice.choice([kind for kind in (9, 10, 11, 12) if kind != datagram[0]])
    return bytes((kind,)) + datagram[1:]


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=1, max_value=200))
def test_no_bytes_of_whatever_size_make_receiving_fail(noise: bytes, size: int) -> None:
    path = Path(Security.NONE)

    for kind in (Type.PACKET, Type.SEGMENT, Type.BUNDLE, Type.TRAIN):
        known_session = HEADER.pack(kind, 0, 22, 7)
        path.inbound.receive(bytes((kind,)) + noise, size, PEER, 0.0)
        path.inbound.receive(known_session + noise, size, PEER, 0.0)
    path.writes()

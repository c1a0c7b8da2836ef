"""Super-packets cut for the wire and joined again: what the far kernel cuts is what ours would."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel import trains
from openbond.tunnel.flows import START_STEP, FlowNumbers
from openbond.tunnel.join import WHOLE, Item, Joiner
from openbond.tunnel.messages import BUNDLED, Type
from openbond.tunnel.packets import VNET_SIZE
from openbond.tunnel.parcels import Parcel
from openbond.tunnel.segments import Cutter
from tests.tunnel.inner import (
    inside_of,
    ipv4,
    is_right,
    kernel_packets,
    open_checksum,
    open_inside,
    plain_read,
    small_udp,
    super_tcp,
    super_udp,
    tcp_packet,
)

SUPER_PACKETS = [
    pytest.param(super_tcp(14_000, 1368), id="TCP over IPv4"),
    pytest.param(super_tcp(14_000, 1368, version=6), id="TCP over IPv6"),
    pytest.param(super_udp(12_000, 1200), id="UDP"),
    pytest.param(super_tcp(1368 * 4, 1368), id="last segment full"),
    pytest.param(open_checksum(1200), id="single packet, checksum open"),
]


def cutter(*, has_vnet_header: bool = True) -> Cutter:
    return Cutter(FlowNumbers(1), has_vnet_header=has_vnet_header)


def items_of(parcel: Parcel) -> list[Item]:
    """Return what the far end makes of a parcel's datagrams."""
    assert parcel.kind is Type.SEGMENT
    starts = range(parcel.begin, parcel.end, parcel.step)
    return [
        (parcel.headers + parcel.body[at : at + parcel.step], at - parcel.origin) for at in starts
    ]


def written(items: list[Item], *, has_vnet_header: bool = True) -> list[bytes]:
    joiner = Joiner(has_vnet_header=has_vnet_header)
    return [b"".join(write) for write in joiner.writes(items)]


@pytest.mark.parametrize("read", SUPER_PACKETS)
def test_a_super_packet_that_came_whole_is_written_as_it_was_read(read: bytes) -> None:
    (parcel,) = cutter().cut([read])

    (write,) = written(items_of(parcel))

    assert write[VNET_SIZE:] == read[VNET_SIZE:]
    assert kernel_packets(write) == kernel_packets(read)


@pytest.mark.parametrize("read", SUPER_PACKETS)
@given(seed=st.integers(min_value=0, max_value=1000))
def test_any_part_of_a_super_packet_gives_the_packets_of_that_part(read: bytes, seed: int) -> None:
    dice = Random(seed)
    (parcel,) = cutter().cut([read])
    items = items_of(parcel)
    kept = sorted(dice.sample(range(len(items)), dice.randint(1, len(items))))

    writes = written([items[number] for number in kept])

    got = [packet for write in writes for packet in kernel_packets(write)]
    wanted = kernel_packets(read)
    assert [without_number(packet) for packet in got] == [
        without_number(wanted[number]) for number in kept
    ]
    assert all(is_right(packet) for packet in got)


def without_number(packet: bytes) -> bytes:
    """Leave out IPv4 identification and checksum: a lone last segment cannot know its place."""
    return packet[:4] + packet[6:10] + packet[12:] if packet[0] >> 4 == 4 else packet


@pytest.mark.parametrize("read", SUPER_PACKETS)
def test_without_offloads_each_segment_becomes_a_right_packet(read: bytes) -> None:
    (parcel,) = cutter().cut([read])

    packets = written(items_of(parcel), has_vnet_header=False)

    assert [without_number(packet) for packet in packets] == [
        without_number(packet) for packet in kernel_packets(read)
    ]
    assert all(is_right(packet) for packet in packets)


def test_two_super_packets_are_not_joined_to_one() -> None:
    one, two = super_tcp(5000, 1000), super_tcp(5000, 1000, seed=2)
    items = [item for parcel in cutter().cut([one, two]) for item in items_of(parcel)]

    assert len(written(items)) == 2


def test_segments_of_udp_go_one_by_one_to_a_kernel_that_cannot_take_them_joined() -> None:
    read = super_udp(6000, 1200)
    (parcel,) = cutter().cut([read])

    writes = Joiner(has_vnet_header=True, joins_udp=False).writes(items_of(parcel))

    assert [kernel_packets(b"".join(write))[0] for write in writes] == kernel_packets(read)


def test_a_segment_without_headers_is_counted_and_left_out() -> None:
    joiner = Joiner(has_vnet_header=True)

    writes = joiner.writes([(b"\x45" + bytes(30), 0), (tcp_packet(600), WHOLE)])

    assert len(writes) == 1
    assert joiner.malformed == 1


@given(st.lists(st.tuples(st.binary(max_size=100), st.integers(0, 65535)), max_size=8))
def test_no_segment_makes_joining_fail(noise: list[tuple[bytes, int]]) -> None:
    items = [(b"\x45" + body, offset) for body, offset in noise]

    Joiner(has_vnet_header=True).writes(items)
    Joiner(has_vnet_header=False).writes(items)


def test_an_open_checksum_of_a_packet_inside_is_completed_before_it_leaves() -> None:
    read = open_inside(1200)

    (parcel,) = cutter().cut([read])

    assert parcel.kind is Type.PACKET
    assert not is_right(inside_of(read[VNET_SIZE:]))
    assert is_right(inside_of(parcel.body))
    assert parcel.body[: 20 + 8] == read[VNET_SIZE : VNET_SIZE + 28]


def test_small_packets_with_an_open_checksum_inside_make_no_train() -> None:
    reads = [open_inside(40, number=number) for number in range(8)]

    assert trains.lengths(reads) == [1] * 8

    (parcel,) = cutter().cut(reads)
    first = parcel.body.index(reads[0][VNET_SIZE : VNET_SIZE + 28])
    assert is_right(inside_of(parcel.body[first : first + len(reads[0]) - VNET_SIZE]))


# -- cutting --------------------------------------------------------------------------------------


def test_a_lone_small_packet_does_not_wait_for_company() -> None:
    packet = small_udp(100)

    (parcel,) = cutter().cut([plain_read(packet)])

    assert (parcel.kind, parcel.body) == (Type.PACKET, packet)


def test_small_packets_of_one_turn_share_a_datagram_with_their_own_numbers() -> None:
    packets = [small_udp(100, port=port) for port in (1, 2, 1)]

    (parcel,) = cutter().cut([plain_read(packet) for packet in packets])

    assert parcel.kind is Type.BUNDLE
    assert unpack(parcel.body) == packets


def unpack(body: bytes) -> list[bytes]:
    packets = []
    while body:
        size, _, _ = BUNDLED.unpack_from(body)
        packets.append(body[BUNDLED.size : BUNDLED.size + size])
        body = body[BUNDLED.size + size :]
    return packets


def test_a_bundle_fits_into_the_smallest_path_mtu() -> None:
    small = cutter()
    small.set_path_mtu(1300)

    parcels = small.cut([plain_read(small_udp(150, port=port)) for port in range(40)])

    assert {parcel.kind for parcel in parcels} == {Type.BUNDLE}
    assert max(len(parcel.body) for parcel in parcels) <= 1300 - 28 - 12 - 16
    assert sum(len(unpack(parcel.body)) for parcel in parcels) == 40


def test_a_large_packet_does_not_overtake_small_ones_of_its_flow() -> None:
    small, large = tcp_packet(10), tcp_packet(1200)

    parcels = cutter().cut([plain_read(small), plain_read(large)])

    assert [parcel.body for parcel in parcels] == [small, large]


def test_a_small_packet_with_an_open_checksum_is_completed() -> None:
    read = open_checksum(100)

    (parcel,) = cutter().cut([read])

    assert is_right(parcel.body)


def test_segments_number_their_flow_one_by_one() -> None:
    one = cutter()

    first, second = one.cut([super_tcp(5000, 1000), super_tcp(3000, 1000)])

    assert (first.sequence, first.count) == (START_STEP, 5)
    assert (second.sequence, second.count) == (START_STEP + 5, 3)


def test_without_offloads_a_read_is_a_packet() -> None:
    packet = ipv4(50, bytes(1000))

    (parcel,) = cutter(has_vnet_header=False).cut([packet])

    assert (parcel.kind, parcel.body) == (Type.PACKET, packet)


@given(st.integers(min_value=1, max_value=20_000), st.integers(min_value=1, max_value=60))
def test_splitting_a_parcel_loses_no_byte(size: int, count: int) -> None:
    (parcel,) = (
        cutter().cut([super_tcp(size, 700)])
        if size > 700
        else cutter().cut([super_tcp(size + 700, 700)])
    )

    first, rest = parcel.split(count)

    parts = [first] if rest is None else [first, rest]
    assert [item for part in parts for item in items_of(part)] == items_of(parcel)
    assert sum(part.count for part in parts) == parcel.count
    assert sum(part.octets for part in parts) == parcel.octets


@given(st.binary(max_size=200))
def test_no_read_makes_cutting_fail(noise: bytes) -> None:
    cutter().cut([noise, noise[:10]])
    cutter(has_vnet_header=False).cut([noise])

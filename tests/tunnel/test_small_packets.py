"""Small packets: what goes in comes out, byte for byte, in the order of its flow."""

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openbond.tunnel.bundles import unbundled, unpack
from openbond.tunnel.flows import FlowNumbers
from openbond.tunnel.join import Joiner, train_of
from openbond.tunnel.messages import BUNDLED, Type
from openbond.tunnel.packets import VNET_SIZE, flow_of
from openbond.tunnel.segments import Cutter
from openbond.tunnel.settings import Security
from tests.tunnel.inner import (
    ipv4,
    is_right,
    kernel_packets,
    payload,
    plain_read,
    small_reads,
    small_tcp,
    small_udp,
    super_tcp,
    super_udp,
)
from tests.tunnel.test_data_path import Path


def cutter() -> Cutter:
    return Cutter(FlowNumbers(1), has_vnet_header=True)


def customers(packets: list[bytes]) -> dict[int, list[bytes]]:
    """Return the packets of each flow, in order."""
    flows: defaultdict[int, list[bytes]] = defaultdict(list)
    for packet in packets:
        flows[flow_of(packet)].append(packet)
    return flows


def through(reads: list[bytes], *, has_vnet_header: bool = True, joins_udp: bool = True) -> Path:
    """Return the path after the reads went through it."""
    path = Path()
    path.joiner = Joiner(has_vnet_header=has_vnet_header, joins_udp=joins_udp)
    for run in path.seal(*reads):
        path.open(run)
    assert not path.inbound.drops
    return path


def any_reads(dice: Random) -> list[bytes]:
    """Return one turn's reads: trains, gaps in them, and whatever else comes between."""
    reads: list[bytes] = []
    for _ in range(dice.randint(1, 6)):
        port = dice.randint(1, 3)
        makers = (_train, _train, _train, _single, _two_sizes, _without_ports, _super)
        reads += dice.choice(makers)(dice, port)
    return _interleaved(reads, dice) if dice.random() < 0.5 else reads


def _train(dice: Random, port: int) -> list[bytes]:
    """Return what one socket sent, of which one or the other packet was lost."""
    amount = dice.randint(1, 90)
    some = small_reads(
        amount,
        dice.choice((1, 2, 36, 37, 200, 555)),
        version=dice.choice((4, 6)),
        port=port,
        number=dice.choice((1, 200, 0xFFF0)),
        is_checked=dice.random() < 0.5,
        seed=dice.randrange(1000),
    )
    lost = {dice.randrange(amount) for _ in range(dice.randrange(3))}
    return [read for n, read in enumerate(some) if n not in lost]


def _two_sizes(dice: Random, port: int) -> list[bytes]:
    sizes = [dice.choice((36, 37)) for _ in range(dice.randrange(30))]
    return [small_reads(1, size, port=port, number=n)[0] for n, size in enumerate(sizes)]


def _without_ports(dice: Random, port: int) -> list[bytes]:
    some = [payload(dice.choice((40, 41)), dice.randrange(1000)) for _ in range(port)]
    return [plain_read(ipv4(4, body)) for body in some]


def _single(dice: Random, port: int) -> list[bytes]:
    if dice.random() < 0.5:
        return [plain_read(small_udp(dice.randint(0, 500), port=port))]
    return [small_tcp(dice.choice((0, 1, 99)), sequence=dice.randrange(2**32))]


def _super(dice: Random, port: int) -> list[bytes]:
    if dice.random() < 0.5:
        return [super_tcp(9000, 1300, version=dice.choice((4, 6)))]
    return [super_udp(dice.choice((500, 5000)), dice.choice((100, 1200)))]


def _interleaved(reads: list[bytes], dice: Random) -> list[bytes]:
    """Return large reads first, then the small ones as several sockets at once would give them."""
    mixed = [read for read in reads if len(read) >= 600]
    small = list(customers_of_reads([read for read in reads if len(read) < 600]).values())
    while any(small):
        mixed.append(dice.choice([flow for flow in small if flow]).pop(0))
    return mixed


def customers_of_reads(reads: list[bytes]) -> dict[int, list[bytes]]:
    flows: defaultdict[int, list[bytes]] = defaultdict(list)
    for read in reads:
        flows[flow_of(read, VNET_SIZE)].append(read)
    return flows


@pytest.mark.parametrize("kernel", ["all offloads", "no USO", "no offloads"])
@given(seed=st.integers(min_value=0, max_value=2**32))
@settings(deadline=None, max_examples=150)
def test_every_packet_comes_out_as_it_went_in(kernel: str, seed: int) -> None:
    reads = any_reads(Random(seed))
    wanted = customers([packet for read in reads for packet in kernel_packets(read)])

    path = through(
        reads, has_vnet_header=kernel != "no offloads", joins_udp=kernel == "all offloads"
    )
    writes = path.writes()

    if kernel == "no offloads":
        got = customers(writes)
    else:
        got = customers([packet for write in writes for packet in kernel_packets(write)])
    if kernel != "all offloads":  # a lone segment of a super-packet cannot know its number
        got, wanted = without_numbers(got), without_numbers(wanted)
    assert got == wanted


def without_numbers(flows: dict[int, list[bytes]]) -> dict[int, list[bytes]]:
    """Leave out IPv4 identification and checksum."""
    return {
        flow: [p[:4] + p[6:10] + p[12:] if p[0] >> 4 == 4 else p for p in packets]
        for flow, packets in flows.items()
    }


@pytest.mark.parametrize("version", [4, 6])
def test_a_kernel_that_joins_no_udp_gets_a_train_packet_by_packet(version: int) -> None:
    reads = small_reads(20, version=version)

    writes = through(reads, joins_udp=False).writes()
    plain = through(reads, has_vnet_header=False).writes()

    wanted = [packet for read in reads for packet in kernel_packets(read)]
    assert [kernel_packets(write) for write in writes] == [[packet] for packet in wanted]
    assert plain == wanted


@pytest.mark.parametrize("version", [4, 6])
def test_packets_of_one_socket_keep_their_order_whatever_their_sizes(version: int) -> None:
    sizes = [36, 36, 36, 36, 200, 36, 36, 36, 36, 36, 200, 36]
    reads = [
        small_reads(1, size, version=version, number=n, seed=n)[0] for n, size in enumerate(sizes)
    ]

    writes = through(reads).writes()

    packets = [packet for write in writes for packet in kernel_packets(write)]
    assert packets == [packet for read in reads for packet in kernel_packets(read)]
    assert len(writes) == 5


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("is_checked", [False, True])
def test_packets_of_one_socket_are_one_write_at_the_far_end(version: int, is_checked: bool) -> None:
    reads = small_reads(20, version=version, is_checked=is_checked)

    (write,) = through(reads).writes()

    assert kernel_packets(write) == [packet for read in reads for packet in kernel_packets(read)]


def test_a_train_carries_its_headers_once() -> None:
    (parcel,) = cutter().cut(small_reads(20))

    assert parcel.kind is Type.TRAIN
    assert len(parcel.body) == 2 + 28 + 20 * 36


@pytest.mark.parametrize("path_mtu", [1500, 9000])
def test_a_train_fits_into_a_datagram_and_into_what_the_kernel_cuts(path_mtu: int) -> None:
    one = cutter()
    one.set_path_mtu(path_mtu)

    parcels = one.cut(small_reads(200))

    assert max(len(parcel.body) for parcel in parcels) <= path_mtu - 28 - 12 - 16
    sizes = [(len(single.body) - 30) // 36 for parcel in parcels for single in unbundled(parcel)]
    assert sum(sizes) == 200
    assert max(sizes) <= 64


@pytest.mark.parametrize("size", [200, 450, 540])
def test_on_a_narrow_path_packets_that_make_no_train_go_one_by_one(size: int) -> None:
    one = cutter()
    one.set_path_mtu(576)
    reads = small_reads(6, size)

    parcels = [single for parcel in one.cut(reads) for single in unbundled(parcel)]

    if size == 200:
        assert {parcel.kind for parcel in parcels} == {Type.TRAIN}
    else:
        wanted = [packet for read in reads for packet in kernel_packets(read)]
        assert [parcel.body for parcel in parcels] == wanted


@pytest.mark.parametrize("at", [VNET_SIZE + 1, VNET_SIZE + 6, VNET_SIZE + 8])
def test_a_packet_with_another_header_is_in_no_train(at: int) -> None:
    reads = small_reads(6)
    reads[3] = reads[3][:at] + bytes((reads[3][at] ^ 4,)) + reads[3][at + 1 :]

    (parcel,) = cutter().cut(reads)

    assert {single.kind for single in unbundled(parcel)} == {Type.PACKET}


def test_a_packet_without_a_checksum_stays_without_one() -> None:
    reads = small_reads(6, is_checked=True)
    reads[2] = reads[2][: VNET_SIZE + 26] + b"\0\0" + reads[2][VNET_SIZE + 28 :]

    writes = through(reads).writes()

    assert reads[2][VNET_SIZE:] in [write[VNET_SIZE:] for write in writes]


def test_a_checksum_that_nobody_checked_is_not_made_right() -> None:
    reads = [plain_read(small_udp(36))] * 5
    wrong = reads[0][:-1] + bytes((reads[0][-1] ^ 1,))

    writes = through([*reads, wrong]).writes()

    assert [write[VNET_SIZE:] for write in writes] == [read[VNET_SIZE:] for read in (*reads, wrong)]


def test_a_large_packet_does_not_overtake_the_train_of_its_flow() -> None:
    small = small_reads(8, port=9)
    large = plain_read(small_udp(700, port=9))

    writes = through([*small, large]).writes()

    packets = [packet for write in writes for packet in kernel_packets(write)]
    assert [len(packet) for packet in packets] == [64] * 8 + [728]


@pytest.mark.parametrize("security", list(Security))
def test_a_lost_datagram_loses_its_own_packets_only(security: Security) -> None:
    path = Path(security)
    runs = path.seal(*small_reads(100))
    lost, *datagrams = [datagram for run in runs for datagram in run.datagrams()]

    for datagram in datagrams:
        path.receive(datagram)
    path.order.handle_timer(path.now + 1)

    packets = [packet for write in path.writes() for packet in kernel_packets(write)]
    assert len(packets) == 100 - (len(lost) - 18 - 30) // 36
    assert all(is_right(packet) for packet in packets)


@given(st.binary(max_size=300))
@settings(max_examples=500)
def test_no_bundle_makes_unpacking_fail(noise: bytes) -> None:
    found = unpack(noise)

    joiners = (
        Joiner(has_vnet_header=True),
        Joiner(has_vnet_header=True, joins_udp=False),
        Joiner(has_vnet_header=False),
    )
    for joiner in joiners:
        for _, _, items in found.runs:
            joiner.writes(items)


@given(st.binary(max_size=120), st.integers(min_value=1, max_value=0xFFFF))
@settings(max_examples=500)
def test_no_train_makes_joining_fail(noise: bytes, step: int) -> None:
    for header in (b"\x45\0\0\0\0\0\0\0\x40\x11", b"\x60\0\0\0\0\0\x11\x40", b""):
        for joins_udp in (True, False):
            joiner = Joiner(has_vnet_header=True, joins_udp=joins_udp)
            joiner.writes([(header + noise, train_of(step))])
        Joiner(has_vnet_header=False).writes([(header + noise, train_of(step))])


@given(st.lists(st.binary(max_size=80), max_size=12), st.binary(max_size=30))
@settings(max_examples=500)
def test_no_reads_make_cutting_fail(noise: list[bytes], more: bytes) -> None:
    reads = small_reads(4)

    cutter().cut(noise)
    cutter().cut([*(read + more for read in reads), *noise])
    cutter().cut([read[: VNET_SIZE + len(more)] for read in reads])


def test_an_entry_that_is_cut_short_is_counted() -> None:
    (parcel,) = cutter().cut([plain_read(small_udp(50, port=port)) for port in (1, 2)])

    found = unpack(parcel.body[:-1])

    assert sum(len(items) for _, _, items in found.runs) == 1
    assert found.drops == ["malformed"]
    assert unpack(parcel.body[: BUNDLED.size]).drops == ["malformed"]

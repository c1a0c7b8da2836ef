"""Compression, packet by packet (behaviour 2.11)."""

import zlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openbond.tunnel.compression import (
    EXPANDED_MOST,
    LEFT_ALONE,
    MISSES_MOST,
    Compressor,
    expand,
)
from openbond.tunnel.messages import FLAG_COMPRESSED, Type
from openbond.tunnel.packets import UDP
from openbond.tunnel.parcels import Parcel
from openbond.tunnel.settings import Security
from tests.tunnel.inner import (
    ipv4,
    kernel_packets,
    payload,
    plain_read,
    small_udp,
    super_tcp,
    super_udp,
    udp_header,
)
from tests.tunnel.test_data_path import Path
from tests.tunnel.test_small_packets import any_reads, customers, without_numbers

TEXT = b"GET /the/same/thing/again HTTP/1.1\r\nHost: example.net\r\n" * 20


def text_packet(size: int, *, port: int = 53) -> bytes:
    return ipv4(UDP, udp_header(size, port=port) + TEXT[:size])


def text_super(read: bytes, headers: int) -> bytes:
    """Return the super-packet with a payload that shrinks."""
    size = len(read) - headers
    return read[:headers] + (TEXT * (size // len(TEXT) + 1))[:size]


TEXTS = [
    text_super(super_tcp(14_000, 1368), 10 + 52),
    text_super(super_tcp(14_000, 1368, version=6), 10 + 72),
    text_super(super_udp(12_000, 1200), 10 + 28),
    plain_read(text_packet(1000)),
    plain_read(text_packet(300)),
]


def compressing(security: Security = Security.ENCRYPTION) -> Path:
    path = Path(security)
    path.cutter.set_compression(is_on=True)
    return path


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize("read", TEXTS)
def test_what_shrinks_is_smaller_on_the_way_and_comes_out_as_it_was(
    read: bytes, security: Security
) -> None:
    path = compressing(security)

    runs = path.seal(read)
    for run in runs:
        path.open(run)

    assert sum(run.octets for run in runs) < len(read) / 2
    assert path.writes() == [read]
    assert not path.inbound.drops


@given(st.integers(min_value=0, max_value=2**32))
@settings(deadline=None)
def test_every_packet_comes_out_as_it_went_in(seed: int) -> None:
    dice = Random(seed)
    path = compressing()
    reads = [*any_reads(dice), *dice.sample(TEXTS, 3)]
    dice.shuffle(reads)

    for run in path.seal(*reads):
        for datagram in run.datagrams():
            path.receive(datagram)

    got = customers([packet for write in path.writes() for packet in kernel_packets(write)])
    wanted = customers([packet for read in reads for packet in kernel_packets(read)])
    assert without_numbers(got) == without_numbers(wanted)


def test_what_does_not_shrink_goes_as_it_is() -> None:
    read = super_tcp(14_000, 1368)

    (run,) = compressing().seal(read)
    (plain,) = Path().seal(read)

    assert b"".join(run.buffers) == b"".join(plain.buffers)


def test_a_flow_that_does_not_shrink_is_left_alone_for_a_thousand_packets() -> None:
    compressor = Compressor(is_on=True)
    tried = [0, 0]

    for flow, packet in ((0, payload(500)), (1, TEXT)):
        for _ in range(MISSES_MOST + LEFT_ALONE + 1):
            if not compressor.skips(flow, 1):
                compressor.shrink(flow, packet)
                tried[flow] += 1

    assert tried == [MISSES_MOST + 1, MISSES_MOST + LEFT_ALONE + 1]


def test_one_packet_that_shrinks_is_worth_going_on() -> None:
    compressor = Compressor(is_on=True)

    for _ in range(10):
        for _ in range(MISSES_MOST - 1):
            assert compressor.shrink(7, payload(500)) is None
        assert compressor.shrink(7, TEXT) is not None

    assert not compressor.skips(7, 1)


def test_a_super_packet_of_a_flow_that_is_left_alone_goes_in_one_run() -> None:
    path = compressing()
    path.seal(super_tcp(1368 * 20, 1368))

    (run,) = path.seal(text_super(super_tcp(1368 * 20, 1368), 62))

    assert run.count == 20


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(payload(400), id="noise"),
        pytest.param(zlib.compress(TEXT, 1, -15)[:-2], id="cut short"),
        pytest.param(zlib.compress(TEXT, 1, -15) + b"x", id="more behind it"),
        pytest.param(zlib.compress(TEXT, 1), id="zlib's own header"),
        pytest.param(zlib.compress(bytes(EXPANDED_MOST + 1), 9, -15), id="a bomb"),
    ],
)
@pytest.mark.parametrize("kind", [Type.PACKET, Type.SEGMENT])
def test_rubbish_and_bombs_are_counted_and_dropped(kind: Type, body: bytes) -> None:
    path = Path()
    path.queue.enqueue(Parcel(kind, 7, 65536, body or b"\0", flags=FLAG_COMPRESSED))
    path.queue.enqueue(Parcel(Type.PACKET, 7, 65537, small_udp(700)))

    for run in path.queue.runs_to_send(path.now):
        path.open(run)
    path.order.handle_timer(path.now + 1)

    assert path.writes() == [plain_read(small_udp(700))]
    assert path.inbound.drops == {"not_expanded": 1}


def test_a_bomb_costs_no_more_memory_than_a_packet() -> None:
    assert expand(zlib.compress(bytes(50_000_000), 9, -15)) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_expanding_fail(noise: bytes) -> None:
    expanded = expand(noise)

    assert expanded is None or len(expanded) <= EXPANDED_MOST

"""What the headers of an inner packet say."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.packets import (
    TCP,
    UDP,
    complete_checksum,
    flow_of,
    header_size,
    ones_sum,
    transport_of,
)
from tests.tunnel.inner import (
    ipv4,
    ipv6,
    is_right,
    small_udp,
    tcp_header,
    tcp_packet,
    udp_header,
)

FRAGMENT_HEADER, HOP_BY_HOP = 44, 0


def test_packets_of_one_connection_are_one_flow() -> None:
    assert flow_of(tcp_packet(10)) == flow_of(tcp_packet(1000, sequence=5, seed=3))


def test_another_port_is_another_flow() -> None:
    assert flow_of(small_udp(port=53)) != flow_of(small_udp(port=54))


def test_a_flow_is_found_behind_a_virtio_net_header_too() -> None:
    packet = tcp_packet(50)

    assert flow_of(bytes(10) + packet, 10) == flow_of(packet)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(ipv4(1, bytes(64)), id="ICMP"),
        pytest.param(ipv6(58, bytes(64)), id="ICMPv6"),
        pytest.param(ipv4(UDP, bytes(64), fragment=100), id="fragment other than the first"),
        pytest.param(
            ipv6(FRAGMENT_HEADER, bytes((UDP, 0, 1, 0, 0, 0, 0, 9)) + bytes(64)),
            id="IPv6 fragment other than the first",
        ),
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(100), id="no IP packet"),
    ],
)
def test_what_is_never_held_is_flow_0(packet: bytes) -> None:
    assert flow_of(packet) == 0


def test_the_first_fragment_belongs_to_its_flow() -> None:
    first = ipv4(UDP, udp_header(1000) + bytes(1000), fragment=0x2000)

    assert flow_of(first) == flow_of(small_udp())


def test_ports_are_found_behind_ipv6_extension_headers() -> None:
    extension = bytes((TCP, 0)) + bytes(6)
    packet = ipv6(HOP_BY_HOP, extension + tcp_header() + bytes(100))

    found = transport_of(packet)

    assert found is not None
    assert (found.protocol, found.at) == (TCP, 48)
    assert header_size(packet) == 68


def test_protocols_without_ports_are_told_apart_by_addresses_only() -> None:
    assert flow_of(ipv4(50, bytes(40))) == flow_of(ipv4(50, b"\1" * 40)) != 0


@pytest.mark.parametrize(
    ("packet", "size"),
    [
        (tcp_packet(10), 40),
        (small_udp(10), 28),
        (ipv4(TCP, tcp_header(options=bytes(20)) + bytes(5)), 60),
        (ipv4(TCP, tcp_header())[:30], 0),
        (ipv4(TCP, struct.pack(">HHIIBBHHH", 1, 2, 3, 4, 0x20, 0, 0, 0, 0)), 0),
        (ipv4(UDP, b"\0\1\0\2"), 0),
        (ipv4(50, bytes(40)), 0),
    ],
    ids=["TCP", "UDP", "options", "cut short", "impossible length", "half a header", "ESP"],
)
def test_header_size(packet: bytes, size: int) -> None:
    assert header_size(packet) == size


@given(st.binary(max_size=120))
def test_no_bytes_make_the_look_at_headers_fail(noise: bytes) -> None:
    for first in (0x45, 0x4F, 0x60):
        packet = bytes((first,)) + noise
        assert 0 <= flow_of(packet) <= 0xFFFF
        assert 0 <= header_size(packet) <= len(packet)


@given(st.binary(max_size=200))
def test_the_sum_equals_that_of_rfc_1071(octets: bytes) -> None:
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)

    assert ones_sum(octets) == total


@given(st.integers(min_value=0, max_value=1400), st.integers(min_value=0, max_value=50))
def test_a_checksum_left_open_is_completed_right(size: int, seed: int) -> None:
    whole = tcp_packet(size, seed=seed)
    pseudo = ones_sum(whole[12:20] + struct.pack(">II", len(whole) - 20, TCP))
    left_open = whole[:36] + pseudo.to_bytes(2, "big") + whole[38:]

    completed = complete_checksum(left_open, 20, 16)

    assert is_right(completed)

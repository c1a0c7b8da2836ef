"""Super-packets cut into the packets of the wire."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.lab.frames import (
    ETHERNET,
    GSO_NONE,
    GSO_TCP4,
    GSO_TCP6,
    GSO_UDP,
    NEEDS_CHECKSUM,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    TCP_FIN,
    VNET_HEADER,
    ip_size,
    is_super_packet,
    ones_sum,
    wire_frames,
)

ETHERNET_4 = bytes(12) + b"\x08\x00"
ETHERNET_6 = bytes(12) + b"\x86\xdd"
FOUR = (bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
SIX = (bytes(15) + b"\x01", bytes(15) + b"\x02")


def ipv4(protocol: int, transport: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(transport), 7, 0, 64, protocol, 0, *FOUR)
    checksum = ones_sum(head) ^ 0xFFFF
    return head[:10] + struct.pack(">H", checksum) + head[12:] + transport


def ipv6(protocol: int, transport: bytes) -> bytes:
    return struct.pack(">IHBB16s16s", 6 << 28, len(transport), protocol, 64, *SIX) + transport


def udp(payload: bytes) -> bytes:
    return struct.pack(">HHHH", 2021, 2022, 8 + len(payload), 0) + payload


def tcp(payload: bytes, *, flags: int = 0x10) -> bytes:
    return struct.pack(">HHIIBBHHH", 80, 4000, 1000, 0, 5 << 4, flags, 500, 0, 0) + payload


def super_packet(gso: int, size: int, packet: bytes, *, ethernet: bytes = ETHERNET_4) -> bytes:
    start = ETHERNET + (20 if ethernet is ETHERNET_4 else 40)
    offset = 6 if gso == GSO_UDP else 16
    return VNET_HEADER.pack(NEEDS_CHECKSUM, gso, 0, size, start, offset) + ethernet + packet


def payloads(frames: list[bytes], headers: int) -> list[bytes]:
    return [frame[VNET_HEADER.size + ETHERNET + headers :] for frame in frames]


def is_whole(frame: bytes) -> bool:
    """Complete the checksum as the kernel would, and check it as a receiver would."""
    _, _, _, _, start, offset = VNET_HEADER.unpack_from(frame)
    packet = bytearray(frame[VNET_HEADER.size :])
    completed = ones_sum(bytes(packet[start:])) ^ 0xFFFF
    struct.pack_into(">H", packet, start + offset, completed)
    protocol = PROTOCOL_UDP if offset == 6 else PROTOCOL_TCP
    first = ETHERNET + (12 if packet[ETHERNET] >> 4 == 4 else 8)
    pseudo = bytes(packet[first:start]) + struct.pack(">II", len(packet) - start, protocol)
    return ones_sum(pseudo + bytes(packet[start:])) == 0xFFFF


def test_a_single_packet_stays_as_it_is() -> None:
    frame = VNET_HEADER.pack(0, GSO_NONE, 0, 0, 0, 0) + ETHERNET_4 + ipv4(PROTOCOL_UDP, udp(b"x"))

    assert not is_super_packet(frame)
    assert wire_frames(frame) == [frame]
    assert ip_size(frame) == 29


@given(payload=st.binary(min_size=1, max_size=4000), size=st.integers(1, 1472))
def test_a_udp_super_packet_becomes_its_datagrams(payload: bytes, size: int) -> None:
    frame = super_packet(GSO_UDP, size, ipv4(PROTOCOL_UDP, udp(payload)))

    cut = wire_frames(frame)

    assert b"".join(payloads(cut, 28)) == payload
    assert all(len(part) == size for part in payloads(cut, 28)[:-1])
    assert all(is_whole(single) for single in cut)
    assert not any(is_super_packet(single) for single in cut)


@given(payload=st.binary(min_size=1, max_size=4000), size=st.integers(1, 1460))
def test_a_tcp_super_packet_becomes_segments_that_follow_each_other(
    payload: bytes, size: int
) -> None:
    frame = super_packet(GSO_TCP4, size, ipv4(PROTOCOL_TCP, tcp(payload, flags=0x19)))

    cut = wire_frames(frame)

    sequences = [struct.unpack_from(">I", single, 10 + ETHERNET + 24)[0] for single in cut]
    flags = [single[10 + ETHERNET + 33] for single in cut]
    assert b"".join(payloads(cut, 40)) == payload
    assert sequences == list(range(1000, 1000 + len(payload), size))
    assert [bool(flag & TCP_FIN) for flag in flags] == [False] * (len(cut) - 1) + [True]
    assert all(is_whole(single) for single in cut)


def test_the_ipv4_headers_of_the_parts_are_right() -> None:
    frame = super_packet(GSO_UDP, 1000, ipv4(PROTOCOL_UDP, udp(bytes(2500))))

    heads = [single[10 + ETHERNET : 10 + ETHERNET + 20] for single in wire_frames(frame)]

    assert [struct.unpack_from(">H", head, 2)[0] for head in heads] == [1028, 1028, 528]
    assert [struct.unpack_from(">H", head, 4)[0] for head in heads] == [7, 8, 9]
    assert all(ones_sum(head) == 0xFFFF for head in heads)


@pytest.mark.parametrize(
    ("gso", "packet", "headers"),
    [
        pytest.param(GSO_TCP6, ipv6(PROTOCOL_TCP, tcp(bytes(3000))), 60, id="TCP over IPv6"),
        pytest.param(GSO_UDP, ipv6(PROTOCOL_UDP, udp(bytes(3000))), 48, id="UDP over IPv6"),
    ],
)
def test_ipv6_super_packets_are_cut_too(gso: int, packet: bytes, headers: int) -> None:
    cut = wire_frames(super_packet(gso, 1200, packet, ethernet=ETHERNET_6))

    assert [len(part) for part in payloads(cut, headers)] == [1200, 1200, 600]
    assert all(is_whole(single) for single in cut)

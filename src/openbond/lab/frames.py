"""A frame as a packet socket gives it: virtio-net header, Ethernet header, packet or super-packet.

A super-packet is what the kernel has not cut yet (TSO, UDP_SEGMENT). The relay passes it on whole
while that changes nothing, and cuts it into the packets of the wire when each of them must meet its
own fate (loss, a smaller path MTU). Layout of the header: Linux, include/uapi/linux/virtio_net.h.
"""

import struct
from dataclasses import dataclass

# flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
VNET_HEADER = struct.Struct("=BBHHHH")
NEEDS_CHECKSUM = 1
GSO_NONE = 0
GSO_TCP4 = 1
GSO_TCP6 = 4
GSO_UDP = 5
GSO_ECN = 0x80

ETHERNET = 14
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
UDP_HEADER = 8
TCP_FIN, TCP_PSH, TCP_CWR = 0x01, 0x08, 0x80
PROTOCOL_TCP, PROTOCOL_UDP = 6, 17


@dataclass(frozen=True, slots=True)
class SuperPacket:
    """Where the parts of a super-packet stand; all offsets count from the Ethernet header."""

    ip_version: int
    transport: int
    payload: int
    segment_size: int
    checksum_offset: int
    is_tcp: bool


def is_super_packet(frame: bytes) -> bool:
    """Say whether the kernel would still cut this frame."""
    return (frame[1] & ~GSO_ECN) != GSO_NONE


def ip_size(frame: bytes) -> int:
    """Return the size in bytes of a single packet with its IP header, as a path MTU counts it."""
    return len(frame) - VNET_HEADER.size - ETHERNET


def wire_frames(frame: bytes) -> list[bytes]:
    """Cut a super-packet into the frames of the wire; any other frame is returned as it is."""
    found = _read_super_packet(frame)
    if found is None:
        return [frame]
    packet = frame[VNET_HEADER.size :]
    total = len(packet) - found.payload
    starts = range(0, total, found.segment_size)
    return [_segment(packet, found, start, last=start == starts[-1]) for start in starts]


def _read_super_packet(frame: bytes) -> SuperPacket | None:
    _, gso_type, _, gso_size, csum_start, csum_offset = VNET_HEADER.unpack_from(frame)
    kind = gso_type & ~GSO_ECN
    if kind not in (GSO_TCP4, GSO_TCP6, GSO_UDP) or gso_size == 0:
        return None
    packet = memoryview(frame)[VNET_HEADER.size :]
    is_tcp = kind != GSO_UDP
    header = (packet[csum_start + 12] >> 4) * 4 if is_tcp else UDP_HEADER
    return SuperPacket(
        ip_version=packet[ETHERNET] >> 4,
        transport=csum_start,
        payload=csum_start + header,
        segment_size=gso_size,
        checksum_offset=csum_offset,
        is_tcp=is_tcp,
    )


def _segment(packet: bytes, found: SuperPacket, start: int, *, last: bool) -> bytes:
    begin = found.payload + start
    cut = bytearray(packet[: found.payload]) + packet[begin : begin + found.segment_size]
    length = len(cut) - found.transport
    if found.ip_version == 4:
        _mend_ipv4(cut, number=start // found.segment_size)
    else:
        struct.pack_into(">H", cut, ETHERNET + 4, len(cut) - ETHERNET - 40)
    if found.is_tcp:
        _mend_tcp(cut, found.transport, start=start, last=last)
    else:
        struct.pack_into(">H", cut, found.transport + 4, length)
    checksum_at = found.transport + found.checksum_offset
    struct.pack_into(">H", cut, checksum_at, _pseudo_sum(cut, found, length))
    header = VNET_HEADER.pack(
        NEEDS_CHECKSUM, GSO_NONE, found.payload, 0, found.transport, found.checksum_offset
    )
    return header + bytes(cut)


def _mend_ipv4(cut: bytearray, *, number: int) -> None:
    header = (cut[ETHERNET] & 0x0F) * 4
    identification = struct.unpack_from(">H", cut, ETHERNET + 4)[0]
    struct.pack_into(
        ">HH", cut, ETHERNET + 2, len(cut) - ETHERNET, (identification + number) % 2**16
    )
    struct.pack_into(">H", cut, ETHERNET + 10, 0)
    total = ones_sum(bytes(cut[ETHERNET : ETHERNET + header]))
    struct.pack_into(">H", cut, ETHERNET + 10, total ^ 0xFFFF)


def _mend_tcp(cut: bytearray, transport: int, *, start: int, last: bool) -> None:
    sequence = struct.unpack_from(">I", cut, transport + 4)[0]
    struct.pack_into(">I", cut, transport + 4, (sequence + start) % 2**32)
    if start:
        cut[transport + 13] &= ~TCP_CWR
    if not last:
        cut[transport + 13] &= ~(TCP_FIN | TCP_PSH)


def _pseudo_sum(cut: bytearray, found: SuperPacket, length: int) -> int:
    """Return the sum that the kernel expects in the checksum field of a packet to be completed."""
    protocol = PROTOCOL_TCP if found.is_tcp else PROTOCOL_UDP
    first, last = (12, 20) if found.ip_version == 4 else (8, 40)
    addresses = bytes(cut[ETHERNET + first : ETHERNET + last])
    return ones_sum(addresses + struct.pack(">II", length, protocol))


def ones_sum(octets: bytes) -> int:
    """Return the ones' complement sum of 16-bit words (RFC 1071), not inverted."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total

"""Inner packets as a kernel would give them, and how a kernel would look at them."""

import struct
from random import Random

from openbond.tunnel.packets import (
    DATA_VALID,
    GSO_NONE,
    GSO_TCP4,
    GSO_TCP6,
    GSO_UDP,
    NEEDS_CHECKSUM,
    TCP,
    TCP_FIN,
    TCP_PSH,
    UDP,
    VNET_HEADER,
    VNET_NONE,
    Transport,
    ones_sum,
    pseudo_sum,
)

TCP_ACK = 0x10


def payload(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def ipv4(protocol: int, body: bytes, *, number: int = 7, fragment: int = 0) -> bytes:
    header = bytearray(
        struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), number, fragment, 64, protocol, 0)
    )
    header += bytes((192, 0, 2, 1, 198, 51, 100, 2))
    struct.pack_into(">H", header, 10, ones_sum(bytes(header)) ^ 0xFFFF)
    return bytes(header) + body


def ipv6(protocol: int, body: bytes) -> bytes:
    addresses = bytes(range(32))
    return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + addresses + body


def tcp_header(*, sequence: int = 1000, flags: int = TCP_ACK, options: bytes = b"") -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return struct.pack(">HHIIBBHHH", 443, 50000, sequence, 1, offset, flags, 500, 0, 0) + options


def udp_header(size: int, *, port: int = 53) -> bytes:
    return struct.pack(">HHHH", port, 40000, 8 + size, 0)


def small_udp(size: int = 100, *, port: int = 53, seed: int = 1) -> bytes:
    """Return a whole UDP packet over IPv4 with a right checksum."""
    return _with_sum(ipv4(UDP, udp_header(size, port=port) + payload(size, seed)), UDP, 6)


def tcp_packet(size: int, *, sequence: int = 1000, flags: int = TCP_ACK, seed: int = 1) -> bytes:
    """Return a whole TCP packet over IPv4 with a right checksum."""
    body = tcp_header(sequence=sequence, flags=flags) + payload(size, seed)
    return _with_sum(ipv4(TCP, body), TCP, 16)


def super_tcp(
    size: int,
    step: int,
    *,
    version: int = 4,
    flags: int = TCP_ACK | TCP_PSH | TCP_FIN,
    seed: int = 1,
) -> bytes:
    """Return what a read of the TUN device gives for `size` bytes in segments of `step`."""
    body = tcp_header(flags=flags, options=bytes(12)) + payload(size, seed)
    packet = ipv4(TCP, body) if version == 4 else ipv6(TCP, body)
    gso = GSO_TCP4 if version == 4 else GSO_TCP6
    return _read(packet, TCP, 16, gso, step, headers=len(packet) - size)


def super_udp(size: int, step: int) -> bytes:
    packet = ipv4(UDP, udp_header(size) + payload(size))
    return _read(packet, UDP, 6, GSO_UDP, step, headers=28)


def small_reads(
    amount: int,
    size: int = 36,
    *,
    version: int = 4,
    port: int = 53,
    number: int = 7,
    is_checked: bool = False,
    seed: int = 1,
) -> list[bytes]:
    """Return reads with UDP packets that a socket sent one after the other. Their checksums are
    left open; is_checked: they came from a network card that found them right.
    """
    reads = []
    for n in range(amount):
        body = udp_header(size, port=port) + payload(size, seed + n)
        packet = ipv4(UDP, body, number=number + n & 0xFFFF) if version == 4 else ipv6(UDP, body)
        at = 20 if version == 4 else 40
        if is_checked:
            vnet = VNET_HEADER.pack(DATA_VALID, GSO_NONE, 0, 0, 0, 0)
            reads.append(vnet + _with_sum(packet, UDP, 6, at=at))
        else:
            reads.append(_read(packet, UDP, 6, GSO_NONE, 0, headers=at + 8))
    return reads


def small_tcp(size: int, *, sequence: int = 1000, seed: int = 1) -> bytes:
    """Return a read with a small TCP packet whose checksum is left open."""
    packet = ipv4(TCP, tcp_header(sequence=sequence) + payload(size, seed))
    return _read(packet, TCP, 16, GSO_NONE, 0, headers=40)


def open_checksum(size: int) -> bytes:
    """Return a read with a single large TCP packet whose checksum the hardware should complete."""
    packet = ipv4(TCP, tcp_header() + payload(size))
    return _read(packet, TCP, 16, GSO_NONE, 0, headers=40)


def plain_read(packet: bytes) -> bytes:
    return VNET_NONE + packet


def kernel_packets(write: bytes) -> list[bytes]:
    """Cut and complete what was written to a TUN device, as Linux does (tcp_gso_segment)."""
    flags, gso, _, step, at, checksum = VNET_HEADER.unpack_from(write)
    packet = write[VNET_HEADER.size :]
    if not flags & NEEDS_CHECKSUM:
        return [packet]
    protocol = TCP if checksum == 16 else UDP
    headers = at + ((packet[at + 12] >> 4) * 4 if protocol == TCP else 8)
    size = len(packet) - headers
    step = step if gso else max(size, 1)
    cuts = range(0, max(size, 1), step)
    return [_cut(packet, protocol, at, headers, start, step) for start in cuts]


def is_right(packet: bytes) -> bool:
    """Say whether length and checksums of an inner packet are right."""
    if packet[0] >> 4 == 4:
        at, protocol, length = 20, packet[9], packet[2] << 8 | packet[3]
        if ones_sum(packet[:20]) != 0xFFFF:
            return False
    else:
        at, protocol, length = 40, packet[6], 40 + (packet[4] << 8 | packet[5])
    found = Transport(protocol, at)
    total = ones_sum(struct.pack(">H", pseudo_sum(packet, found, len(packet) - at)) + packet[at:])
    return length == len(packet) and total == 0xFFFF


def _cut(packet: bytes, protocol: int, at: int, headers: int, start: int, step: int) -> bytes:
    cut = bytearray(packet[:headers] + packet[headers + start : headers + start + step])
    ends = headers + start + step >= len(packet)
    if cut[0] >> 4 == 4:
        number = (cut[4] << 8 | cut[5]) + start // step & 0xFFFF
        struct.pack_into(">HH", cut, 2, len(cut), number)
        cut[10:12] = b"\0\0"
        struct.pack_into(">H", cut, 10, ones_sum(bytes(cut[:20])) ^ 0xFFFF)
    else:
        struct.pack_into(">H", cut, 4, len(cut) - 40)
    if protocol == TCP:
        sequence = int.from_bytes(cut[at + 4 : at + 8], "big") + start
        struct.pack_into(">I", cut, at + 4, sequence % 2**32)
        if not ends:
            cut[at + 13] &= ~(TCP_FIN | TCP_PSH)
    else:
        struct.pack_into(">H", cut, at + 4, len(cut) - at)
    return _with_sum(bytes(cut), protocol, 16 if protocol == TCP else 6, at=at)


def _with_sum(packet: bytes, protocol: int, offset: int, *, at: int = 20) -> bytes:
    found = Transport(protocol, at)
    where = at + offset
    blank = packet[:where] + b"\0\0" + packet[where + 2 :]
    pseudo = struct.pack(">H", pseudo_sum(packet, found, len(packet) - at))
    total = ones_sum(pseudo + blank[at:]) ^ 0xFFFF
    return packet[:where] + (total or 0xFFFF).to_bytes(2, "big") + packet[where + 2 :]


def _read(packet: bytes, protocol: int, offset: int, gso: int, step: int, *, headers: int) -> bytes:
    at = 20 if packet[0] >> 4 == 4 else 40
    partial = pseudo_sum(packet, Transport(protocol, at), len(packet) - at)
    where = at + offset
    packet = packet[:where] + partial.to_bytes(2, "big") + packet[where + 2 :]
    return VNET_HEADER.pack(NEEDS_CHECKSUM, gso, headers, step, at, offset) + packet


def open_inside(size: int, *, number: int = 7) -> bytes:
    """Return a read of what this machine put into a VXLAN: the checksum inside is left open."""
    inside = ipv4(TCP, tcp_header() + payload(size), number=number)
    partial = pseudo_sum(inside, Transport(TCP, 20), len(inside) - 20)
    inside = inside[:36] + partial.to_bytes(2, "big") + inside[38:]
    around = bytes(8) + bytes(14)  # VXLAN and Ethernet
    packet = ipv4(UDP, udp_header(len(around + inside), port=1998) + around + inside)
    start = len(packet) - len(inside) + 20
    return VNET_HEADER.pack(NEEDS_CHECKSUM, GSO_NONE, 0, 0, start, 16) + packet


def inside_of(packet: bytes) -> bytes:
    """Return the packet in a VXLAN as `open_inside` makes it."""
    return packet[20 + 8 + 8 + 14 :]

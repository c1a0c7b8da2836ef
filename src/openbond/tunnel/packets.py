"""What the headers of an inner packet say: its flow, its header lengths, its checksums.

Also the virtio-net header that Linux puts before a packet on a TUN device opened with IFF_VNET_HDR
(include/uapi/linux/virtio_net.h; native byte order). Every function takes a buffer and where the
packet begins in it, so that nothing is copied just to lose ten bytes.
"""

import struct
from dataclasses import dataclass
from zlib import crc32

# flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
VNET_HEADER = struct.Struct("=BBHHHH")
VNET_SIZE = VNET_HEADER.size
VNET_NONE = bytes(VNET_SIZE)  # a whole packet, checksums done
NEEDS_CHECKSUM = 1
DATA_VALID = 2  # the kernel has checked the checksum
GSO_NONE = 0
GSO_TCP4 = 1
GSO_TCP6 = 4
GSO_UDP = 5
GSO_ECN = 0x80

TCP, UDP = 6, 17
TCP_CHECKSUM_AT, UDP_CHECKSUM_AT = 16, 6
TCP_FIN, TCP_PSH, TCP_CWR = 0x01, 0x08, 0x80

_ICMP, _ICMP6 = 1, 58
_SCTP, _DCCP, _UDPLITE = 132, 33, 136
_WITH_PORTS = frozenset((TCP, UDP, _SCTP, _DCCP, _UDPLITE))
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60
_EXTENSIONS = frozenset((_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION))
_IPV6_HEADER = 40
_PLACES4 = {TCP: (20, TCP_CHECKSUM_AT), UDP: (20, UDP_CHECKSUM_AT)}
_PLACES6 = {TCP: (40, TCP_CHECKSUM_AT), UDP: (40, UDP_CHECKSUM_AT)}
_LATER_FRAGMENT = -1  # in place of a protocol


@dataclass(frozen=True, slots=True)
class Transport:
    """Where the transport header of a packet begins, counted from the packet, and whose it is."""

    protocol: int
    at: int


def flow_of(buffer: bytes, start: int = 0) -> int:
    """Return the flow (behaviour 2.10): 1 to 65535, or 0 for what is never held.

    0 are ICMP, fragments other than the first, and whatever is no IP packet.
    """
    size = len(buffer) - start
    if size >= 28 and buffer[start] == 0x45 and buffer[start + 9] in _PLACES4:
        # Nearly every packet: addresses and ports lie together.
        if not buffer[start + 6] & 0x1F and not buffer[start + 7]:
            mixed = crc32(buffer[start + 12 : start + 24], buffer[start + 9])
            return (mixed ^ mixed >> 16) & 0xFFFF or 1
        return 0
    if size < 20:
        return 0
    version = buffer[start] >> 4
    if version == 4:
        return _flow_of_ipv4(buffer, start)
    if version == 6 and size >= _IPV6_HEADER:
        return _flow_of_ipv6(buffer, start)
    return 0


def _flow_of_ipv4(buffer: bytes, start: int) -> int:
    protocol = buffer[start + 9]
    if protocol == _ICMP or buffer[start + 6] & 0x1F or buffer[start + 7]:
        return 0
    mixed = crc32(buffer[start + 12 : start + 20], protocol)
    if protocol in _WITH_PORTS:
        at = start + (buffer[start] & 0x0F) * 4
        mixed = crc32(buffer[at : at + 4], mixed)
    return (mixed ^ mixed >> 16) & 0xFFFF or 1


def _flow_of_ipv6(buffer: bytes, start: int) -> int:
    found = _transport_of_ipv6(buffer, start)
    protocol = found.protocol
    if protocol in (_ICMP6, _LATER_FRAGMENT):
        return 0
    mixed = crc32(buffer[start + 8 : start + 40], protocol)
    if protocol in _WITH_PORTS:
        at = start + found.at
        mixed = crc32(buffer[at : at + 4], mixed)
    return (mixed ^ mixed >> 16) & 0xFFFF or 1


def transport_of(buffer: bytes, start: int = 0) -> Transport | None:
    """Return where the transport header is; None when the packet has none or is no IP packet."""
    size = len(buffer) - start
    if size < 20:
        return None
    version = buffer[start] >> 4
    if version == 4:
        if buffer[start + 6] & 0x1F or buffer[start + 7]:
            return None
        return Transport(buffer[start + 9], (buffer[start] & 0x0F) * 4)
    if version != 6 or size < _IPV6_HEADER:
        return None
    found = _transport_of_ipv6(buffer, start)
    return None if found.protocol == _LATER_FRAGMENT else found


def _transport_of_ipv6(buffer: bytes, start: int) -> Transport:
    protocol, at = buffer[start + 6], _IPV6_HEADER
    while protocol in _EXTENSIONS and start + at + 8 <= len(buffer):
        header = start + at
        if protocol == _FRAGMENT:
            if buffer[header + 2] or buffer[header + 3] & 0xF8:
                return Transport(_LATER_FRAGMENT, at)
            at += 8
        else:
            at += 8 + buffer[header + 1] * 8
        protocol = buffer[header]
    return Transport(protocol, at)


def header_size(buffer: bytes, start: int = 0) -> int:
    """Return the bytes of IP and TCP or UDP header together; 0 when they do not stand whole there.

    The packet comes from the network, after authentication: the lengths in it are still checked.
    """
    found = transport_of(buffer, start)
    if found is None:
        return 0
    begin, size = start + found.at, len(buffer)
    if found.protocol == UDP:
        return found.at + 8 if begin + 8 <= size else 0
    if found.protocol != TCP or begin + 20 > size:
        return 0
    length = (buffer[begin + 12] >> 4) * 4
    return found.at + length if length >= 20 and begin + length <= size else 0


def ones_sum(octets: bytes) -> int:
    """Return the ones' complement sum of the 16-bit words (RFC 1071), not inverted.

    A big number modulo 65535 is that sum, because 65536 is 1 modulo 65535.
    """
    if len(octets) & 1:
        octets += b"\0"
    number = int.from_bytes(octets, "big")
    return (number % 0xFFFF or 0xFFFF) if number else 0


def pseudo_sum(packet: bytes, found: Transport, length: int) -> int:
    """Return the sum of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1), not inverted."""
    addresses = packet[12:20] if packet[0] >> 4 == 4 else packet[8:40]
    return ones_sum(addresses + struct.pack(">II", length, found.protocol))


def complete_checksum(packet: bytes, checksum_start: int, checksum_offset: int) -> bytes:
    """Return the packet with the checksum that the kernel left to the hardware.

    The field holds the sum of the pseudo header; offsets as in the virtio-net header.
    """
    at = checksum_start + checksum_offset
    if at + 2 > len(packet):
        return packet
    total = ones_sum(packet[checksum_start:]) ^ 0xFFFF
    # UDP: a sum of 0 would say "no checksum" (RFC 768); 0xFFFF means the same sum.
    return packet[:at] + (total or 0xFFFF).to_bytes(2, "big") + packet[at + 2 :]


def checksum_place(packet: bytes) -> tuple[int, int] | None:
    """Return where TCP or UDP begins and how far into it its checksum is, both in bytes.

    Only for packets without IP options or extension headers; None for all others.
    """
    size = len(packet)
    if size < 28:
        return None
    if packet[0] == 0x45 and not packet[6] & 0x3F and not packet[7]:
        return _PLACES4.get(packet[9])
    return _PLACES6.get(packet[6]) if packet[0] >> 4 == 6 and size >= 48 else None


def mend_ipv4(header: bytearray, *, total: int, later: int) -> None:
    """Write length, identification (`later` segments after the one it had) and checksum."""
    identification = (header[4] << 8 | header[5]) + later & 0xFFFF
    struct.pack_into(">HH", header, 2, total, identification)
    header[10:12] = b"\0\0"
    size = (header[0] & 0x0F) * 4
    header[10:12] = (ones_sum(bytes(header[:size])) ^ 0xFFFF).to_bytes(2, "big")

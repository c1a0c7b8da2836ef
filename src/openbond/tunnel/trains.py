"""Trains: small UDP packets of one flow that differ as the segments of a super-packet do.

Such packets travel with their headers once, and the far kernel cuts them apart again: one write to
its TUN device for all of them. What may follow each other in a train is equal in every header byte
but the IPv4 identification, which counts, and the checksums, which the far kernel makes anew. So
only packets go into one whose checksum is known to be right: left open, or checked by the kernel.

TCP makes no trains: a sender joins what it writes itself, and what stays small ends with a push.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

from .packets import (
    DATA_VALID,
    GSO_NONE,
    NEEDS_CHECKSUM,
    UDP,
    VNET_HEADER,
    VNET_SIZE,
    Transport,
    flow_of,
    pseudo_sum,
)

# Fewer packets than this are not worth the look.
LEAST = 4
# Linux cuts a UDP super-packet into at most 64 (128 since 6.8; udp.h, UDP_MAX_SEGMENTS).
MOST = 64

_COUNT = bytes(range(256))
_IPV4 = 0x45  # and no options
_FRAME4, _FRAME6 = VNET_SIZE + 28, VNET_SIZE + 48  # up to the end of the UDP header
# Offsets in a read: identification and header checksum of IPv4, protocol.
_NUMBER, _SUM4 = VNET_SIZE + 4, VNET_SIZE + 10
_PROTOCOL4, _PROTOCOL6 = VNET_SIZE + 9, VNET_SIZE + 6
_FLOW4 = slice(VNET_SIZE + 12, VNET_SIZE + 24)  # addresses and ports
_FLOW6 = slice(VNET_SIZE + 8, VNET_SIZE + 44)
_ALIKE4 = (
    *range(_NUMBER),
    *range(_NUMBER + 2, _SUM4),
    *range(_FLOW4.start, _FRAME4 - 2),
)
_ALIKE6 = tuple(range(_FRAME6 - 2))


def by_flow(reads: Iterable[bytes]) -> list[list[bytes]]:
    """Return the reads of each flow in their order."""
    groups: defaultdict[bytes | int, list[bytes]] = defaultdict(list)
    for read in reads:
        if len(read) < _FRAME4:
            groups[flow_of(read, VNET_SIZE)].append(read)
        elif read[VNET_SIZE] == _IPV4 and read[_PROTOCOL4] == UDP:
            groups[read[_FLOW4]].append(read)
        elif read[VNET_SIZE] >> 4 == 6 and read[_PROTOCOL6] == UDP:
            groups[read[_FLOW6]].append(read)
        else:
            groups[flow_of(read, VNET_SIZE)].append(read)
    return list(groups.values())


def frame_size(read: bytes) -> int:
    """Return where the payload of a packet begins in a read, as far as trains are concerned."""
    return _FRAME4 if read[VNET_SIZE] == _IPV4 else _FRAME6


def lengths(reads: Iterable[bytes]) -> list[int]:
    """Return how many of the reads, all of one flow, make each train; 1: it goes alone."""
    found: list[int] = []
    for _, sized in groupby(reads, len):
        alike = list(sized)
        trains = _lengths_of_one_size(alike) if len(alike) >= LEAST else []
        found += trains or [1] * len(alike)
    return found


def _lengths_of_one_size(reads: Sequence[bytes]) -> list[int]:
    """As `lengths`; an empty list says that there are no trains."""
    first = reads[0]
    if not _may_lead(first):
        return []
    count, size = len(reads), len(first)
    octets = b"".join(reads)
    is_ipv4 = first[VNET_SIZE] == _IPV4
    for at in _ALIKE4 if is_ipv4 else _ALIKE6:
        if octets[at::size] != first[at : at + 1] * count:
            return []
    if first[0] & DATA_VALID and not _are_summed(octets, frame_size(first) - 2, size):
        return []
    return _runs(octets[_NUMBER::size], octets[_NUMBER + 1 :: size]) if is_ipv4 else [count]


def headers_of(read: bytes) -> bytes:
    """Return the IP and UDP headers for a train that begins with this read, checksum left open."""
    frame = frame_size(read)
    headers = read[VNET_SIZE:frame]
    if read[0] & NEEDS_CHECKSUM:
        return headers
    size = len(headers) - 8
    partial = pseudo_sum(headers, Transport(UDP, size), len(read) - VNET_SIZE - size)
    return headers[:-2] + partial.to_bytes(2, "big")


def _may_lead(read: bytes) -> bool:
    """Report whether a read is a whole UDP packet with payload, and a checksum to rely on."""
    if read[1] != GSO_NONE or read[0] not in (NEEDS_CHECKSUM, DATA_VALID):
        return False
    ip = read[VNET_SIZE:]
    if len(ip) <= 28:
        return False
    if ip[0] == _IPV4:
        is_whole = ip[9] == UDP and not ip[6] & 0x3F and not ip[7]
        at, said = 20, ip[2] << 8 | ip[3]
    else:
        is_whole = ip[0] >> 4 == 6 and len(ip) > 48 and ip[6] == UDP
        at, said = 40, 40 + (ip[4] << 8 | ip[5])
    if not is_whole or said != len(ip) or said <= at + 8:
        return False
    if read[0] == NEEDS_CHECKSUM and VNET_HEADER.unpack_from(read)[4] != at:
        return False  # open is that of a packet inside
    return (ip[at + 4] << 8 | ip[at + 5]) == said - at


def _are_summed(octets: bytes, at: int, size: int) -> bool:
    """Report whether no packet goes without a checksum, which the far kernel would give it."""
    high, low = octets[at::size], octets[at + 1 :: size]
    return 0 not in high or all(map(int.__or__, high, low))


def _runs(high: bytes, low: bytes) -> list[int]:
    """Return the lengths of the runs in which the numbers count up by one."""
    count = len(low)
    if low == _COUNT[low[0] :][:count] and high.count(high[0]) == count:
        return [count]
    runs: list[int] = []
    length, expected = 0, high[0] << 8 | low[0]
    for high_byte, low_byte in zip(high, low, strict=True):
        number = high_byte << 8 | low_byte
        if number != expected:
            runs.append(length)
            length = 0
        length += 1
        expected = number + 1
    runs.append(length)
    return runs if len(runs) <= count // 2 else []

"""Join segments that follow each other to one super-packet again, as the TUN device takes it.

All segments of a super-packet carry its headers as the kernel gave them. A run that is the whole
super-packet is written with them as they are; a part of one gets lengths, identification, sequence
number, flags and the sum of its pseudo header mended (RFC 9293 §3.1). The kernel, or its hardware,
completes the checksum. Without offloads every segment becomes a packet of its own, checksum
included.

An Item is what came: a segment's body and its offset, or a packet and one of the codes below.
"""

import struct
from collections.abc import Sequence
from typing import TypeAlias

from .packets import (
    GSO_ECN,
    GSO_NONE,
    GSO_TCP4,
    GSO_TCP6,
    GSO_UDP,
    NEEDS_CHECKSUM,
    TCP,
    TCP_CHECKSUM_AT,
    TCP_CWR,
    TCP_FIN,
    TCP_PSH,
    UDP_CHECKSUM_AT,
    VNET_HEADER,
    VNET_NONE,
    Transport,
    checksum_place,
    complete_checksum,
    header_size,
    mend_ipv4,
    pseudo_sum,
    transport_of,
)

Item: TypeAlias = tuple[bytes, int]
# The buffers of one writev to the TUN device.
Write: TypeAlias = list[bytes]

# In place of an offset: the item is a whole packet,
WHOLE = -1
# one whose TCP or UDP checksum is left open,
OPEN = -2


# nothing, in place of a packet that came as rubbish,
LOST = -3


def train_of(step: int) -> int:
    """or a train: headers, then slices of `step` bytes, the last of which may be shorter."""
    return LOST - step


_MOST = 65535
_UDP_MOST = 64  # Linux cuts no more packets out of one for UDP (udp.h, UDP_MAX_SEGMENTS)
_NO_TRANSPORT = Transport(0, 0)
_VNET_OPEN = {
    place: VNET_HEADER.pack(NEEDS_CHECKSUM, GSO_NONE, 0, 0, *place)
    for place in ((at, offset) for at in (20, 40) for offset in (TCP_CHECKSUM_AT, UDP_CHECKSUM_AT))
}


class Joiner:
    """Turns items into writes.

    has_vnet_header: each write begins with the virtio-net header, TCP segments are joined;
    joins_udp: so are UDP segments (Linux 6.2 and later). `malformed` counts segments without the
    headers that a segment must have.
    """

    def __init__(self, *, has_vnet_header: bool, joins_udp: bool = True) -> None:
        self._has_vnet_header = has_vnet_header
        self._joins_udp = joins_udp
        self.malformed = 0

    def writes(self, items: Sequence[Item]) -> list[Write]:
        """Return what to write for `items`, in their order."""
        found: list[Write] = []
        at, end = 0, len(items)
        while at < end:
            body, offset = items[at]
            if offset < 0:
                self._write_unsegmented(body, offset, found)
                at += 1
                continue
            size = header_size(body)
            if not size or size >= len(body):
                self.malformed += 1
                at += 1
                continue
            last = self._end_of_run(items, at, size)
            slices = [item[size:] for item, _ in items[at:last]]
            found.append(self._write(body[:size], slices, offset, len(slices[0])))
            at = last
        return found

    def _write_unsegmented(self, body: bytes, code: int, found: list[Write]) -> None:
        if code == WHOLE:
            found.append([VNET_NONE, body] if self._has_vnet_header else [body])
        elif code == OPEN:
            self._write_open(body, found)
        elif code != LOST:
            self._write_train(body, LOST - code, found)

    def _write_open(self, packet: bytes, found: list[Write]) -> None:
        place = checksum_place(packet)
        if place is None:
            self.malformed += 1
        elif self._has_vnet_header:
            found.append([_VNET_OPEN[place], packet])
        else:
            found.append([complete_checksum(packet, *place)])

    def _write_train(self, body: bytes, step: int, found: list[Write]) -> None:
        size = header_size(body)
        if not size or size >= len(body):
            self.malformed += 1
            return
        headers = body[:size]
        if self._joins_udp and self._has_vnet_header:
            # The kernel cuts the payload, so it need not be in slices here.
            found.append(self._write(headers, [body[size:]], 0, step))
            return
        for at in range(size, len(body), step):
            found.append(self._write(headers, [body[at : at + step]], at - size, step))

    def _end_of_run(self, items: Sequence[Item], first: int, size: int) -> int:
        """Return the index after the last item that joins the one at `first`."""
        body, offset = items[first]
        if not self._has_vnet_header or (not self._joins_udp and not _is_tcp(body)):
            return first + 1
        headers, step = body[:size], len(body) - size
        length = step + size
        room = (_MOST - size) // step if _is_tcp(body) else min(_UDP_MOST, (_MOST - size) // step)
        at, end = first + 1, min(len(items), first + room)
        while at < end:
            offset += step
            body, found = items[at]
            if found != offset or len(body) > length or not body.startswith(headers):
                break
            at += 1
            if len(body) < length:
                break
        return at

    def _write(self, headers: bytes, slices: list[bytes], offset: int, step: int) -> Write:
        found = transport_of(headers) or _NO_TRANSPORT
        payload = sum(map(len, slices))
        total = len(headers) + payload
        if offset or total != _length_said(headers):
            headers = _mend(headers, found, total, offset, step)
        is_tcp = found.protocol == TCP
        checksum_at = TCP_CHECKSUM_AT if is_tcp else UDP_CHECKSUM_AT
        if not self._has_vnet_header:
            return [complete_checksum(headers + slices[0], found.at, checksum_at)]
        gso = _gso_type(headers, found) if payload > step else GSO_NONE
        cut = step if gso else 0
        vnet = VNET_HEADER.pack(NEEDS_CHECKSUM, gso, len(headers), cut, found.at, checksum_at)
        return [vnet, headers, *slices]


def _is_tcp(packet: bytes) -> bool:
    found = transport_of(packet)
    return found is not None and found.protocol == TCP


def _length_said(headers: bytes) -> int:
    if headers[0] >> 4 == 4:
        return headers[2] << 8 | headers[3]
    return 40 + (headers[4] << 8 | headers[5])


def _gso_type(headers: bytes, found: Transport) -> int:
    if found.protocol != TCP:
        return GSO_UDP
    kind = GSO_TCP4 if headers[0] >> 4 == 4 else GSO_TCP6
    return kind | GSO_ECN if headers[found.at + 13] & TCP_CWR else kind


def _mend(headers: bytes, found: Transport, total: int, offset: int, step: int) -> bytes:
    """Return the headers for the part of a super-packet that is `offset` bytes into it."""
    mended = bytearray(headers)
    ends_it = offset + total == _length_said(headers)
    if headers[0] >> 4 == 4:
        mend_ipv4(mended, total=total, later=offset // step)
    else:
        struct.pack_into(">H", mended, 4, total - 40)
    at, length = found.at, total - found.at
    if found.protocol == TCP:
        sequence = int.from_bytes(headers[at + 4 : at + 8], "big")
        struct.pack_into(">I", mended, at + 4, (sequence + offset) % 2**32)
        if offset:
            mended[at + 13] &= ~TCP_CWR
        if not ends_it:
            mended[at + 13] &= ~(TCP_FIN | TCP_PSH)
        struct.pack_into(">H", mended, at + TCP_CHECKSUM_AT, pseudo_sum(headers, found, length))
    else:
        partial = pseudo_sum(headers, found, length)
        struct.pack_into(">HH", mended, at + 4, length, partial)
    return bytes(mended)

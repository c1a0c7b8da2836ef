"""Mark an inner packet "congestion experienced" instead of dropping it (RFC 3168 §5, RFC 8290 §4).

Only packets whose ends can take it: ECT(0) or ECT(1). For TCP super-packets one slice is marked.
"""

from .messages import FLAG_COMPRESSED, Type
from .packets import ones_sum
from .parcels import Parcel

_ECN = 0x03
_NOT_CAPABLE = 0x00


def marked(parcel: Parcel) -> Parcel | None:
    """Return the first datagram of the parcel, marked; None when its ends could not read a mark."""
    if parcel.flags & FLAG_COMPRESSED:
        return None
    if parcel.kind is Type.SEGMENT:
        headers = _with_mark(parcel.headers)
        if headers is None:
            return None
        first = parcel.part(0, 1)
        first.headers = headers
        return first
    if parcel.kind is not Type.PACKET:
        return None
    packet = _with_mark(parcel.body)
    if packet is None:
        return None
    first = parcel.part(0, 1)
    first.body = packet
    return first


def _with_mark(packet: bytes) -> bytes | None:
    """Return the packet (or its headers) with the mark, IPv4 checksum included."""
    version = packet[0] >> 4
    if version == 4:
        return _ipv4_with_mark(packet) if packet[1] & _ECN != _NOT_CAPABLE else None
    # The traffic class of IPv6 lies across the first two octets.
    if version == 6 and packet[1] >> 4 & _ECN != _NOT_CAPABLE:
        return bytes((packet[0], packet[1] | _ECN << 4)) + packet[2:]
    return None


def _ipv4_with_mark(packet: bytes) -> bytes:
    size = (packet[0] & 0x0F) * 4
    header = bytearray(packet[:size])
    header[1] |= _ECN
    header[10:12] = b"\0\0"
    header[10:12] = (ones_sum(bytes(header)) ^ 0xFFFF).to_bytes(2, "big")
    return bytes(header) + packet[size:]

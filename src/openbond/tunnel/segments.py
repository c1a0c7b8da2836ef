"""Cut what the TUN device gave into parcels: super-packets in slices, small packets in bundles.

With offloads each read begins with a virtio-net header; a super-packet is one that the kernel has
not cut yet. design/tunnel.md, ideas 1 and 2.
"""

from collections.abc import Iterable

from .flows import FlowNumbers
from .messages import BUNDLE_BELOW, BUNDLED, HEADER, OUTER_IPV4, TAG_SIZE, Type
from .packets import (
    GSO_ECN,
    GSO_NONE,
    NEEDS_CHECKSUM,
    VNET_HEADER,
    VNET_SIZE,
    complete_checksum,
    flow_of,
    header_size,
)
from .parcels import Parcel

# On a leg whose path MTU is this, an inner packet of the inner MTU fits with header and tag.
_AROUND_BUNDLE = OUTER_IPV4 + HEADER.size + TAG_SIZE


class Cutter:
    """Turns reads into parcels, in the order of the reads, flow numbers given.

    has_vnet_header: whether each read begins with the virtio-net header.
    """

    def __init__(self, numbers: FlowNumbers, *, has_vnet_header: bool) -> None:
        self._numbers = numbers
        self._has_vnet_header = has_vnet_header
        self._parcels: list[Parcel] = []
        self._small: list[tuple[int, int, bytes]] = []  # flow, sequence, packet
        self._small_flows: set[int] = set()
        self._small_octets = 0
        self.set_path_mtu(1500)

    def set_path_mtu(self, path_mtu: int) -> None:
        """Take the smallest path MTU of the legs, in bytes of the outer packet."""
        self._bundle_most = path_mtu - _AROUND_BUNDLE

    def cut(self, reads: Iterable[bytes]) -> list[Parcel]:
        """Return the parcels of one turn's reads. Small packets among them travel together."""
        take = self._take_offloaded if self._has_vnet_header else self._take_plain
        for read in reads:
            take(read)
        self._close_bundle()
        parcels, self._parcels = self._parcels, []
        return parcels

    def _take_plain(self, packet: bytes) -> None:
        self._add_whole(flow_of(packet), packet)

    def _take_offloaded(self, read: bytes) -> None:
        if len(read) <= VNET_SIZE:
            return
        flags, gso, _, gso_size, start, offset = VNET_HEADER.unpack_from(read)
        flow = flow_of(read, VNET_SIZE)
        is_super = gso & ~GSO_ECN != GSO_NONE
        if is_super or (flags & NEEDS_CHECKSUM and len(read) >= BUNDLE_BELOW):
            # A large packet whose checksum is left open goes as one segment: the far kernel, or
            # its hardware, completes it, and nobody sums 1400 bytes here.
            headers = header_size(read, VNET_SIZE)
            if headers and VNET_SIZE + headers < len(read):
                self._add_segments(flow, read, VNET_SIZE + headers, gso_size if is_super else 0)
                return
        packet = read[VNET_SIZE:]
        if flags & NEEDS_CHECKSUM:
            packet = complete_checksum(packet, start, offset)
        self._add_whole(flow, packet)

    def _add_segments(self, flow: int, read: bytes, origin: int, step: int) -> None:
        self._close_bundle_of(flow)
        size = len(read) - origin
        step = step or size
        count = -(-size // step)
        self._parcels.append(
            Parcel(
                Type.SEGMENT,
                flow,
                self._numbers.take(flow, count),
                read,
                headers=read[VNET_SIZE:origin],
                origin=origin,
                begin=origin,
                end=len(read),
                step=step,
            )
        )

    def _add_whole(self, flow: int, packet: bytes) -> None:
        size = len(packet)
        if size >= BUNDLE_BELOW:
            self._close_bundle_of(flow)
            number = self._numbers.take(flow, 1)
            self._parcels.append(Parcel(Type.PACKET, flow, number, packet))
            return
        size += BUNDLED.size
        if self._small_octets + size > self._bundle_most:
            self._close_bundle()
        self._small.append((flow, self._numbers.take(flow, 1), packet))
        self._small_flows.add(flow)
        self._small_octets += size

    def _close_bundle_of(self, flow: int) -> None:
        """Send the bundle first if the flow has packets in it: they were earlier."""
        if flow in self._small_flows:
            self._close_bundle()

    def _close_bundle(self) -> None:
        small = self._small
        if not small:
            return
        if len(small) == 1:
            flow, number, packet = small[0]
            self._parcels.append(Parcel(Type.PACKET, flow, number, packet))
        else:
            pack = BUNDLED.pack
            parts = [part for f, s, p in small for part in (pack(len(p), f, s), p)]
            self._parcels.append(Parcel(Type.BUNDLE, small[0][0], 0, b"".join(parts)))
        small.clear()
        self._small_flows.clear()
        self._small_octets = 0

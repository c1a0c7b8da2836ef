"""Cut what the TUN device gave into parcels: super-packets in slices, small packets in bundles.

With offloads each read begins with a virtio-net header; a super-packet is one that the kernel has
not cut yet. design/tunnel.md, ideas 1 and 2. Small packets of one flow that are alike make trains
(trains.py). With compression each packet is looked at for itself (compression.py).
"""

from collections.abc import Iterable, Sequence

from . import trains
from .bundles import Bundle
from .compression import Compressor
from .flows import SEQUENCES, FlowNumbers
from .messages import (
    BUNDLE_BELOW,
    BUNDLED,
    BUNDLED_COMPRESSED,
    BUNDLED_LENGTH,
    BUNDLED_OPEN,
    BUNDLED_TRAIN,
    FLAG_COMPRESSED,
    FLAG_LAST,
    HEADER,
    OUTER_IPV4,
    TAG_SIZE,
    TRAIN_STEP,
    Type,
)
from .packets import (
    GSO_ECN,
    GSO_NONE,
    NEEDS_CHECKSUM,
    VNET_HEADER,
    VNET_SIZE,
    checksum_place,
    complete_checksum,
    flow_of,
    header_size,
)
from .parcels import Parcel

# On a leg whose path MTU is this, an inner packet of the inner MTU fits with header and tag.
_AROUND_BUNDLE = OUTER_IPV4 + HEADER.size + TAG_SIZE
_SMALL_READ = VNET_SIZE + BUNDLE_BELOW


class Cutter:
    """Turns reads into parcels, flow numbers given. Each flow keeps its order; small packets of
    different flows may pass each other within a turn.

    has_vnet_header: whether each read begins with the virtio-net header. bundles: small packets
    may share a datagram. index, classes: which of how many QoS classes; packets of one flow in two
    classes are two flows, as one class passes the other by. `bundle_most`: octets of a bundle's
    body, 0 without bundles.
    """

    def __init__(
        self,
        numbers: FlowNumbers,
        *,
        has_vnet_header: bool,
        bundles: bool = True,
        index: int = 0,
        classes: int = 1,
    ) -> None:
        self._numbers = numbers
        bits = 16 - (classes - 1).bit_length()
        self._mask, self._class_bits = (1 << bits) - 1, index << bits
        self._has_vnet_header = has_vnet_header
        self._bundle_below = BUNDLE_BELOW if bundles else 0
        self._compressor = Compressor()
        self._parcels: list[Parcel] = []
        self._bundle = Bundle()
        self.set_path_mtu(1500)

    def set_path_mtu(self, path_mtu: int) -> None:
        """Take the smallest path MTU of the legs, in bytes of the outer packet."""
        self._bundle_most = min(path_mtu - _AROUND_BUNDLE, BUNDLED_LENGTH)
        self.bundle_most = self._bundle_most if self._bundle_below else 0

    def set_compression(self, *, is_on: bool) -> None:
        """Compress from now on, or no more."""
        self._compressor.is_on = is_on

    def cut(self, reads: Iterable[bytes]) -> list[Parcel]:
        """Return the parcels of one turn's reads. Small packets among them travel together."""
        if not self._has_vnet_header:
            for packet in reads:
                self._add_whole(self._of_class(flow_of(packet)), packet)
        elif self._compressor.is_on or not self._bundle_below:
            for read in reads:
                self._take(read)
        else:
            self._take_all(reads)
        self._close_bundle()
        parcels, self._parcels = self._parcels, []
        return parcels

    # -- reads with a virtio-net header -----------------------------------------------------------

    def _take_all(self, reads: Iterable[bytes]) -> None:
        """Take reads in order, small ones that follow each other in one go."""
        small: list[bytes] = []
        for read in reads:
            if len(read) < _SMALL_READ:
                if len(read) > VNET_SIZE:
                    small.append(read)
                continue
            if small:
                self._take_small(small)
                small = []
            self._take(read)
        if small:
            self._take_small(small)

    def _take_small(self, reads: Sequence[bytes]) -> None:
        if len(reads) < trains.LEAST:
            for read in reads:
                self._take(read)
            return
        for group in trains.by_flow(reads):
            begin = 0
            for length in trains.lengths(group):
                if length == 1:
                    self._take(group[begin])
                else:
                    self._take_train(group[begin : begin + length])
                begin += length

    def _take_train(self, reads: Sequence[bytes]) -> None:
        """Take packets of one flow that are alike, in as many trains as datagrams need."""
        frame = trains.frame_size(reads[0])
        step = len(reads[0]) - frame
        room = self._bundle_most - BUNDLED.size - TRAIN_STEP.size - frame + VNET_SIZE
        most = max(1, min(trains.MOST, room // step))
        flow = self._of_class(flow_of(reads[0], VNET_SIZE))
        for begin in range(0, len(reads), most):
            some = reads[begin : begin + most]
            if len(some) == 1:
                self._take(some[0])
                continue
            headers = trains.headers_of(some[0])
            slices = [read[frame:] for read in some]
            content = b"".join((TRAIN_STEP.pack(step), headers, *slices))
            self._add_entry(BUNDLED_TRAIN, flow, content)

    def _take(self, read: bytes) -> None:
        if len(read) <= VNET_SIZE:
            return
        flags, gso, _, gso_size, start, offset = VNET_HEADER.unpack_from(read)
        flow = self._of_class(flow_of(read, VNET_SIZE))
        if flags & NEEDS_CHECKSUM and gso == GSO_NONE and start != _transport_at(read):
            # That of a packet inside (a VXLAN made on this machine): the far kernel would not see
            # that it is open.
            read = bytes(VNET_SIZE) + complete_checksum(read[VNET_SIZE:], start, offset)
            flags = 0
        is_super = gso & ~GSO_ECN != GSO_NONE
        if is_super or (flags & NEEDS_CHECKSUM and len(read) >= BUNDLE_BELOW):
            # A large packet whose checksum is left open goes as one segment: the far kernel, or
            # its hardware, completes it, and nobody sums 1400 bytes here.
            headers = header_size(read, VNET_SIZE)
            if headers and VNET_SIZE + headers < len(read):
                self._add_segments(flow, read, VNET_SIZE + headers, gso_size if is_super else 0)
                return
        packet = read[VNET_SIZE:]
        if not flags & NEEDS_CHECKSUM:
            self._add_whole(flow, packet)
        elif self._leaves_open(packet, start, offset):
            self._add_entry(BUNDLED_OPEN, flow, packet)
        else:
            self._add_whole(flow, complete_checksum(packet, start, offset))

    def _leaves_open(self, packet: bytes, start: int, offset: int) -> bool:
        """Report whether a small packet may go as it is and the far kernel completes it."""
        if self._compressor.is_on or len(packet) >= self._bundle_below:
            return False
        return checksum_place(packet) == (start, offset)

    # -- parcels ----------------------------------------------------------------------------------

    def _of_class(self, flow: int) -> int:
        """Return the flow's number in this class: no other class has the same."""
        return flow & self._mask | self._class_bits or 1 if flow else flow

    def _add_segments(self, flow: int, read: bytes, origin: int, step: int) -> None:
        self._close_bundle_of(flow)
        size = len(read) - origin
        step = step or size
        count = -(-size // step)
        parcel = Parcel(
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
        if self._compressor.skips(flow, count):
            self._parcels.append(parcel)
        else:
            self._parcels += self._compressed(parcel)

    def _compressed(self, parcel: Parcel) -> list[Parcel]:
        """Return the slices of a super-packet, those that shrink each for itself.

        Headers and slice are compressed together, as the body of one SEGMENT: so they join again
        at the far end like any others.
        """
        found: list[Parcel] = []
        plain = 0  # slices up to here are in `found`
        for number in range(parcel.count):
            begin = parcel.begin + number * parcel.step
            body = parcel.headers + parcel.body[begin : begin + parcel.step]
            smaller = self._compressor.shrink(parcel.flow, body)
            if smaller is None:
                if self._compressor.skips(parcel.flow, parcel.count - number - 1):
                    break
                continue
            if plain < number:
                found.append(parcel.part(plain, number - plain))
            plain = number + 1
            found.append(_compressed_slice(parcel, number, smaller, len(body)))
        if plain < parcel.count:
            found.append(parcel.part(plain, parcel.count - plain))
        return found

    def _add_whole(self, flow: int, packet: bytes) -> None:
        size = len(packet)
        smaller = None
        if not self._compressor.skips(flow, 1):
            smaller = self._compressor.shrink(flow, packet)
        if size < self._bundle_below:
            kind = 0 if smaller is None else BUNDLED_COMPRESSED
            self._add_entry(kind, flow, packet if smaller is None else smaller)
            return
        self._close_bundle_of(flow)
        number = self._numbers.take(flow, 1)
        flags = 0 if smaller is None else FLAG_COMPRESSED
        body = packet if smaller is None else smaller
        parcel = Parcel(Type.PACKET, flow, number, body, flags=flags, inner_octets=size)
        self._parcels.append(parcel)

    def _add_entry(self, kind: int, flow: int, content: bytes) -> None:
        if self._bundle.octets + BUNDLED.size + len(content) > self._bundle_most:
            self._close_bundle()
        self._bundle.add(kind, flow, self._numbers.take(flow, 1), content)

    def _close_bundle_of(self, flow: int) -> None:
        """Send the bundle first if the flow has packets in it: they were earlier."""
        if flow in self._bundle.flows:
            self._close_bundle()

    def _close_bundle(self) -> None:
        parcel = self._bundle.take_parcel()
        if parcel is not None:
            self._parcels.append(parcel)


def _transport_at(read: bytes) -> int:
    """Return where TCP or UDP begins in a packet without options, in bytes."""
    return 40 if read[VNET_SIZE] >> 4 == 6 else 20


def _compressed_slice(parcel: Parcel, number: int, body: bytes, inner_octets: int) -> Parcel:
    is_last = number == parcel.count - 1
    return Parcel(
        Type.SEGMENT,
        parcel.flow,
        (parcel.sequence + number) % SEQUENCES,
        body,
        origin=parcel.origin,
        begin=parcel.begin + number * parcel.step,
        flags=FLAG_COMPRESSED | (FLAG_LAST if is_last else 0),
        inner_octets=inner_octets,
    )

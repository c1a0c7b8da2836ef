"""Bundles: small packets, and trains of them, that share a datagram (design/tunnel.md, idea 2)."""

from collections.abc import Iterator

from .compression import expand
from .drops import Drop
from .join import OPEN, WHOLE, Item, train_of
from .messages import (
    BUNDLED,
    BUNDLED_COMPRESSED,
    BUNDLED_LENGTH,
    BUNDLED_OPEN,
    BUNDLED_TRAIN,
    FLAG_COMPRESSED,
    TRAIN_STEP,
    Type,
)
from .packets import checksum_place, complete_checksum
from .parcels import Parcel

_IP_HEADER_LEAST = 20


class Bundle:
    """The entries that leave together. Read by the cutter: `octets` of the body so far, `flows`."""

    __slots__ = ("_parts", "flows", "octets")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # entry header and content in turns
        self.flows: set[int] = set()
        self.octets = 0

    def add(self, kind: int, flow: int, number: int, content: bytes) -> None:
        """Add an entry; it fits (`octets`), and its content is no longer than BUNDLED_LENGTH."""
        size = len(content)
        self._parts += (BUNDLED.pack(kind | size, flow, number), content)
        self.flows.add(flow)
        self.octets += size + BUNDLED.size

    def take_parcel(self) -> Parcel | None:
        """Return what was added, to be sent now; None: nothing. The bundle is empty then."""
        parts = self._parts
        if not parts:
            return None
        kind, flow, number = BUNDLED.unpack(parts[0])
        if len(parts) == 2:
            parcel = _single(kind & ~BUNDLED_LENGTH, flow, number, parts[1], 0)
        else:
            parcel = Parcel(Type.BUNDLE, flow, 0, b"".join(parts))
        self._parts = []
        self.flows.clear()
        self.octets = 0
        return parcel


def unbundled(parcel: Parcel) -> list[Parcel]:
    """Return the entries of a bundle as parcels of their own; anything else as it is."""
    if parcel.kind is not Type.BUNDLE:
        return [parcel]
    singles = [_single(*entry, parcel.flags) for entry in _entries(parcel.body)]
    for single in singles:
        single.lane = parcel.lane
    return singles


def kind_of(packet: Parcel) -> int:
    """Return as what a PACKET stands in a bundle."""
    return BUNDLED_COMPRESSED if packet.flags & FLAG_COMPRESSED else 0


def _single(kind: int, flow: int, number: int, content: bytes, flags: int) -> Parcel:
    if kind == BUNDLED_TRAIN:
        return Parcel(Type.TRAIN, flow, number, content, flags=flags)
    if kind == BUNDLED_COMPRESSED:
        flags |= FLAG_COMPRESSED
    elif kind == BUNDLED_OPEN and (place := checksum_place(content)):
        content = complete_checksum(content, *place)
    return Parcel(Type.PACKET, flow, number, content, flags=flags)


def _entries(body: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, flow, sequence and content of each entry that is whole."""
    unpack_from, around = BUNDLED.unpack_from, BUNDLED.size
    at, end = 0, len(body)
    while at + around <= end:
        kind, flow, sequence = unpack_from(body, at)
        at += around
        after = at + (kind & BUNDLED_LENGTH)
        if after > end:
            return
        yield kind & ~BUNDLED_LENGTH, flow, sequence, body[at:after]
        at = after


class Unpacked:
    """What a bundle held: `runs` of (flow, first sequence, items), and `drops`, one reason for each
    entry that made no sense.
    """

    __slots__ = ("_next", "drops", "runs")

    def __init__(self) -> None:
        self.runs: list[tuple[int, int, list[Item]]] = []
        self.drops: list[Drop] = []
        self._next = (-1, -1)  # flow and sequence that lengthen the last run

    def add(self, flow: int, sequence: int, item: Item) -> None:
        if (flow, sequence) == self._next:
            self.runs[-1][2].append(item)
        else:
            self.runs.append((flow, sequence, [item]))
        self._next = flow, sequence + 1


def unpack(body: bytes) -> Unpacked:
    """Return the entries of a bundle. Whatever the octets are, it does not fail."""
    found = Unpacked()
    used = 0
    for kind, flow, sequence, content in _entries(body):
        used += BUNDLED.size + len(content)
        item = item_of(kind, content)
        if isinstance(item, Drop):
            found.drops.append(item)
        else:
            found.add(flow, sequence, item)
    if used != len(body):
        found.drops.append(Drop.MALFORMED)
    return found


def item_of(kind: int, content: bytes) -> Item | Drop:
    """Return what an entry of this kind is, or why it is nothing."""
    if kind == BUNDLED_TRAIN:
        return _train(content)
    if kind == BUNDLED_COMPRESSED:
        expanded = expand(content)
        if expanded is None:
            return Drop.NOT_EXPANDED
        content, kind = expanded, 0
    if len(content) < _IP_HEADER_LEAST or content[0] >> 4 not in (4, 6):
        return Drop.MALFORMED
    if kind == 0:
        return content, WHOLE
    return (content, OPEN) if kind == BUNDLED_OPEN else Drop.MALFORMED


def _train(content: bytes) -> Item | Drop:
    if len(content) <= TRAIN_STEP.size + _IP_HEADER_LEAST:
        return Drop.MALFORMED
    (step,) = TRAIN_STEP.unpack_from(content)
    return (content[TRAIN_STEP.size :], train_of(step)) if step else Drop.MALFORMED

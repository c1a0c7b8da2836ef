"""Open what came on a leg, and give the inner packets to the reorder buffer.

One call takes all that one recvmsg with UDP_GRO gave: datagrams of one size, the last of which may
be shorter. Segments of one super-packet, which is nearly all of a busy tunnel, are opened in one
loop and noted as one run. Whatever is short, forged, replayed or makes no sense is counted under
its reason and dropped before anything is touched.
"""

from collections import Counter
from struct import Struct

from cryptography.exceptions import InvalidTag

from .bundles import item_of, unpack
from .compression import expand
from .cookies import Address
from .drops import Drop
from .flows import UNORDERED
from .join import LOST, Item
from .keypair import NONCE_SIZE, Keypair
from .leg_end import LegEnd
from .messages import (
    BUNDLED_COMPRESSED,
    BUNDLED_TRAIN,
    FLAG_COMPRESSED,
    FLAG_COPY,
    HEADER,
    OUTER_IPV4,
    PACKET_HEADER,
    SEGMENT_HEADER,
    TAG_SIZE,
    Type,
)
from .reorder import Order

_PACKET, _SEGMENT, _BUNDLE = int(Type.PACKET), int(Type.SEGMENT), int(Type.BUNDLE)
_TRAIN = int(Type.TRAIN)
# As SEGMENT_HEADER: type, flags and session in one, leg sequence, flow, flow sequence, offset.
_SEGMENT_FIELDS = Struct(">4sQHIH")
_SINGLE = frozenset((_PACKET, _BUNDLE, _TRAIN))


class Inbound:
    """The receiving data path of one leg. `drops` counts datagrams by reason, `datagrams` those of
    data that were taken in; `octets` all that came, outer headers included, `control_octets` what
    of it was control messages.
    """

    def __init__(self, end: LegEnd, order: Order) -> None:
        self.drops: Counter[str] = Counter()
        self.datagrams = 0
        self.octets = 0
        self.control_octets = 0
        self._end = end
        self._order = order

    def receive(self, octets: bytes, size: int, source: Address, now: float) -> bool:
        """Take in the datagrams of one read; report whether a control message was among them.

        size: of each datagram but the last, as UDP_GRO said it; at least 1.
        """
        has_control = False
        at, end = 0, len(octets)
        self.octets += end - (-end // size) * OUTER_IPV4
        while at < end:
            kind = octets[at]
            if kind == _SEGMENT:
                at = self._receive_segments(octets, at, size, source, now)
                continue
            datagram = octets[at : at + size]
            at += size
            if kind in _SINGLE:
                self._receive_single(datagram, kind, source, now)
                continue
            has_control = True
            self.control_octets += len(datagram) + OUTER_IPV4
            reason = self._end.receive_control(datagram, source, now)
            if reason:
                self.drops[reason] += 1
        return has_control

    # -- segments ---------------------------------------------------------------------------------

    def _receive_segments(
        self, octets: bytes, at: int, size: int, source: Address, now: float
    ) -> int:
        """Take in the segments from `at` that follow each other; return where the next begins."""
        if len(octets) - at <= SEGMENT_HEADER.size:
            self.drops[Drop.SHORT] += 1
            return at + size
        _, _, session, first, flow, flow_first, _ = SEGMENT_HEADER.unpack_from(octets, at)
        keypair = self._end.keypairs.get(session)
        if keypair is None:
            self.drops[Drop.UNKNOWN_SESSION] += 1
            return at + size
        items = self._open_segments(keypair, octets, at, size)
        if not items:
            self.drops[Drop.BAD_TAG] += 1
            return at + size
        count = len(items)
        if keypair.data_replay.accept_run(first, count):
            self._accept(keypair, first, count, source, now)
            self._order.receive_run(flow, flow_first, items, self._end.id, now)
        else:
            self._accept_one_by_one(keypair, first, flow, flow_first, items, source, now)
        return at + size * count

    def _open_segments(self, keypair: Keypair, octets: bytes, at: int, size: int) -> list[Item]:
        """Return the bodies and offsets of segments with numbers in a row, up to the first that
        is not authentic or not of that row.
        """
        fields, around, nonce_size = _SEGMENT_FIELDS.unpack, SEGMENT_HEADER.size, NONCE_SIZE
        decrypt, open_data = keypair.decrypt, keypair.open_data
        named, number, flow, sequence, _ = fields(octets[at : at + around])
        items: list[Item] = []
        append = items.append
        for start in range(at, len(octets) - around, size):
            header = octets[start : start + around]
            found, leg_number, of_flow, of_sequence, offset = fields(header)
            if leg_number != number or of_sequence != sequence or of_flow != flow:
                break
            if found != named and not _is_alike(found, named):
                break
            if decrypt is None:
                body = open_data(octets[start : start + size], around)
                if body is None:
                    break
            else:
                sealed = octets[start + around : start + size]
                try:
                    body = decrypt(number.to_bytes(nonce_size, "big"), sealed, header)
                except InvalidTag:
                    break
            append(
                (body, offset) if not found[1] & FLAG_COMPRESSED else self._expanded(body, offset)
            )
            number += 1
            sequence = sequence + 1 & 0xFFFFFFFF
        return items

    def _expanded(self, body: bytes, offset: int) -> Item:
        """Return a segment that came compressed; rubbish is nothing, yet it takes its place."""
        expanded = expand(body)
        if expanded is not None:
            return expanded, offset
        self.drops[Drop.NOT_EXPANDED] += 1
        return b"", LOST

    def _accept_one_by_one(
        self,
        keypair: Keypair,
        first: int,
        flow: int,
        flow_first: int,
        items: list[Item],
        source: Address,
        now: float,
    ) -> None:
        """Take in a run of which some number may be a replay."""
        for number, item in enumerate(items):
            if not keypair.data_replay.accept(first + number):
                self.drops[Drop.REPLAYED] += 1
                continue
            self._accept(keypair, first + number, 1, source, now)
            sequence = flow_first + number & 0xFFFFFFFF
            self._order.receive_run(flow, sequence, (item,), self._end.id, now)

    # -- packets, trains and bundles --------------------------------------------------------------

    def _receive_single(self, datagram: bytes, kind: int, source: Address, now: float) -> None:
        header = HEADER if kind == _BUNDLE else PACKET_HEADER
        if len(datagram) <= header.size:
            self.drops[Drop.SHORT] += 1
            return
        _, flags, session, number = HEADER.unpack_from(datagram)
        keypair = self._end.keypairs.get(session)
        if keypair is None:
            self.drops[Drop.UNKNOWN_SESSION] += 1
            return
        if keypair.security and len(datagram) <= header.size + TAG_SIZE:
            self.drops[Drop.SHORT] += 1
            return
        body = keypair.open_data(datagram, header.size)
        if body is None:
            self.drops[Drop.BAD_TAG] += 1
            return
        if not keypair.data_replay.accept(number):
            self.drops[Drop.REPLAYED] += 1
            return
        self._accept(keypair, number, 1, source, now)
        if kind == _BUNDLE:
            self._hand_over_bundle(body, flags, now)
            return
        _, _, _, _, flow, sequence = PACKET_HEADER.unpack_from(datagram)
        item = item_of(BUNDLED_TRAIN if kind == _TRAIN else _entry_kind(flags), body)
        self._hand_over(flow, sequence, item, flags, now)

    def _hand_over(
        self, flow: int, sequence: int, item: Item | Drop, flags: int, now: float
    ) -> None:
        if isinstance(item, Drop):
            self.drops[item] += 1
        elif not flags & FLAG_COPY or self._is_first_copy(flow, sequence):
            self._order.receive_run(flow, sequence, (item,), self._end.id, now)

    def _hand_over_bundle(self, body: bytes, flags: int, now: float) -> None:
        found = unpack(body)
        receive_run, leg_id = self._order.receive_run, self._end.id
        for flow, first, items in found.runs:
            if flags & FLAG_COPY and flow == UNORDERED:
                items = [
                    item
                    for number, item in enumerate(items, first)
                    if self._is_first_copy(flow, number)
                ]
            receive_run(flow, first, items, leg_id, now)
        for reason in found.drops:
            self.drops[reason] += 1

    def _is_first_copy(self, flow: int, sequence: int) -> bool:
        """Say whether a copy is to be handed on; those of ordered flows are told apart by that."""
        return flow != UNORDERED or self._order.is_first_copy(sequence)

    def _accept(
        self, keypair: Keypair, first: int, count: int, source: Address, now: float
    ) -> None:
        self.datagrams += count
        self._end.on_data_heard(keypair, first, count, source, now)


def _is_alike(one: bytes, other: bytes) -> bool:
    """Report whether two headers begin with the same type and session; flags may differ."""
    return one[0] == other[0] and one[2:] == other[2:]


def _entry_kind(flags: int) -> int:
    return BUNDLED_COMPRESSED if flags & FLAG_COMPRESSED else 0

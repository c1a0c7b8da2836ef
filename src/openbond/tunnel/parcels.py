"""What waits for a leg: datagrams alike, not sealed yet, cut from one read of the TUN device.

A parcel is a super-packet (many SEGMENTs), one PACKET, one TRAIN, or one BUNDLE. To give a leg some
of its datagrams it is split in two, and a lost one is sent again as a part of it. What a leg was
given is never changed; what still waits for its class may get other flow sequences and its lane.
"""

from .flows import SEQUENCES
from .messages import FLAG_COMPRESSED, OUTER_IPV4, PACKET_HEADER, SEGMENT_HEADER, TAG_SIZE, Type

# Outer IPv4 and UDP headers, and a tag: what the model of a leg's queue counts per datagram on top
# of header and body. The pacer charges what was really sent.
_OUTER = OUTER_IPV4 + TAG_SIZE

# A class has two lanes in a leg's queue, one for sparse flows and one for the rest; class 0 these.
SPARSE_LANE, BULK_LANE = 0, 1


class Parcel:
    """Datagrams of one flow (BUNDLE: of several). `inner_octets` is what the customer's packet or
    packets measure.

    `body` holds what is sent: the packet, the bundle, or a super-packet of which `headers` is sent
    with every slice and `begin` to `end` is still to go, `step` bytes a datagram; `origin` is where
    its payload begins. `octets` is what all its datagrams measure on the wire, about; `flags` are
    those of its datagrams. A compressed SEGMENT is one datagram: `body` is what headers and slice
    became, `begin` is where the slice was. `lane` is where it waits on a leg (leg_queue.py).
    """

    __slots__ = (
        "begin",
        "body",
        "count",
        "end",
        "flags",
        "flow",
        "headers",
        "inner_octets",
        "is_repair",
        "kind",
        "lane",
        "octets",
        "origin",
        "sequence",
        "step",
    )

    def __init__(
        self,
        kind: Type,
        flow: int,
        sequence: int,
        body: bytes,
        *,
        headers: bytes = b"",
        origin: int = 0,
        begin: int = 0,
        end: int = 0,
        step: int = 1,
        is_repair: bool = False,
        flags: int = 0,
        inner_octets: int = 0,
        lane: int = BULK_LANE,
    ) -> None:
        self.kind = kind
        self.flow = flow
        self.sequence = sequence
        self.body = body
        self.headers = headers
        self.origin = origin
        self.begin = begin
        self.end = end
        self.step = step
        self.is_repair = is_repair
        self.flags = flags
        self.lane = lane
        self.inner_octets = inner_octets or end - begin + len(headers) or len(body)
        if kind is Type.SEGMENT and not flags & FLAG_COMPRESSED:
            self.count = -(-(end - begin) // step)
            around = len(headers) + SEGMENT_HEADER.size + _OUTER
            self.octets = end - begin + self.count * around
        else:
            self.count = 1
            self.octets = len(body) + PACKET_HEADER.size + _OUTER

    def part(self, skip: int, count: int, *, is_repair: bool = False) -> "Parcel":
        """Return `count` datagrams of this parcel, from the one after the first `skip`."""
        if self.count == 1:
            return self._copy(is_repair=is_repair)
        begin = self.begin + skip * self.step
        return Parcel(
            Type.SEGMENT,
            self.flow,
            (self.sequence + skip) % SEQUENCES,
            self.body,
            headers=self.headers,
            origin=self.origin,
            begin=begin,
            end=min(begin + count * self.step, self.end),
            step=self.step,
            is_repair=is_repair,
            flags=self.flags,
            lane=self.lane,
        )

    def _copy(self, *, is_repair: bool) -> "Parcel":
        return Parcel(
            self.kind,
            self.flow,
            self.sequence,
            self.body,
            headers=self.headers,
            origin=self.origin,
            begin=self.begin,
            end=self.end,
            step=self.step,
            is_repair=is_repair,
            flags=self.flags,
            inner_octets=self.inner_octets,
            lane=self.lane,
        )

    def split(self, count: int) -> tuple["Parcel", "Parcel | None"]:
        """Return the first `count` datagrams, and the rest if there is one."""
        if count >= self.count:
            return self, None
        return self.part(0, count), self.part(count, self.count - count)

    @property
    def most_octets(self) -> int:
        """What its largest datagram measures on the wire, about."""
        return self.octets if self.count == 1 else self.octets // self.count + 1

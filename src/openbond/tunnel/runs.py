"""Seal parcels, and lay the datagrams in runs that one sendmsg with UDP_SEGMENT can send.

A run is datagrams of one size, the last of which may be shorter (Linux, udp(7)). Sealing is the
hottest loop of the sending side: one pass over the slices, no attribute look-ups in it.
"""

from .keypair import NONCE_SIZE, Keypair
from .messages import (
    FLAG_COMPRESSED,
    FLAG_LAST,
    FLAG_REPAIRED,
    HEADER,
    PACKET_HEADER,
    SEGMENT_HEADER,
    TAG_SIZE,
    Type,
)
from .parcels import Parcel

Address = tuple[str, int]

# Linux cuts at most 64 segments out of one sendmsg; an IP packet's length ends at 65535.
SEGMENTS_MOST = 64
OCTETS_MOST = 65000

_SEGMENT = int(Type.SEGMENT)  # struct packs a plain int faster than an enum's member


class Run:
    """Datagrams for one leg, ready to be sent: `buffers` one after the other are their octets,
    `size` is that of each but the last, `octets` of all, `count` how many they are.
    """

    __slots__ = ("address", "buffers", "count", "is_open", "leg_id", "octets", "size")

    def __init__(self, leg_id: int, address: Address, size: int) -> None:
        self.leg_id = leg_id
        self.address = address
        self.buffers: list[bytes] = []
        self.size = size
        self.count = 0
        self.octets = 0
        self.is_open = True  # all datagrams are alike so far: more may follow

    @classmethod
    def of_one(cls, leg_id: int, address: Address, datagram: bytes) -> "Run":
        """Return the run of a single datagram."""
        run = cls(leg_id, address, len(datagram))
        run.buffers.append(datagram)
        run.count, run.octets, run.is_open = 1, len(datagram), False
        return run

    def datagrams(self) -> list[bytes]:
        """Return the datagrams one by one, for a kernel without UDP_SEGMENT."""
        whole = b"".join(self.buffers)
        return [whole[at : at + self.size] for at in range(0, len(whole), self.size)]


class RunBuilder:
    """Collects the datagrams that leave by one leg in one turn."""

    def __init__(self, leg_id: int, address: Address) -> None:
        self.runs: list[Run] = []
        self._leg_id = leg_id
        self._address = address

    def add(self, parcel: Parcel, keypair: Keypair, first: int) -> int:
        """Seal the parcel with leg sequences from `first`; return the octets of its datagrams."""
        if parcel.kind is not Type.SEGMENT or parcel.flags & FLAG_COMPRESSED:
            datagram = _seal_single(parcel, keypair, first)
            self._lay([datagram], len(datagram), 1, len(datagram))
            return len(datagram)
        buffers, around = _seal_segments(parcel, keypair, first)
        size = around + min(parcel.step, parcel.end - parcel.begin)
        octets = around * parcel.count + parcel.end - parcel.begin
        self._lay(buffers, size, parcel.count, octets)
        return octets

    def _lay(self, buffers: list[bytes], size: int, count: int, octets: int) -> None:
        """Lay datagrams into the open run as far as they fit, the rest into new ones."""
        per_datagram = len(buffers) // count
        done = 0
        while done < count:
            left = octets - done * size
            run = self._open_run(min(size, left))
            most = min(SEGMENTS_MOST, OCTETS_MOST // run.size) - run.count
            part = min(count - done, most) if size >= run.size else 1
            run.buffers += buffers[done * per_datagram : (done + part) * per_datagram]
            run.count += part
            run.octets += min(part * size, left)
            run.is_open = part < most and run.octets == run.count * run.size
            done += part

    def _open_run(self, size: int) -> Run:
        """Return the run that a datagram of `size` may join; a shorter one may close it."""
        run = self.runs[-1] if self.runs else None
        if run is None or not run.is_open or size > run.size:
            run = Run(self._leg_id, self._address, size)
            self.runs.append(run)
        return run


def _seal_single(parcel: Parcel, keypair: Keypair, first: int) -> bytes:
    flags = parcel.flags | FLAG_REPAIRED if parcel.is_repair else parcel.flags
    kind, session = parcel.kind, keypair.peer_index
    if kind is Type.BUNDLE:
        header = HEADER.pack(kind, flags, session, first)
    elif kind is Type.SEGMENT:
        offset = parcel.begin - parcel.origin
        header = SEGMENT_HEADER.pack(
            kind, flags, session, first, parcel.flow, parcel.sequence, offset
        )
    else:
        header = PACKET_HEADER.pack(kind, flags, session, first, parcel.flow, parcel.sequence)
    return keypair.seal_data(header, parcel.body)


def _seal_segments(parcel: Parcel, keypair: Keypair, first: int) -> tuple[list[bytes], int]:
    """Return the sealed datagrams' buffers, and what each has around its slice in octets."""
    pack, session, seal = SEGMENT_HEADER.pack, keypair.peer_index, keypair.seal_data
    nonce_size = NONCE_SIZE
    encrypt = keypair.encrypt
    flow, headers, source = parcel.flow, parcel.headers, parcel.body
    step, origin, end = parcel.step, parcel.origin, len(source)
    plain_flags = parcel.flags | FLAG_REPAIRED if parcel.is_repair else parcel.flags
    buffers: list[bytes] = []
    number, sequence = first, parcel.sequence
    for at in range(parcel.begin, parcel.end, step):
        after = at + step
        flags = plain_flags if after < end else plain_flags | FLAG_LAST
        header = pack(_SEGMENT, flags, session, number, flow, sequence & 0xFFFFFFFF, at - origin)
        body = headers + source[at:after]
        if encrypt is None:
            buffers.append(seal(header, body))
        else:
            buffers.append(header)
            buffers.append(encrypt(number.to_bytes(nonce_size, "big"), body, header))
        number += 1
        sequence += 1
    tag = TAG_SIZE if keypair.security else 0
    return buffers, SEGMENT_HEADER.size + len(headers) + tag

"""What was sent on a leg and may have to be sent again (behaviour 2.10; design/tunnel.md, Repair).

Remembered are parcels, not datagrams: the octets are those of the reads of the TUN device, kept
from being freed. Each is kept as long as a repair can still arrive within the longest hold, and
within `ROOM`; each lost datagram is sent again once, never a repair.
"""

from collections import deque
from typing import NamedTuple

from .hearing import Gap, Hearing
from .messages import FLAG_COPY
from .parcels import Parcel

ROOM = 8 * 2**20  # bytes per bond
# A gap wider than this is an outage, not loss: what was in it is taken from the silence.
GAP_MOST = 512


class Sent(NamedTuple):
    session: int  # the peer's number of the keypair
    first: int  # leg sequence of its first datagram
    parcel: Parcel
    at: float


class Outbox:
    """What one leg was given of late."""

    def __init__(self, *, keep: float, room: int) -> None:
        self._keep = keep
        self._room = room
        self._sent: deque[Sent] = deque()
        self._octets = 0
        self._heard: dict[int, int] = {}  # session -> newest leg sequence the peer spoke of
        self._repaired: set[tuple[int, int]] = set()  # session, leg sequence

    def set_limits(self, *, keep: float, room: int) -> None:
        """Take how long (seconds) and how much (bytes) is kept."""
        self._keep, self._room = keep, room

    def on_sent(self, session: int, first: int, parcel: Parcel, now: float) -> None:
        """Remember a parcel that left by this leg; a repair is not repaired again, nor a copy."""
        if parcel.is_repair or parcel.flags & FLAG_COPY or not self._keep:
            return
        self._sent.append(Sent(session, first, parcel, now))
        self._octets += parcel.octets
        oldest = now - self._keep
        while self._sent and (self._octets > self._room or self._sent[0].at < oldest):
            self._forget_oldest()

    def lost(self, hearing: Hearing, now: float) -> list[Parcel]:
        """Return what the peer says did not come and was not repaired yet."""
        session = hearing.session
        self._heard[session] = max(self._heard.get(session, 0), hearing.highest)
        found: list[Parcel] = []
        for gap in hearing.gaps:
            if gap.count <= GAP_MOST:
                found += self._in_gap(session, gap, now)
        return found

    def unheard(self, now: float) -> list[Parcel]:
        """Return what was sent after the newest that the peer spoke of: the leg is silent."""
        found: list[Parcel] = []
        for sent in self._sent:
            heard = self._heard.get(sent.session, 0)
            skip = max(0, heard + 1 - sent.first)
            if skip < sent.parcel.count and sent.at >= now - self._keep:
                found += self._take(sent, skip, sent.parcel.count - skip)
        return found

    def _in_gap(self, session: int, gap: Gap, now: float) -> list[Parcel]:
        found: list[Parcel] = []
        end = gap.first + gap.count
        for sent in self._sent:
            last = sent.first + sent.parcel.count
            if sent.session != session or last <= gap.first or sent.first >= end:
                continue
            if sent.at >= now - self._keep:
                skip = max(0, gap.first - sent.first)
                found += self._take(sent, skip, min(end, last) - sent.first - skip)
        return found

    def _take(self, sent: Sent, skip: int, count: int) -> list[Parcel]:
        """Return the datagrams of a parcel that were not repaired yet, in few parts."""
        found: list[Parcel] = []
        begin = None
        for number in range(skip, skip + count + 1):
            key = (sent.session, sent.first + number)
            is_new = number < skip + count and key not in self._repaired
            if is_new:
                self._repaired.add(key)
                begin = number if begin is None else begin
            elif begin is not None:
                found.append(sent.parcel.part(begin, number - begin, is_repair=True))
                begin = None
        return found

    def _forget_oldest(self) -> None:
        sent = self._sent.popleft()
        self._octets -= sent.parcel.octets
        if self._repaired:
            for number in range(sent.first, sent.first + sent.parcel.count):
                self._repaired.discard((sent.session, number))
        if not self._sent and len(self._heard) > 4:
            self._heard.clear()

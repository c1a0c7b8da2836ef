"""What waits for one leg, when it may leave, and the sealing as it leaves (behaviour 2.9).

Parcels are sealed when they leave, not when they are queued: leg sequences rise in the order of
sending, probes may pass, and what still waits when a leg fails goes to the others untouched.

Two lanes for each QoS class, in the order of service; of the two, that of sparse flows is first. So
a leg may hold as much as heavy flows need to use it fully, and a ping passes that by.
"""

from collections import deque
from math import inf

from .bundles import Bundle, kind_of
from .leg_end import LegEnd
from .messages import BUNDLE_BELOW, BUNDLED, FLAG_COMPRESSED, OUTER_IPV4, Type
from .pacer import Pacer
from .parcels import BULK_LANE, Parcel
from .repair import Outbox
from .runs import Run, RunBuilder

# A leg's queue holds twice the delta, within these; seconds of its speed (behaviour 2.9).
QUEUE_LEAST, QUEUE_MOST = 0.020, 0.100


class LegQueue:
    """The queue and the line of one leg, in our sending direction.

    Read by the scheduler: `id`, `pacer`, `delay` (relative one-way delay, seconds; the fastest
    leg has 0), `bound` (how long a lane and those before it may be, seconds), `wait` and `arrival`.
    `given` and `gone` count the parcels of slow lanes that came and left, but for repairs.
    Counters: `datagrams`, `octets` (outer), `repaired`. `in_service`: what is sent is kept for a
    while, to be sent again when lost, and control messages count against the speed.
    """

    def __init__(self, end: LegEnd, *, bps: float, outbox: Outbox) -> None:
        self.id = end.id
        self.end = end
        self.pacer = Pacer(bps)
        self.outbox = outbox
        self.delay = 0.0
        self.bound = QUEUE_LEAST
        self.bundle_most = 0  # octets of a bundle's body
        self.datagrams = 0
        self.octets = 0
        self.control = 0  # of the datagrams, and of their octets
        self.control_octets = 0
        self.repaired = 0
        self.given = 0
        self.gone = 0
        self.bundle_mark = 0  # as a flow's marks, of the newest bundle
        self.in_service = True
        self.is_blocked = False  # the socket takes nothing more for now
        self._lanes: list[deque[Parcel]] = [deque(), deque()]
        self._queued = [0, 0]  # octets of each lane
        self._octets = 0  # of all lanes
        self._overdue = 0  # octets of repairs among them

    def set_classes(self, count: int) -> None:
        """Have two lanes for each of so many QoS classes; what waits stays in order."""
        if 2 * count == len(self._lanes):
            return
        waiting = [parcel for lane in self._lanes for parcel in lane]
        self._lanes = [deque() for _ in range(2 * count)]
        self._queued = [0] * (2 * count)
        self._octets = self._overdue = 0
        self.given = self.gone
        for parcel in waiting:
            parcel.lane = min(parcel.lane, 2 * count - 1)
            self.enqueue(parcel)
        self.bundle_mark = min(self.bundle_mark, self.given)

    def wait(self, now: float, lane: int = -1) -> float:
        """Return how long a datagram queued at `now` in a lane waits before it leaves, in seconds;
        -1 is the last lane.
        """
        pacer = self.pacer
        ahead = pacer.free_at - now
        queued = self._octets and self._octets_to(lane)
        return (ahead if ahead > 0 else 0.0) + queued * 8 / pacer.bps

    def arrival(self, octets: int, now: float, lane: int = -1) -> float:
        """Return when a datagram queued at `now` arrives, but for what all legs have in common."""
        pacer = self.pacer
        busy = pacer.free_at if pacer.free_at > now else now
        queued = self._octets and self._octets_to(lane)
        return busy + (queued + octets) * 8 / pacer.bps + self.delay

    def overtakes_at(self, octets: int, now: float) -> float:
        """Return when a repair queued at `now` arrives, as `arrival` does: only repairs that wait
        already are before it.
        """
        busy = max(self.pacer.free_at, now)
        return busy + (self._overdue + octets) * 8 / self.pacer.bps + self.delay

    def precedes(self, other: "LegQueue", now: float, lane: int = -1) -> bool:
        """Decide a tie: the less busy, then the lower id (behaviour 2.7)."""
        return (self.wait(now, lane), self.id) < (other.wait(now, lane), other.id)

    @property
    def queued_octets(self) -> int:
        return self._octets

    def queued_datagrams(self) -> int:
        """Return how many datagrams wait."""
        return sum(parcel.count for lane in self._lanes for parcel in lane) if self._octets else 0

    def enqueue(self, parcel: Parcel) -> None:
        lane = parcel.lane
        self._lanes[lane].append(parcel)
        self._queued[lane] += parcel.octets
        self._octets += parcel.octets
        if parcel.is_repair:
            self._overdue += parcel.octets
        elif lane & BULK_LANE:
            self.given += 1

    def enqueue_repair(self, parcel: Parcel) -> None:
        """Queue a repair: it is overdue already and goes before the rest of its lane, so that what
        was lost of heavy flows does not keep that of sparse ones waiting.
        """
        lane = parcel.lane = min(parcel.lane, len(self._lanes) - 1)
        self._put_first(parcel, lane)

    def take_back(self) -> list[Parcel]:
        """Return all that waits, in order: the leg may not carry it any more."""
        parcels = [parcel for lane in self._lanes for parcel in lane]
        for number, lane in enumerate(self._lanes):
            lane.clear()
            self._queued[number] = 0
        self._octets = self._overdue = 0
        self.gone = self.given
        return parcels

    def runs_to_send(self, now: float) -> list[Run]:
        """Return what may leave now, sealed. Empty without a session or an address to send to."""
        keypair, address = self.end.keypair, self.end.address
        pacer = self.pacer
        if keypair is None or address is None or self.is_blocked or not self._octets:
            return []
        builder = RunBuilder(self.id, address)
        octets_before, datagrams_before = self.octets, self.datagrams
        while (room := pacer.room(now)) and (parcel := self._take(room)) is not None:
            first = keypair.take_sequences(parcel.count)
            outer = builder.add(parcel, keypair, first) + parcel.count * OUTER_IPV4
            pacer.charge(outer, now)
            self._note(parcel, keypair.peer_index, first, outer, now)
        if builder.runs:
            octets, count = self.octets - octets_before, self.datagrams - datagrams_before
            self.end.on_data_sent(keypair.next_sequence - 1, now, octets, count)
        return builder.runs

    def charge(self, datagram_octets: int, now: float) -> None:
        """Note a control message: it skips the queue, yet the line carries it."""
        if self.in_service:
            self.pacer.charge(datagram_octets + OUTER_IPV4, now)
        self.datagrams += 1
        self.octets += datagram_octets + OUTER_IPV4
        self.control += 1
        self.control_octets += datagram_octets + OUTER_IPV4

    def get_timer(self) -> float:
        """Return when something that waits may leave."""
        if not self._octets or not self._can_send():
            return inf
        return self.pacer.opens_at()

    def _can_send(self) -> bool:
        end = self.end
        is_reachable = end.keypair is not None and end.address is not None
        return is_reachable and not self.is_blocked and self.pacer.bps > 0

    def _take(self, room: int) -> Parcel | None:
        """Return what leaves next: about `room` octets of the first lane that has something."""
        if not self._octets:
            return None
        number = 0
        while not self._lanes[number]:
            number += 1
        lane = self._lanes[number]
        parcel = self._pop(number)
        if parcel.octets > room and parcel.count > 1:
            parcel, rest = parcel.split(max(1, room // parcel.most_octets))
            if rest is not None:
                self._put_first(rest, number)
                return parcel
        if not parcel.is_repair:
            self.gone += number & BULK_LANE
        if lane and _is_small(parcel) and _is_small(lane[0]):
            return self._bundle(parcel, number)
        return parcel

    def _put_first(self, parcel: Parcel, number: int) -> None:
        self._lanes[number].appendleft(parcel)
        self._queued[number] += parcel.octets
        self._octets += parcel.octets
        if parcel.is_repair:
            self._overdue += parcel.octets

    def _pop(self, number: int) -> Parcel:
        parcel = self._lanes[number].popleft()
        self._queued[number] -= parcel.octets
        self._octets -= parcel.octets
        if parcel.is_repair:
            self._overdue -= parcel.octets
        return parcel

    def _octets_to(self, lane: int) -> int:
        """Return what waits in a lane and those before it; -1 is the last."""
        return self._octets if lane < 0 else sum(self._queued[: lane + 1])

    def _bundle(self, first: Parcel, number: int) -> Parcel:
        """Return a bundle of the small packets that wait behind `first`, and that (idea 2)."""
        lane, flags = self._lanes[number], first.flags
        bundle = Bundle()
        parcel = first
        while True:
            bundle.add(kind_of(parcel), parcel.flow, parcel.sequence, parcel.body)
            if not lane or not _is_small(lane[0]) or _of_bundle(lane[0].flags) != _of_bundle(flags):
                break
            if bundle.octets + BUNDLED.size + len(lane[0].body) > self.bundle_most:
                break
            parcel = self._pop(number)
            self.gone += number & BULK_LANE
        bundled = bundle.take_parcel()
        if parcel is first or bundled is None:
            return first
        bundled.flags = _of_bundle(flags)
        bundled.lane = number
        return bundled

    def _note(self, parcel: Parcel, session: int, first: int, outer: int, now: float) -> None:
        if self.in_service:
            self.outbox.on_sent(session, first, parcel, now)
        self.datagrams += parcel.count
        self.octets += outer
        if parcel.is_repair:
            self.repaired += parcel.count


def _is_small(parcel: Parcel) -> bool:
    """Say whether a parcel may share a datagram with others."""
    is_packet = parcel.kind is Type.PACKET and not parcel.is_repair
    return is_packet and len(parcel.body) < BUNDLE_BELOW


def _of_bundle(flags: int) -> int:
    """Return the flags that all packets of a bundle have in common."""
    return flags & ~FLAG_COMPRESSED

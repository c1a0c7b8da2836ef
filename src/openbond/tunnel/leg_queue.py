"""What waits for one leg, when it may leave, and the sealing as it leaves (behaviour 2.9).

Parcels are sealed when they leave, not when they are queued: leg sequences rise in the order of
sending, probes may pass, and what still waits when a leg fails goes to the others untouched.
"""

from collections import deque
from math import inf

from .leg_end import LegEnd
from .messages import OUTER_IPV4
from .pacer import Pacer
from .parcels import Parcel
from .repair import Outbox
from .runs import Run, RunBuilder


class LegQueue:
    """The queue and the line of one leg, in our sending direction.

    Read by the scheduler: `id`, `pacer`, `delay` (relative one-way delay, seconds; the fastest
    leg has 0), `wait` and `arrival`. Counters: `packets`, `octets` (outer), `repaired`.
    """

    def __init__(self, end: LegEnd, *, bps: float, outbox: Outbox) -> None:
        self.id = end.id
        self.end = end
        self.pacer = Pacer(bps)
        self.outbox = outbox
        self.delay = 0.0
        self.datagrams = 0
        self.octets = 0
        self.repaired = 0
        self.is_blocked = False  # the socket takes nothing more for now
        self._queue: deque[Parcel] = deque()
        self._queued = 0  # octets

    def wait(self, now: float) -> float:
        """Return how long a datagram queued at `now` waits before it leaves, in seconds."""
        pacer = self.pacer
        ahead = pacer.free_at - now
        return (ahead if ahead > 0 else 0.0) + self._queued * 8 / pacer.bps

    def arrival(self, octets: int, now: float) -> float:
        """Return when a datagram queued at `now` arrives, but for what all legs have in common."""
        pacer = self.pacer
        busy = pacer.free_at if pacer.free_at > now else now
        return busy + (self._queued + octets) * 8 / pacer.bps + self.delay

    def precedes(self, other: "LegQueue", now: float) -> bool:
        """Decide a tie: the less busy, then the lower id (behaviour 2.7)."""
        return (self.wait(now), self.id) < (other.wait(now), other.id)

    def enqueue(self, parcel: Parcel) -> None:
        self._queue.append(parcel)
        self._queued += parcel.octets

    def enqueue_repair(self, parcel: Parcel) -> None:
        """Queue a repair: it is overdue already and goes before the rest."""
        self._queue.appendleft(parcel)
        self._queued += parcel.octets

    def take_back(self) -> list[Parcel]:
        """Return all that waits, in order: the leg may not carry it any more."""
        parcels = list(self._queue)
        self._queue.clear()
        self._queued = 0
        return parcels

    def runs_to_send(self, now: float) -> list[Run]:
        """Return what may leave now, sealed. Empty without a session or an address to send to."""
        keypair, address = self.end.keypair, self.end.address
        queue, pacer = self._queue, self.pacer
        if not queue or keypair is None or address is None or self.is_blocked:
            return []
        builder = RunBuilder(self.id, address)
        octets_before, datagrams_before = self.octets, self.datagrams
        while queue and (room := pacer.room(now)):
            parcel = queue.popleft()
            self._queued -= parcel.octets
            if parcel.octets > room and parcel.count > 1:
                parcel, rest = parcel.split(max(1, room // parcel.most_octets))
                if rest is not None:
                    queue.appendleft(rest)
                    self._queued += rest.octets
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
        self.pacer.charge(datagram_octets + OUTER_IPV4, now)
        self.datagrams += 1
        self.octets += datagram_octets + OUTER_IPV4

    def get_timer(self) -> float:
        """Return when something that waits may leave."""
        if not self._queue or not self._can_send():
            return inf
        return self.pacer.opens_at()

    def _can_send(self) -> bool:
        end = self.end
        is_reachable = end.keypair is not None and end.address is not None
        return is_reachable and not self.is_blocked and self.pacer.bps > 0

    def _note(self, parcel: Parcel, session: int, first: int, outer: int, now: float) -> None:
        self.outbox.on_sent(session, first, parcel, now)
        self.datagrams += parcel.count
        self.octets += outer
        if parcel.is_repair:
            self.repaired += parcel.count

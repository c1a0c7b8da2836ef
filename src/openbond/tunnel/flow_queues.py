"""What waits in one QoS class: a queue per flow, sparse flows first, the others in fair turns.

As RFC 8290 (fq_codel), with parcels as the unit: a super-packet is served in parts, each part is
charged to its flow, and what is dropped or marked is one datagram of it. A flow is sparse while it
sends less than it earns, and nothing of it waits elsewhere: nobody overtakes himself.
"""

from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from . import ecn
from .codel import CoDel, Patience
from .flows import SEQUENCES
from .leg_queue import LegQueue
from .messages import Type
from .parcels import BULK_LANE, Parcel

# What a sparse flow may send at once, two full packets, and what it earns per second.
CREDIT_MOST = 2 * 1514
CREDIT_PER_SECOND = 150_000
# The least that a flow is served in its turn; more on a fast bond, so that runs stay long.
QUANTUM_LEAST = 2 * 1514
FLOWS_MOST = 1024
FORGET_AFTER = 1.0

# Told of each drop: the flow, and how many datagrams of it.
OnDrop = Callable[[int, int], None]
# A parcel that waits: when it came, how many datagrams of its flow had been dropped before, and it.
Waiting = tuple[float, int, Parcel]


class Flow:
    """The queue of one flow. `marks`: how many parcels of the slow lane must have left each leg for
    the flow to be sparse again. `dropped`
    counts datagrams.

    What is dropped would leave a gap in the flow's numbers, and the far end would hold what
    follows, waiting for what was never sent. So those behind a dropped one move up: each by what
    was dropped since it came, when its turn comes.
    """

    __slots__ = (
        "codel",
        "credit",
        "credited_at",
        "deficit",
        "dropped",
        "is_listed",
        "marks",
        "number",
        "octets",
        "parcels",
    )

    def __init__(self, number: int, patience: Patience, now: float) -> None:
        self.number = number
        self.parcels: deque[Waiting] = deque()
        self.dropped = 0
        self.octets = 0
        self.deficit = 0
        self.is_listed = False
        self.credit = float(CREDIT_MOST)
        self.credited_at = now
        self.marks: dict[LegQueue, int] = {}
        self.codel = CoDel(patience)

    def can_pay(self, octets: int, now: float) -> bool:
        """Say whether the flow sends little enough to be sparse."""
        earned = (now - self.credited_at) * CREDIT_PER_SECOND
        self.credit = min(float(CREDIT_MOST), self.credit + earned)
        self.credited_at = now
        return self.credit >= octets

    @property
    def has_marks(self) -> bool:
        """Say whether something of the flow waits in the slow lane of a leg."""
        marks = self.marks
        if not marks:
            return False
        for leg, mark in marks.items():
            if leg.gone < mark:
                return True
        marks.clear()
        return False

    def put(self, parcel: Parcel, now: float) -> None:
        self.parcels.append((now, self.dropped, parcel))
        self.octets += parcel.octets

    def put_back(self, parcel: Parcel, came_at: float, dropped: int) -> None:
        self.parcels.appendleft((came_at, dropped, parcel))
        self.octets += parcel.octets

    def take(self) -> Waiting:
        waiting = self.parcels.popleft()
        self.octets -= waiting[2].octets
        return waiting

    def first(self) -> Parcel:
        """Return the first parcel, its number moved up."""
        came_at, dropped, parcel = self.parcels[0]
        if dropped != self.dropped:
            _move_up(parcel, self.dropped - dropped)
            self.parcels[0] = came_at, self.dropped, parcel
        return parcel


class FairQueue:
    """One class. `octets` is what waits in it; `marked` counts datagrams.

    on_drop is told of each datagram dropped here, after it was taken out.
    """

    def __init__(self, on_drop: OnDrop, patience: Patience) -> None:
        self.octets = 0
        self.marked = 0
        self.quantum = QUANTUM_LEAST
        self.legs: Sequence[LegQueue] = ()
        self._on_drop = on_drop
        self._patience = patience
        self._forget_at = -inf
        self._flows: dict[int, Flow] = {}
        self._sparse: deque[Flow] = deque()
        self._heavy: deque[Flow] = deque()
        self._aside: list[tuple[deque[Flow], Flow]] = []

    def flow(self, number: int, now: float) -> Flow:
        """Return the flow of this number; one that is not known begins."""
        flow = self._flows.get(number)
        if flow is None:
            if len(self._flows) >= FLOWS_MOST:
                self._forget_idle(now)
            flow = self._flows[number] = Flow(number, self._patience, now)
        return flow

    def is_sparse(self, flow: Flow, parcel: Parcel, now: float) -> bool:
        """Say whether the parcel, the first that waits of its flow, may pass heavy flows by."""
        if parcel.octets > CREDIT_MOST or not flow.can_pay(parcel.octets, now) or flow.has_marks:
            return False
        # A bundle holds several flows; none is to be passed by what comes later of it.
        for leg in self.legs:
            if leg.gone < leg.bundle_mark:
                return False
        return parcel.kind is not Type.BUNDLE

    def put(self, parcel: Parcel, now: float) -> None:
        """Queue a parcel of one flow behind what waits of it."""
        flow = self.flow(parcel.flow, now)
        if not flow.is_listed:
            flow.is_listed = True
            if self.is_sparse(flow, parcel, now):
                self._sparse.append(flow)
            else:
                self._begin_turns(flow)
        flow.put(parcel, now)
        self.octets += parcel.octets

    def next_flow(self, now: float) -> Flow | None:
        """Return whose turn it is; its first parcel has its lane. None: nothing waits."""
        while (flow := self._in_turn()) is not None:
            self._control(flow, now)
            if flow.parcels:
                return flow
            self._unlist(flow)
        return None

    def took(self, flow: Flow, parcel: Parcel, rest: Parcel | None, now: float) -> None:
        """Note that legs were given of the first parcel all but `rest`."""
        came_at, dropped, _ = flow.take()
        octets = parcel.octets
        if rest is not None:
            flow.put_back(rest, came_at, dropped)
            octets -= rest.octets
        self.octets -= octets
        is_first_of_sparse = self._is_first_of_sparse(flow)
        # What passed the others by counts too, but is not held against a flow for long.
        flow.deficit = max(flow.deficit - octets, -2 * self.quantum - octets)
        if is_first_of_sparse:
            flow.credit -= octets
        if not flow.parcels:
            self._unlist(flow)
        elif is_first_of_sparse and not self.is_sparse(flow, flow.parcels[0][2], now):
            self._sparse.popleft()
            self._begin_turns(flow)

    def set_aside(self, flow: Flow) -> None:
        """Pass over a flow that no leg takes now, until `restore`."""
        turns = self._sparse if self._is_first_of_sparse(flow) else self._heavy
        turns.popleft()
        self._aside.append((turns, flow))

    def restore(self) -> None:
        """Give those set aside their turns again."""
        while self._aside:
            turns, flow = self._aside.pop()
            turns.appendleft(flow)

    def drop_older(self, came_before: float) -> float:
        """Drop what came before a moment; return when the oldest that is left came."""
        oldest = inf
        for flow in [*self._sparse, *self._heavy]:
            while flow.parcels and flow.parcels[0][0] <= came_before:
                self._drop(flow, flow.parcels[0][2].count)
            if flow.parcels:
                oldest = min(oldest, flow.parcels[0][0])
        return oldest

    def drop_of_fattest(self) -> None:
        """Drop the first parcel of the flow that has most waiting: room is short."""
        flow = max(self._flows.values(), key=lambda flow: flow.octets)
        self._drop(flow, flow.parcels[0][2].count)

    def take_all(self) -> list[Parcel]:
        """Take out all that waits, each flow in order."""
        parcels = []
        for flow in self._flows.values():
            for _, dropped, parcel in flow.parcels:
                _move_up(parcel, flow.dropped - dropped)
                parcels.append(parcel)
        self._flows.clear()
        self._sparse.clear()
        self._heavy.clear()
        self.octets = 0
        return parcels

    # -- inside -----------------------------------------------------------------------------------

    def _in_turn(self) -> Flow | None:
        if self._sparse:
            return self._sparse[0]
        heavy = self._heavy
        while heavy:
            flow = heavy[0]
            if flow.deficit > 0:
                return flow
            flow.deficit += self.quantum
            heavy.rotate(-1)
        return None

    def _begin_turns(self, flow: Flow) -> None:
        flow.deficit = min(self.quantum, flow.deficit + self.quantum)
        self._heavy.append(flow)

    def _is_first_of_sparse(self, flow: Flow) -> bool:
        return bool(self._sparse) and self._sparse[0] is flow

    def _unlist(self, flow: Flow) -> None:
        """Take the flow in turn out of the turns: nothing of it waits."""
        (self._sparse if self._is_first_of_sparse(flow) else self._heavy).popleft()
        flow.is_listed = False

    def _control(self, flow: Flow, now: float) -> None:
        """Have CoDel look at the flow's head; then give the head its lane."""
        while flow.parcels:
            came_at = flow.parcels[0][0]
            if not flow.codel.is_to_drop(now - came_at, flow.octets, now):
                is_sparse, parcel = self._is_first_of_sparse(flow), flow.first()
                parcel.lane = parcel.lane & ~BULK_LANE if is_sparse else parcel.lane | BULK_LANE
                return
            if not self._mark(flow):
                self._drop(flow, 1)

    def _mark(self, flow: Flow) -> bool:
        """Mark the first datagram instead of dropping it, if its ends know marks."""
        first = ecn.marked(flow.parcels[0][2])
        if first is None:
            return False
        came_at, dropped, parcel = flow.take()
        if parcel.count > 1:
            flow.put_back(parcel.part(1, parcel.count - 1), came_at, dropped)
        flow.put_back(first, came_at, dropped)
        self.marked += 1
        return True

    def _drop(self, flow: Flow, count: int) -> None:
        """Drop the first `count` datagrams of the first parcel."""
        came_at, dropped, parcel = flow.take()
        octets = parcel.octets
        if count < parcel.count:
            rest = parcel.part(count, parcel.count - count)
            flow.put_back(rest, came_at, dropped)
            octets -= rest.octets
        self.octets -= octets
        flow.dropped += count
        self._on_drop(flow.number, count)

    def _forget_idle(self, now: float) -> None:
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_AFTER
        self._flows = {
            number: flow
            for number, flow in self._flows.items()
            if flow.is_listed or flow.has_marks or now - flow.credited_at < FORGET_AFTER
        }


def _move_up(parcel: Parcel, by: int) -> None:
    parcel.sequence = (parcel.sequence - by) % SEQUENCES

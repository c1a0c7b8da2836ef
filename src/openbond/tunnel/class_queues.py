"""Which QoS class is served next: guarantees in order of service, the rest lent (behaviour 5.10).

Each class earns its share of the capacity. One that has earned something and wants it is served
before all that have not, an earlier class first. What then is left of the capacity is lent, in
proportion to the shares, to whoever wants more. Numbers: behaviour 2.9.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf

from .codel import Patience
from .flow_queues import QUANTUM_LEAST, FairQueue, Flow
from .flows import FlowNumbers
from .leg_queue import LegQueue
from .parcels import BULK_LANE, Parcel
from .settings import QosClass

WAIT_MOST = 0.200  # behaviour 2.6, 2.9
# Old packets are looked for once in so long; none waits longer than WAIT_MOST for it.
SWEEP_EVERY = 0.005
ROOM = 8 * 2**20  # bytes
# How much of its guarantee a class may save up, in seconds of it: the depth of its bucket.
SAVED_MOST = 0.010
# A flow's turn, in seconds of the capacity.
TURN = 0.001
# So many flows that no leg takes are passed over in one turn.
ASIDE_MOST = 16


class QueuedClass:
    """One class. `earned`: octets of its guarantee; `lent`: octets beyond it, over the share."""

    def __init__(self, index: int, share: float, queue: FairQueue) -> None:
        self.index = index
        self.share = share
        self.queue = queue
        self.earned = 0.0
        self.lent = 0.0
        self.aside = 0  # flows set aside in this turn


class ClassQueues:
    """All that waits for its turn. `drops` counts datagrams under `why`, which the owner sets."""

    def __init__(self, classes: tuple[QosClass, ...], numbers: FlowNumbers) -> None:
        self.drops: Counter[str] = Counter()
        self.why = ""
        self._numbers = numbers
        self._patience = Patience()
        self.classes = [
            QueuedClass(index, each.share, FairQueue(self._on_drop, self._patience))
            for index, each in enumerate(classes)
        ]
        self._capacity = 0.0  # octets per second
        self._earned_at = 0.0
        self._lent = 0.0  # of the class that was lent something last
        self._sweep_at = inf

    @property
    def octets(self) -> int:
        return sum(each.queue.octets for each in self.classes)

    @property
    def marked(self) -> int:
        return sum(each.queue.marked for each in self.classes)

    def set_legs(self, eligible: Sequence[LegQueue]) -> None:
        """Take the legs that may carry data: the sum of their speeds is the capacity."""
        self._capacity = sum(leg.pacer.bps for leg in eligible) / 8
        for each in self.classes:
            each.queue.legs = eligible
            each.queue.quantum = max(QUANTUM_LEAST, int(self._capacity * TURN))

    def flow(self, parcel: Parcel, now: float) -> Flow:
        """Return the flow of a parcel that need not wait."""
        return self.classes[parcel.lane >> 1].queue.flow(parcel.flow, now)

    def set_delta(self, delta: float) -> None:
        """Take how much the delays of the eligible legs differ, in seconds."""
        self._patience.set_delta(delta)

    def lay(self, parcel: Parcel, flow: Flow, now: float) -> bool:
        """Give a parcel that need not wait its lane; say whether it is the sparse one."""
        is_sparse = self.classes[parcel.lane >> 1].queue.is_sparse(flow, parcel, now)
        parcel.lane = parcel.lane & ~BULK_LANE if is_sparse else parcel.lane | BULK_LANE
        return is_sparse

    def take_all(self) -> list[Parcel]:
        """Return all that waits, class by class, each flow in order."""
        return [parcel for each in self.classes for parcel in each.queue.take_all()]

    def put(self, parcel: Parcel, now: float) -> None:
        """Queue a parcel of one flow in the class that its lane says."""
        each = self.classes[parcel.lane >> 1]
        if not each.queue.octets:  # whoever wanted nothing for a while has nothing to make up for
            each.lent = max(each.lent, self._lent)
        each.queue.put(parcel, now)
        self._sweep_at = min(self._sweep_at, now + WAIT_MOST)
        while self.octets > ROOM:
            max(self.classes, key=lambda each: each.queue.octets).queue.drop_of_fattest()

    def turns(self, now: float) -> Iterator["Turn"]:
        """Yield whose turn it is, one after the other, until nothing waits or no leg takes more.

        Each turn is answered, by `Turn.took` or `Turn.refused`.
        """
        self._earn(now)
        barred: set[int] = set()
        is_lending = True
        while (chosen := self._choose(barred, is_lending=is_lending)) is not None:
            each, is_guaranteed = chosen
            flow = each.queue.next_flow(now)
            if flow is None:
                barred.add(each.index)
                continue
            turn = Turn(each, flow, now, is_guaranteed=is_guaranteed)
            yield turn
            if turn.is_last or each.aside >= ASIDE_MOST:
                barred.add(each.index)
            # The legs' queues serve an earlier class first. Were it lent something while a later
            # one whose turn it is has no room there, it would take that one's share as well.
            is_lending = is_lending and not turn.is_last
        for each in self.classes:
            each.queue.restore()
            each.aside = 0

    def get_timer(self) -> float:
        return self._sweep_at

    def handle_timer(self, now: float) -> None:
        """Drop what waited too long."""
        if now < self._sweep_at:
            return
        came_before = now - WAIT_MOST + SWEEP_EVERY
        oldest = min(each.queue.drop_older(came_before) for each in self.classes)
        self._sweep_at = max(oldest + WAIT_MOST, now + SWEEP_EVERY) if oldest < inf else inf

    def _earn(self, now: float) -> None:
        if len(self.classes) == 1:
            return
        seconds, self._earned_at = now - self._earned_at, now
        for each in self.classes:
            guarantee = each.share * self._capacity
            most = max(QUANTUM_LEAST, guarantee * SAVED_MOST)
            each.earned = min(most, each.earned + guarantee * seconds)

    def _choose(self, barred: set[int], *, is_lending: bool) -> tuple[QueuedClass, bool] | None:
        wanting = [each for each in self.classes if each.queue.octets and each.index not in barred]
        if not wanting:
            return None
        for each in wanting:
            if each.earned > 0:
                return each, True
        if not is_lending:
            return None
        least = min(wanting, key=lambda each: each.lent)
        self._lent = least.lent
        return least, False

    def _on_drop(self, number: int, count: int) -> None:
        self.drops[self.why] += count
        self._numbers.give_back(number, count)


class Turn:
    """A flow whose turn it is, and its first parcel, which waits for a leg."""

    __slots__ = ("_each", "_is_guaranteed", "_now", "flow", "is_last", "parcel")

    def __init__(self, each: QueuedClass, flow: Flow, now: float, *, is_guaranteed: bool) -> None:
        self.flow = flow
        self.parcel = flow.parcels[0][2]
        self.is_last = False
        self._each = each
        self._is_guaranteed = is_guaranteed
        self._now = now

    def took(self, rest: Parcel | None) -> None:
        """Note that legs were given all but `rest` of the parcel."""
        octets = self.parcel.octets - (rest.octets if rest else 0)
        self._each.queue.took(self.flow, self.parcel, rest, self._now)
        if self._is_guaranteed:
            self._each.earned -= octets
        else:
            self._each.lent += octets / self._each.share

    def refused(self, *, is_last: bool) -> None:
        """Note that no leg takes it now; nor anything else of its class, if it is the last."""
        self.is_last = is_last
        if not is_last:
            self._each.aside += 1
            self._each.queue.set_aside(self.flow)

"""From packets of the TUN device to runs on the legs: cut, queue, distribute, pace, repair.

TUN -> parcels -> class queues -> a leg's queue -> pacer -> run (behaviour 2.9). Packets wait in the
class queues when the legs' queues are full, or when no leg is eligible; else they pass them by.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from math import inf

from .bundles import unbundled
from .class_queues import WAIT_MOST, ClassQueues
from .classify import Classifier
from .collisions import Collisions
from .flow_queues import Flow
from .flows import FlowNumbers
from .guards import Use
from .leg_queue import QUEUE_LEAST, QUEUE_MOST, LegQueue
from .messages import FLAG_CLASS, FLAG_COPY, Type
from .parcels import BULK_LANE, Parcel
from .runs import Run
from .scheduler import EarliestArrival, Scheduler, WeightedRoundRobin, earliest, with_room
from .segments import Cutter
from .settings import BondSettings, Distribution, Qos
from .spill import Spill

# Small packets stay bundled while no leg has more waiting than this, in seconds.
BUNDLES_BELOW = 0.001


class Outbound:
    """The sending data path of a bond. `copies` counts datagrams beyond the first of each."""

    def __init__(
        self,
        settings: BondSettings,
        *,
        seed: int,
        has_vnet_header: bool,
        bundles: bool = True,
        now: float,
    ) -> None:
        self.inner_octets = 0
        self.copies = 0
        self._numbers = FlowNumbers(seed)
        self._has_vnet_header = has_vnet_header
        self._bundles = bundles
        self._compresses = False
        self._path_mtu = 1500
        self._delta = 0.0
        self._returned: deque[tuple[float, Parcel]] = deque()  # by legs that may not carry it
        self._fresh: deque[Parcel] = deque()  # of this turn, while nothing else waits
        self._legs: Sequence[LegQueue] = ()
        self._eligible: Sequence[LegQueue] = ()
        self._spill = Spill()
        self._collisions = Collisions()
        self._drops: Counter[str] = Counter()
        self._marked = 0
        self._scheduler: Scheduler
        self._qos = Qos(classes=())
        self._classifier: Classifier | None = None
        self._cutters: list[Cutter] = []
        self._waiting = ClassQueues((), self._numbers)
        self._take(settings, now)

    def reconfigure(self, settings: BondSettings, now: float) -> None:
        """Take distribution and QoS of new settings; what waits is queued anew."""
        self._take(settings, now)

    def set_compression(self, *, is_on: bool) -> None:
        """Compress what is read from now on, or no more."""
        self._compresses = is_on
        for cutter in self._cutters:
            cutter.set_compression(is_on=is_on)

    def set_path_mtu(self, path_mtu: int) -> None:
        """Take the smallest path MTU of the legs, in bytes of the outer packet."""
        self._path_mtu = path_mtu
        for cutter in self._cutters:
            cutter.set_path_mtu(path_mtu)

    def set_legs(
        self, legs: Sequence[LegQueue], eligible: Sequence[LegQueue], uses: dict[int, Use]
    ) -> None:
        """Take the legs, those that may carry data now, and what each of them may be given."""
        self._legs = legs
        self._eligible = eligible
        self._spill.set_legs(eligible, uses)
        self._waiting.why = "queue_full" if eligible else "no_leg"
        self._waiting.set_legs(eligible)
        for leg in legs:
            leg.bundle_most = self._cutters[0].bundle_most
            leg.set_classes(len(self._qos.classes))

    def set_delta(self, delta: float) -> None:
        """Take how much the delays of the eligible legs differ, in seconds."""
        self._delta = delta
        self._waiting.set_delta(delta)
        for leg in self._legs:
            leg.bound = min(QUEUE_MOST, max(QUEUE_LEAST, 2 * delta))

    def take_back(self, leg: LegQueue, now: float) -> None:
        """Distribute anew what waits for a leg that may not carry it any more."""
        self._returned.extendleft((now, parcel) for parcel in reversed(leg.take_back()))

    def receive_packets(self, reads: Iterable[bytes], now: float) -> None:
        """Take in what one turn read from the TUN device."""
        if self._classifier is None:
            parcels = self._cutters[0].cut(reads)
            self.inner_octets += sum(parcel.inner_octets for parcel in parcels)
            if not self._waiting.octets:
                self._fresh.extend(parcels)
            else:
                self._queue(parcels, now)
            return
        for index, of_class in self._classifier.sort(reads, now):
            parcels = self._cutters[index].cut(of_class)
            self.inner_octets += sum(parcel.inner_octets for parcel in parcels)
            for parcel in parcels:
                parcel.lane = 2 * index + BULK_LANE
                parcel.flags |= min(index, FLAG_CLASS)
            self._queue(parcels, now)

    def repair(self, lost: Iterable[Parcel], now: float) -> None:
        """Send again what was lost, over the leg of earliest arrival, before all but other repairs.

        Nothing repairs a repair: a leg that takes whole flows only, for its losses or its lateness,
        carries none while there is another.
        """
        legs = [leg for leg in self._spill.sound if leg.pacer.bps]
        legs = legs or [leg for leg in self._eligible if leg.pacer.bps]
        for parcel in reversed(list(lost)):  # each goes before the rest: the first one last
            if legs:
                best = min(legs, key=lambda leg: (leg.overtakes_at(parcel.octets, now), leg.id))
                best.enqueue_repair(parcel)

    def runs_to_send(self, now: float) -> list[Run]:
        """Return what may leave now, on all legs."""
        if self._returned:
            self._give_returned(now)
        if not self._returned:
            if self._fresh:
                self._give_fresh(now)
            if self._waiting.octets:
                self._give_waiting(now)
        if self._fresh:
            self._queue(self._fresh, now)
            self._fresh.clear()
        return [run for leg in self._legs for run in leg.runs_to_send(now)]

    def waiting_datagrams(self) -> float:
        """Return about how many full datagrams wait before the legs' queues."""
        returned = sum(parcel.octets for _, parcel in self._returned)
        return (self._waiting.octets + returned) / self._path_mtu

    def get_timer(self) -> float:
        """Return when something that waits may leave, or has waited too long."""
        first = min((leg.get_timer() for leg in self._legs), default=inf)
        first = min(first, self._waiting.get_timer())
        return min(first, self._returned[0][0] + WAIT_MOST) if self._returned else first

    def handle_timer(self, now: float) -> None:
        """Drop what waited too long."""
        self._waiting.handle_timer(now)
        while self._returned and self._returned[0][0] + WAIT_MOST <= now:
            self._drops[self._waiting.why] += self._returned.popleft()[1].count

    @property
    def drops(self) -> Counter[str]:
        """Datagrams dropped, under `queue_full` and `no_leg`."""
        return self._drops + self._waiting.drops

    @property
    def marked(self) -> int:
        """Datagrams that were marked "congestion experienced" instead of dropped."""
        return self._marked + self._waiting.marked

    # -- settings ---------------------------------------------------------------------------------

    def _take(self, settings: BondSettings, now: float) -> None:
        rule = settings.distribution
        is_round_robin = rule is Distribution.WEIGHTED_ROUND_ROBIN
        self._scheduler = WeightedRoundRobin() if is_round_robin else EarliestArrival()
        self._collisions.is_on = settings.flow_collision_detection and not is_round_robin
        if settings.qos != self._qos:
            self._take_qos(settings.qos, now)

    def _take_qos(self, qos: Qos, now: float) -> None:
        """Make the queues of a profile; what waits in the old ones goes to the new ones."""
        count = len(qos.classes)
        self._qos = qos
        self._has_copies = any(each.copies > 1 for each in qos.classes)
        self._classifier = (
            Classifier(qos, has_vnet_header=self._has_vnet_header) if count > 1 else None
        )
        self._cutters = [
            Cutter(
                self._numbers,
                has_vnet_header=self._has_vnet_header,
                bundles=self._bundles,
                index=index,
                classes=count,
            )
            for index in range(count)
        ]
        self.set_path_mtu(self._path_mtu)
        self.set_compression(is_on=self._compresses)
        old, self._waiting = self._waiting, ClassQueues(qos.classes, self._numbers)
        self._waiting.why = old.why
        self._drops += old.drops
        self._marked += old.marked
        for leg in self._legs:
            leg.set_classes(count)
        self.set_delta(self._delta)
        self._waiting.set_legs(self._eligible)
        waiting = old.take_all()
        for parcel in [*waiting, *(parcel for _, parcel in self._returned)]:
            parcel.lane = min(parcel.lane, 2 * count - 1) | BULK_LANE
            parcel.flags = parcel.flags & ~FLAG_CLASS | min(parcel.lane >> 1, FLAG_CLASS)
        self._queue(waiting, now)

    # -- giving parcels to legs -------------------------------------------------------------------

    def _queue(self, parcels: Iterable[Parcel], now: float) -> None:
        put = self._waiting.put
        for parcel in parcels:
            if parcel.kind is Type.BUNDLE:
                for single in unbundled(parcel):
                    put(single, now)
            else:
                put(parcel, now)

    def _give_returned(self, now: float) -> None:
        returned = self._returned
        while returned:
            came_at, parcel = returned[0]
            legs = self._legs_for(parcel, now)
            if not legs:
                return
            rest = self._give(parcel, self._waiting.flow(parcel, now), legs, now)
            if rest is None:
                returned.popleft()
            else:
                returned[0] = came_at, rest

    def _give_fresh(self, now: float) -> None:
        """Give legs what nothing else waits before; as far as they have room."""
        fresh, waiting = self._fresh, self._waiting
        while fresh:
            parcel = fresh[0]
            if parcel.kind is Type.BUNDLE and self._has_queue(now):
                fresh.popleft()
                fresh.extendleft(reversed(unbundled(parcel)))
                continue
            flow = waiting.flow(parcel, now)
            is_sparse = waiting.lay(parcel, flow, now)
            legs = self._legs_for(parcel, now)
            if not legs:
                return
            rest = self._give(parcel, flow, legs, now)
            if is_sparse:
                flow.credit -= parcel.octets
            if rest is None:
                fresh.popleft()
            else:
                fresh[0] = rest

    def _give_waiting(self, now: float) -> None:
        for turn in self._waiting.turns(now):
            legs = self._legs_for(turn.parcel, now)
            if legs:
                turn.took(self._give(turn.parcel, turn.flow, legs, now))
            else:
                turn.refused(is_last=not with_room(self._eligible, turn.parcel.lane, now))

    def _legs_for(self, parcel: Parcel, now: float) -> list[LegQueue]:
        """Return the legs that may take the parcel now."""
        spill = self._spill
        if self._has_copies and self._copies_of(parcel) > 1:
            return with_room(self._eligible, parcel.lane, now)
        spill.look(now)
        kept = spill.kept_on(parcel, now)
        legs = spill.legs_for(parcel, now) if kept is None else [kept]
        if self._collisions.is_on:
            self._collisions.look(spill.full, now)
            legs = self._collisions.legs_for(parcel.flow, legs, now)
        return with_room(legs, parcel.lane, now)

    def _give(self, parcel: Parcel, flow: Flow, legs: list[LegQueue], now: float) -> Parcel | None:
        """Give the first datagrams of the parcel to one of `legs`; return the rest."""
        leg, count = self._scheduler.choose(parcel, legs, now)
        first, rest = parcel.split(count)
        if self._has_copies and len(legs) > 1 and (copies := self._copies_of(parcel)) > 1:
            self._give_copies(first, flow, earliest(first, legs, copies, now))
            return rest
        leg.enqueue(first)
        if first.lane & BULK_LANE:
            flow.marks[leg] = leg.given
            if first.kind is Type.BUNDLE:
                leg.bundle_mark = leg.given
        self._spill.on_given(parcel, leg, now)
        if self._collisions.is_on:
            self._collisions.on_given(leg, parcel.flow, first.octets, now)
        return rest

    def _give_copies(self, parcel: Parcel, flow: Flow, legs: list[LegQueue]) -> None:
        """Behaviour 2.14: the same flow sequence on several legs; the far end takes the first."""
        for leg in legs:
            copy = parcel.part(0, parcel.count)
            copy.flags |= FLAG_COPY
            leg.enqueue(copy)
            if copy.lane & BULK_LANE:
                flow.marks[leg] = leg.given
        self.copies += (len(legs) - 1) * parcel.count

    def _copies_of(self, parcel: Parcel) -> int:
        return self._qos.classes[parcel.lane >> 1].copies

    def _has_queue(self, now: float) -> bool:
        return any(leg.wait(now) > BUNDLES_BELOW for leg in self._eligible if leg.pacer.bps)

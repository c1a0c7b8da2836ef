"""From packets of the TUN device to runs on the legs: cut, distribute, queue, pace, repair.

TUN -> parcels -> backlog -> a leg's queue -> pacer -> run (behaviour 2.9). The backlog is where
packets wait when every leg's queue is full, or when no leg is eligible.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from math import inf

from .flows import FlowNumbers
from .guards import Use
from .leg_queue import LegQueue
from .parcels import Parcel
from .runs import Run
from .scheduler import EarliestArrival, Scheduler, WeightedRoundRobin, with_room
from .segments import Cutter
from .settings import BondSettings, Distribution
from .spill import Spill

# A leg's queue holds twice the delta, within these; seconds of its speed (behaviour 2.9).
QUEUE_LEAST, QUEUE_MOST = 0.020, 0.100
WAIT_MOST = 0.200  # in the backlog, with every queue full or with no leg (behaviour 2.6, 2.9)
BACKLOG_ROOM = 8 * 2**20  # bytes


class Outbound:
    """The sending data path of a bond. `drops` counts datagrams under `queue_full` and `no_leg`."""

    def __init__(
        self, settings: BondSettings, *, seed: int, has_vnet_header: bool, bundles: bool = True
    ) -> None:
        self.drops: Counter[str] = Counter()
        self.inner_octets = 0
        self._cutter = Cutter(FlowNumbers(seed), has_vnet_header=has_vnet_header, bundles=bundles)
        self._backlog: deque[tuple[float, Parcel]] = deque()
        self._backlog_octets = 0
        self._queues: Sequence[LegQueue] = ()
        self._eligible: Sequence[LegQueue] = ()
        self._bound = QUEUE_LEAST
        self._spill = Spill()
        self._scheduler: Scheduler
        self.reconfigure(settings)

    def reconfigure(self, settings: BondSettings) -> None:
        """Take the distribution of new settings."""
        rule = settings.distribution
        self._scheduler = (
            WeightedRoundRobin() if rule is Distribution.WEIGHTED_ROUND_ROBIN else EarliestArrival()
        )

    def set_compression(self, *, is_on: bool) -> None:
        """Compress what is read from now on, or no more."""
        self._cutter.set_compression(is_on=is_on)

    def set_path_mtu(self, path_mtu: int) -> None:
        """Take the smallest path MTU of the legs, in bytes of the outer packet."""
        self._cutter.set_path_mtu(path_mtu)

    def set_legs(
        self, queues: Sequence[LegQueue], eligible: Sequence[LegQueue], uses: dict[int, Use]
    ) -> None:
        """Take the legs, those that may carry data now, and what each of them may be given."""
        self._queues = queues
        self._eligible = eligible
        self._spill.set_legs(eligible, uses)

    def set_delta(self, delta: float) -> None:
        """Take how much the delays of the eligible legs differ, in seconds."""
        self._bound = min(QUEUE_MOST, max(QUEUE_LEAST, 2 * delta))

    def take_back(self, queue: LegQueue, now: float) -> None:
        """Distribute anew what waits for a leg that may not carry it any more."""
        for parcel in reversed(queue.take_back()):
            self._backlog.appendleft((now, parcel))
            self._backlog_octets += parcel.octets

    def receive_packets(self, reads: Iterable[bytes], now: float) -> None:
        """Take in what one turn read from the TUN device."""
        for parcel in self._cutter.cut(reads):
            self._backlog.append((now, parcel))
            self._backlog_octets += parcel.octets
            self.inner_octets += parcel.inner_octets
        while self._backlog_octets > BACKLOG_ROOM:
            self._drop_oldest()

    def repair(self, lost: Iterable[Parcel], now: float) -> None:
        """Send again what was lost, over the leg of earliest arrival, before all that waits."""
        legs = [leg for leg in self._eligible if leg.pacer.bps]
        for parcel in lost:
            if legs:
                best = min(legs, key=lambda leg: (leg.pacer.free_at + leg.delay, leg.id))
                best.enqueue_repair(parcel)

    def runs_to_send(self, now: float) -> list[Run]:
        """Return what may leave now, on all legs."""
        if self._backlog:
            self._distribute(now)
        return [run for queue in self._queues for run in queue.runs_to_send(now)]

    def get_timer(self) -> float:
        """Return when something that waits may leave, or has waited too long."""
        first = min((queue.get_timer() for queue in self._queues), default=inf)
        return min(first, self._backlog[0][0] + WAIT_MOST) if self._backlog else first

    def handle_timer(self, now: float) -> None:
        """Drop what waited too long."""
        while self._backlog and self._backlog[0][0] + WAIT_MOST <= now:
            self._drop_oldest()

    def _distribute(self, now: float) -> None:
        backlog, choose = self._backlog, self._scheduler.choose
        spill = self._spill
        while backlog:
            spill.look(now)
            came_at, parcel = backlog[0]
            kept = spill.kept_on(parcel, now)
            if kept is not None:
                self._give_kept(kept, now)
                continue
            legs = with_room(spill.legs_for(parcel, now), self._bound, now)
            if not legs:
                return
            leg, count = choose(parcel, legs, now)
            first, rest = parcel.split(count)
            leg.enqueue(first)
            spill.on_given(parcel, leg, now)
            self._backlog_octets -= first.octets
            if rest is None:
                backlog.popleft()
            else:
                backlog[0] = (came_at, rest)

    def _give_kept(self, leg: LegQueue, now: float) -> None:
        """Queue the next parcel on the one leg that its flow stays on; too long a queue drops it,
        so that it does not keep the parcels behind it waiting.
        """
        if leg.wait(now) > QUEUE_MOST:
            self._drop_oldest()
            return
        _, parcel = self._backlog.popleft()
        self._backlog_octets -= parcel.octets
        leg.enqueue(parcel)

    def _drop_oldest(self) -> None:
        _, parcel = self._backlog.popleft()
        self._backlog_octets -= parcel.octets
        self.drops["queue_full" if self._eligible else "no_leg"] += parcel.count

"""A speed test under way at one end: which packets are its own, which way they go, what is counted.

Behaviour 4.1. A test's packets are those between the two nodes' own tunnel addresses.

    leg test    they go over that leg alone, without pacing (but for the test's own limit), without
                compression, without order, and are not repaired; customers' packets use the others
    bond test   they go as in service, or as a trial of other settings says; customers' packets are
                dropped

Both ends are told; neither waits for the other. A test ends by itself at `until`, so that nobody is
left without service when its owner is gone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import NamedTuple

from .flows import UNORDERED, FlowNumbers
from .inbound import Inbound
from .leg_queue import LegQueue
from .pacer import CATCH_UP
from .packets import VNET_SIZE
from .segments import Cutter
from .settings import BondSettings, Distribution

# The speed of a leg whose traffic is not paced, in bit/s: more than any interface has.
UNPACED = 1e11
# How much lost time a test's own limit makes up for: 1 % of a second (behaviour 4.3 allows 2).
CATCH_UP_LIMITED = 0.010
# A socket that takes no more, or a limit, must not make the queue grow for ever.
QUEUE_MOST_OCTETS = 512 * 1024
_ADDRESSES = 12  # in an IPv4 header: source, then destination


class LegSpeeds(NamedTuple):
    """Of one leg, in bit/s, seen from this end."""

    send_bps: float
    receive_bps: float


@dataclass(frozen=True, slots=True)
class Tried:
    """What is in force in place of the settings while a bond test runs; `speeds` by leg."""

    distribution: Distribution
    speeds: Mapping[int, LegSpeeds]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """leg_id: None tests the bond. near, far: our and the peer's tunnel address, 4 bytes each.
    limit_bps: of a leg test, outer IP packets; None: no limit. until: when it ends at the latest.
    tried: None keeps the settings.
    """

    test_id: int
    leg_id: int | None
    near: bytes
    far: bytes
    limit_bps: float | None
    until: float
    tried: Tried | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReading:
    """What a test has counted since its beginning; of a bond test the sum over all legs.

    Octets and datagrams are those of outer IP packets of data: probes are ours. `queue`: datagrams
    that waited to be sent, times the seconds for which they did. `rtt_sum`, `rtt_squares`: of the
    round trips of probes, in seconds; in a bond test all legs' probes count alike.
    """

    sent_octets: float = 0
    sent_datagrams: float = 0
    received_octets: float = 0
    received_datagrams: float = 0
    queue: float = 0
    rtt_count: float = 0
    rtt_sum: float = 0
    rtt_squares: float = 0

    def since(self, earlier: "TrialReading") -> "TrialReading":
        """Return what came on top; a leg that went away meanwhile makes it no less than nothing."""
        names = [field.name for field in fields(self)]
        return TrialReading(**{n: max(0, getattr(self, n) - getattr(earlier, n)) for n in names})


class Trials:
    """The speed tests of one end, one at a time. `queues` and `inbounds` are the bond's, by leg.

    `dropped` counts what was not sent because of tests: customers' packets in bond tests, and the
    tests' own where there was no room.
    """

    def __init__(
        self,
        queues: Mapping[int, LegQueue],
        inbounds: Mapping[int, Inbound],
        *,
        has_vnet_header: bool,
    ) -> None:
        self.dropped = 0
        self._queues = queues
        self._inbounds = inbounds
        self._has_vnet_header = has_vnet_header
        self._version_at = VNET_SIZE if has_vnet_header else 0
        begin = self._version_at + _ADDRESSES
        self._addresses = slice(begin, begin + 8)
        self._plan: TrialPlan | None = None
        self._between = b""
        self._cutter = Cutter(FlowNumbers(0), has_vnet_header=has_vnet_header)
        self._queue = 0.0
        self._queue_read_at = 0.0
        self._base = TrialReading()

    # -- what happened ----------------------------------------------------------------------------

    def begin(self, plan: TrialPlan, *, path_mtu: int, now: float) -> None:
        """Begin a test; one that runs ends. Raises ValueError for a leg that is not there."""
        self.end(now)
        if plan.leg_id is not None and plan.leg_id not in self._queues:
            raise ValueError(f"leg {plan.leg_id} is not in the settings")
        self._plan = plan
        self._between = plan.near + plan.far
        # Flow numbers of its own: they mean nothing, and customers' flows go on undisturbed.
        self._cutter = Cutter(FlowNumbers(0), has_vnet_header=self._has_vnet_header, bundles=False)
        self._cutter.set_path_mtu(path_mtu)
        self._queue, self._queue_read_at = 0.0, now
        self._base = self._counted()
        self.legs_changed(now)

    def end(self, now: float) -> None:
        """Give back what the test had, if one runs."""
        plan, self._plan = self._plan, None
        for queue in self._queues.values() if plan else ():
            queue.end.on_test(under_test=False, measured=False, now=now)
            queue.in_service = True
            queue.pacer.catch_up = CATCH_UP
            if plan and plan.leg_id == queue.id:
                queue.take_back()  # the test's own: nobody waits for it

    def legs_changed(self, now: float) -> None:
        """Take the legs as they are now; a test whose leg is gone is over."""
        plan = self._plan
        if plan is None:
            return
        if plan.leg_id is not None and plan.leg_id not in self._queues:
            self._plan = None
            return
        for queue in self._tested():
            alone = plan.leg_id is not None
            queue.in_service = not alone
            queue.end.on_test(under_test=alone, measured=True, now=now)

    def take(self, reads: Iterable[bytes]) -> Iterable[bytes]:
        """Take in what one turn read from the TUN device; return what goes the usual way."""
        plan = self._plan
        if plan is None:
            return reads
        own: list[bytes] = []
        others: list[bytes] = []
        for read in reads:
            (own if self._is_own(read) else others).append(read)
        if plan.leg_id is None:
            self.dropped += len(others)
            return own
        queue = self._queues[plan.leg_id]
        for parcel in self._cutter.cut(own):
            if queue.queued_octets > QUEUE_MOST_OCTETS:
                self.dropped += parcel.count
            else:
                parcel.flow = UNORDERED
                queue.enqueue(parcel)
        return others

    def look(self, waiting: Callable[[], float], now: float) -> None:
        """Pace the leg of a leg test by the test's own limit; note what waits now.

        waiting: says how many datagrams wait before the legs' queues.
        """
        plan = self._plan
        if plan is None:
            return
        queued: float = sum(queue.queued_datagrams() for queue in self._tested())
        if plan.leg_id is None:
            queued += waiting()
        else:
            pacer = self._queues[plan.leg_id].pacer
            pacer.bps = plan.limit_bps or UNPACED
            pacer.catch_up = CATCH_UP_LIMITED
        self._queue += queued * (now - self._queue_read_at)
        self._queue_read_at = now

    # -- what is known ----------------------------------------------------------------------------

    def in_force(self, settings: BondSettings) -> BondSettings:
        """Return the settings as they are, or as the test that runs tries them."""
        tried = self._plan.tried if self._plan else None
        if tried is None:
            return settings
        legs = tuple(
            replace(leg, send_bps=found.send_bps, receive_bps=found.receive_bps)
            if (found := tried.speeds.get(leg.id))
            else leg
            for leg in settings.legs
        )
        return replace(settings, distribution=tried.distribution, legs=legs)

    def get_timer(self) -> float:
        return self._plan.until if self._plan else inf

    def reading(self, waiting: Callable[[], float], now: float) -> tuple[int, TrialReading] | None:
        """Return the number of the test that runs, and what it has counted."""
        if self._plan is None:
            return None
        self.look(waiting, now)
        return self._plan.test_id, self._counted().since(self._base)

    def _counted(self) -> TrialReading:
        legs = self._tested()
        inbounds = [self._inbounds[queue.id] for queue in legs]
        probers = [queue.end.dialogue.prober for queue in legs]
        return TrialReading(
            sent_octets=sum(queue.octets - queue.control_octets for queue in legs),
            sent_datagrams=sum(queue.datagrams - queue.control for queue in legs),
            received_octets=sum(one.octets - one.control_octets for one in inbounds),
            received_datagrams=sum(inbound.datagrams for inbound in inbounds),
            queue=self._queue,
            rtt_count=sum(prober.rtts for prober in probers),
            rtt_sum=sum(prober.rtt_sum for prober in probers),
            rtt_squares=sum(prober.rtt_square_sum for prober in probers),
        )

    def _tested(self) -> list[LegQueue]:
        leg_id = self._plan.leg_id if self._plan else None
        return [queue for queue in self._queues.values() if leg_id in (None, queue.id)]

    def _is_own(self, read: bytes) -> bool:
        at = self._version_at
        return len(read) > at and read[at] >> 4 == 4 and read[self._addresses] == self._between

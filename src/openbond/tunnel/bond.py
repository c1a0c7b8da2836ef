"""One bond at one end: everything behind a few verbs, in batches.

    receive_packets      what one turn read from the TUN device
    receive_datagrams    what one read of a leg's socket gave
    handle_timer         time has passed
    packets_to_write     for the TUN device
    runs_to_send         for the legs' sockets
    next_event           for the owner
    get_timer            when to call again at the latest

The owner calls them in turns: receive, handle_timer, write, send, events, wait. It does no I/O and
reads no clock: `now` is seconds, monotonic, and never goes back.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from math import inf

from .cookies import Address
from .counters import DROPPED
from .delays import relative_delays
from .events import Event, InnerMtuChanged, PathMtuFound
from .guards import Guards, LegFacts, Use
from .inbound import Inbound
from .join import Joiner, Write
from .late import LateMeter
from .leg_end import LegEnd
from .leg_queue import LegQueue
from .legs import Legs
from .messages import COMPRESSION_DEFLATE, OUTER_IPV4, OVERHEAD_PLAIN, OVERHEAD_TAGGED
from .noise import Entropy
from .outbound import Outbound
from .reorder import HOLD_LEAST, Order
from .repair import ROOM, Outbox
from .runs import Run
from .settings import BondSettings, Distribution, LinkMode, Security
from .speed_test import TrialPlan, TrialReading, Trials
from .status import BondReport, LegReport, leg_report

# How often, while packets move, the legs are asked for control messages; how often eligibility is
# looked at, with and without packets; and how often the delays.
ATTEND_EVERY = 0.002
ATTEND_MOST = 4  # times a turn: what one leg says can make another speak
LOOK_EVERY = 0.010
LOOK_IDLE = 0.250
DELAYS_EVERY = 1.0
# Distance between the flow numbers of two starts that follow each other: far apart.
SEED_STEP = 25033


class Bond:
    """One end of a bond. Read by the owner: `settings` as last given, `inner_mtu` in bytes.

    has_vnet_header, joins_udp: what the TUN device can (segments.Cutter, join.Joiner). bundles:
    small packets may travel together. `epoch` rises with each start of the program, for ever
    (behaviour 2.4); `entropy(n)` gives n random bytes.
    """

    def __init__(
        self,
        settings: BondSettings,
        *,
        epoch: int,
        now: float,
        entropy: Entropy,
        has_vnet_header: bool = True,
        joins_udp: bool = True,
        bundles: bool = True,
    ) -> None:
        self.settings = settings
        self._in_force = settings  # but for what a speed test tries
        self.inner_mtu = 0
        self._legs = Legs(settings, epoch=epoch, now=now, entropy=entropy)
        self._order = Order()
        self._joiner = Joiner(has_vnet_header=has_vnet_header, joins_udp=joins_udp)
        self._outbound = Outbound(
            settings,
            seed=epoch * SEED_STEP,
            has_vnet_header=has_vnet_header,
            bundles=bundles,
            now=now,
        )
        self._queues: dict[int, LegQueue] = {}
        self._inbounds: dict[int, Inbound] = {}
        self._late_meters: dict[int, LateMeter] = {}
        self._eligible: list[LegQueue] = []
        self._nearest: list[LegEnd] = []  # of the eligible ones, by delay
        self._guards = Guards()
        self._trials = Trials(self._queues, self._inbounds, has_vnet_header=has_vnet_header)
        self._events: deque[Event] = deque()
        self._attend_at = now
        self._look_at = now
        self._delays_at = now
        self._is_busy = False  # packets moved since the last look
        self._received_octets = 0
        self._take_legs(now)

    # -- what happened ----------------------------------------------------------------------------

    def receive_packets(self, reads: Iterable[bytes], now: float) -> None:
        """Take in packets or super-packets from the TUN device."""
        self._be_busy(now)
        self._outbound.receive_packets(self._trials.take(reads), now)

    def receive_datagrams(
        self, leg_id: int, octets: bytes, size: int, source: Address, now: float
    ) -> None:
        """Take in what one read of a leg's socket gave: datagrams of `size`, the last may be
        shorter. Those of a leg that is not ours any more are dropped.
        """
        inbound = self._inbounds.get(leg_id)
        if inbound is None:
            return
        self._be_busy(now)
        if inbound.receive(octets, size, source, now):
            self._attend_at = now
            self._repair_from_hearings(now)

    def on_leg_ready(self, leg_id: int, address: Address | None, now: float) -> None:
        """Carrier, address and route are there; `address` is the aggregator's, at a bonder."""
        if end := self._legs.ends.get(leg_id):
            end.on_ready(address, now)
            self._attend_at = self._look_at = now

    def on_leg_lost(self, leg_id: int, now: float) -> None:
        """A send failed, or carrier, address, PPP or modem is gone."""
        if end := self._legs.ends.get(leg_id):
            end.on_lost(now)
            self._attend_at = self._look_at = now

    def on_leg_blocked(self, leg_id: int, *, is_blocked: bool) -> None:
        """The leg's socket takes nothing more for now, or takes again."""
        if queue := self._queues.get(leg_id):
            queue.is_blocked = is_blocked

    def detect_path_mtu(self, leg_ids: Iterable[int], now: float) -> None:
        """Measure the path MTU of these legs now; of all active ones if none is named."""
        active = {leg.id for leg in self.settings.legs if leg.mode is LinkMode.ACTIVE}
        wanted = set(leg_ids) or active
        for leg_id, end in self._legs.ends.items():
            if leg_id in wanted:
                end.detect_path_mtu(now)
        self._attend_at = now

    def begin_test(self, plan: TrialPlan, now: float) -> None:
        """Begin a speed test at this end. Raises ValueError for a leg that is not there."""
        self._trials.begin(plan, path_mtu=self._path_mtu(), now=now)
        self._take_trial(now)
        self._attend_at = now
        self._look(now)

    def end_test(self, now: float) -> None:
        """End the speed test, if one runs: its leg returns to the bond."""
        self._trials.end(now)
        self._take_trial(now)
        self._attend_at = self._look_at = now

    def test_reading(self, now: float) -> tuple[int, TrialReading] | None:
        """Return the test that runs, and what it has counted."""
        return self._trials.reading(self._outbound.waiting_datagrams, now)

    def reconfigure(self, settings: BondSettings, now: float) -> None:
        """Take new settings; what is under way stays under way.

        Raises ValueError for unusable keys, and then changes nothing.
        """
        in_force = self._trials.in_force(settings)
        self._legs.reconfigure(in_force, now)
        self.settings, self._in_force = settings, in_force
        self._outbound.reconfigure(in_force, now)
        self._take_legs(now)
        self._attend_at = now

    def handle_timer(self, now: float) -> None:
        """Do what is due: the legs' own timers, delays, eligibility, holds, waits."""
        if self._attend_at <= now:
            for end in self._legs.ends.values():
                end.handle_timer(now)
        if self._delays_at <= now:
            self._renew_delays(now)
            self._renew_late_shares()
            self._judge(now)
        if self._look_at <= now:
            self._look(now)
        if self._trials.get_timer() <= now:
            self.end_test(now)
        self._order.handle_timer(now)
        self._outbound.handle_timer(now)

    # -- what to do -------------------------------------------------------------------------------

    def packets_to_write(self) -> list[Write]:
        """Return what may be handed on now: the buffers of one writev for each packet."""
        items = self._order.take_ready()
        if not items:
            return []
        writes = self._joiner.writes(items)
        self._received_octets += sum(map(len, chain.from_iterable(writes)))
        return writes

    def runs_to_send(self, now: float) -> list[Run]:
        """Return what is to be sent now, control messages first: they skip the queues."""
        runs: list[Run] = []
        for _ in range(ATTEND_MOST):
            if self._attend_at > now:
                break
            runs += self._control_to_send(now)
        return runs + self._outbound.runs_to_send(now)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float:
        """Return when `handle_timer` or `runs_to_send` next have something to do."""
        own = min(self._attend_at, self._look_at, self._delays_at, self._trials.get_timer())
        return min(own, self._order.get_timer(), self._outbound.get_timer())

    def report(self) -> BondReport:
        """Return what is known now, for reports and for the operator."""
        return BondReport(
            inner_mtu=self.inner_mtu,
            legs=tuple(self._leg_report(leg_id) for leg_id in self._legs.ends),
            counters={
                "inner_sent_octets": self._outbound.inner_octets,
                "inner_received_octets": self._received_octets,
                "held": self._order.held,
                "duplicates": self._order.duplicates,
                "copies": self._outbound.copies,
                "ecn_marked": self._outbound.marked,
                DROPPED + "malformed": self._joiner.malformed,
                DROPPED + "test": self._trials.dropped,
                **{DROPPED + why: count for why, count in self._outbound.drops.items()},
            },
        )

    # -- legs -------------------------------------------------------------------------------------

    def _take_trial(self, now: float) -> None:
        """Act on what a speed test tries, or on the settings again when it is over."""
        if self._trials.in_force(self.settings) != self._in_force:
            self.reconfigure(self.settings, now)

    def _take_legs(self, now: float) -> None:
        """Make, keep or forget what belongs to a leg, as the settings say."""
        speeds = {leg.id: leg.send_bps for leg in self._in_force.legs}
        room = ROOM // max(1, len(speeds))
        for leg_id, end in self._legs.ends.items():
            if leg_id not in self._queues:
                outbox = Outbox(keep=self.settings.reorder_max_hold, room=room)
                self._queues[leg_id] = LegQueue(end, bps=speeds[leg_id], outbox=outbox)
                self._inbounds[leg_id] = Inbound(end, self._order)
                self._late_meters[leg_id] = LateMeter()
            queue = self._queues[leg_id]
            queue.outbox.set_limits(keep=self.settings.reorder_max_hold, room=room)
            queue.pacer.bps = speeds[leg_id]
        for leg_id in self._queues.keys() - self._legs.ends.keys():
            self._outbound.take_back(self._queues.pop(leg_id), now)
            del self._inbounds[leg_id], self._late_meters[leg_id]
        self._trials.legs_changed(now)
        self._renew_delays(now)
        self._look(now)
        self._judge(now)
        self._renew_inner_mtu()

    def _be_busy(self, now: float) -> None:
        """Packets move: reports and suspicion cannot wait for the timers of an idle bond."""
        if not self._is_busy:
            self._is_busy = True
            self._attend_at = min(self._attend_at, now + ATTEND_EVERY)
            self._look_at = min(self._look_at, now + LOOK_EVERY)

    def _look(self, now: float) -> None:
        """See which legs may carry data now; save what a leg that may not any more was given."""
        self._look_at = now + (LOOK_EVERY if self._is_busy else LOOK_IDLE)
        self._is_busy = False
        for queue in self._queues.values():
            queue.pacer.bps = queue.end.speed_in_force * (1 - self.settings.qos.margin)
        self._trials.look(self._outbound.waiting_datagrams, now)
        before = self._eligible
        self._eligible = [self._queues[end.id] for end in self._legs.eligible(now)]
        if self._eligible == before:
            return
        self._judge(now)
        for queue in before:
            if queue not in self._eligible:
                self._outbound.take_back(queue, now)
                self._outbound.repair(queue.outbox.unheard(now), now)
        self._renew_delays(now)

    def _judge(self, now: float) -> None:
        """Say which of the eligible legs are full legs; round robin knows no others."""
        uses: dict[int, Use] = {}
        if self._in_force.distribution is Distribution.IDMPQ:
            uses = self._guards.judge([_facts(queue, now) for queue in self._eligible], now)
        self._outbound.set_legs(list(self._queues.values()), self._eligible, uses)
        keypairs = [queue.end.keypair for queue in self._eligible]
        expands = all(k.agreement.compression & COMPRESSION_DEFLATE for k in keypairs if k)
        self._outbound.set_compression(is_on=self.settings.compression and expands)

    def _renew_delays(self, now: float) -> None:
        """Take the delays of both directions: for distribution, and for the hold in force."""
        self._delays_at = now + DELAYS_EVERY
        queues = self._eligible or list(self._queues.values())
        ends = [queue.end for queue in queues]
        for queue, delay in zip(queues, relative_delays(e.send_delay for e in ends), strict=True):
            queue.delay = delay
        self._nearest = [q.end for q in sorted(self._eligible, key=lambda q: (q.delay, q.id))]
        delta = max((queue.delay for queue in queues), default=0.0)
        self._outbound.set_delta(delta)
        receive_delta = max(relative_delays(end.receive_delay for end in ends), default=0.0)
        jitter = max((end.jitter for end in ends), default=0.0)
        hold = min(self.settings.reorder_max_hold, max(HOLD_LEAST, 2 * receive_delta + jitter))
        rtt = min((end.smoothed_rtt or 0.0 for end in ends), default=0.0)
        self._order.set_hold(
            hold if len(ends) > 1 else 0.0,
            live=[end.id for end in ends],
            waits_for_repair=rtt < hold,
        )

    def _control_to_send(self, now: float) -> list[Run]:
        """Ask each leg what it has to say, and when to ask again."""
        runs: list[Run] = []
        ends = self._legs.ends
        for leg_id, end in ends.items():
            for datagram, address in end.datagrams_to_send(now):
                runs.append(Run.of_one(leg_id, address, datagram))
                self._queues[leg_id].charge(len(datagram), now)
            self._take_events(end, now)
        for end, datagram, address in self._legs.reports_again(self._nearest):
            runs.append(Run.of_one(end.id, address, datagram))
            self._queues[end.id].charge(len(datagram), now)
        if self._look_at <= now:
            self._look(now)
        self._attend_at = min((end.get_timer() for end in ends.values()), default=inf)
        if self._is_busy:
            self._attend_at = min(self._attend_at, now + ATTEND_EVERY)
        return runs

    def _renew_late_shares(self) -> None:
        """Once a second: the next echoes tell the peer what of its sending came too late."""
        for leg_id, meter in self._late_meters.items():
            share = meter.sample(self._order.late[leg_id], self._inbounds[leg_id].datagrams)
            self._legs.ends[leg_id].dialogue.late_share = share

    def _repair_from_hearings(self, now: float) -> None:
        for leg_id, end in self._legs.ends.items():
            for hearing in end.hearings_to_take():
                self._outbound.repair(self._queues[leg_id].outbox.lost(hearing, now), now)

    def _take_events(self, end: LegEnd, now: float) -> None:
        while event := end.next_event():
            self._events.append(event)
            self._look_at = now
            if isinstance(event, PathMtuFound):
                self._renew_inner_mtu()

    def _renew_inner_mtu(self) -> None:
        """Behaviour 2.12: the smallest path MTU of the active legs, less the overhead."""
        modes = [self.settings.security]
        modes += [end.keypair.security for end in self._legs.ends.values() if end.keypair]
        is_plain = max(modes) is Security.NONE
        overhead = OUTER_IPV4 + (OVERHEAD_PLAIN if is_plain else OVERHEAD_TAGGED)
        if (path_mtu := self._path_mtu()) - overhead != self.inner_mtu:
            self.inner_mtu = path_mtu - overhead
            self._outbound.set_path_mtu(path_mtu)
            self._events.append(InnerMtuChanged(self.inner_mtu))

    def _path_mtu(self) -> int:  # the smallest of the active legs
        active = [leg.id for leg in self.settings.legs if leg.mode is LinkMode.ACTIVE]
        return min((self._legs.ends[leg_id].path_mtu for leg_id in active), default=1500)

    def _leg_report(self, leg_id: int) -> LegReport:
        queue, inbound = self._queues[leg_id], self._inbounds[leg_id]
        reason = self._guards.words(leg_id) if queue in self._eligible else ""
        return leg_report(queue, inbound, late=self._order.late[leg_id], spill_reason=reason)


def _facts(queue: LegQueue, now: float) -> LegFacts:
    end = queue.end
    facts = LegFacts(
        leg_id=queue.id,
        bps=queue.pacer.bps,
        rtt=end.smoothed_rtt,
        delay=queue.delay,
        loss=end.send_loss,
        late=end.dialogue.peer_late_share,
        sent=queue.datagrams,
    )
    if end.adaptation.excuses(is_bad=facts.is_bad, now=now):
        return replace(facts, rtt=end.adaptation.least_rtt(now), delay=0.0, loss=None, late=None)
    return facts

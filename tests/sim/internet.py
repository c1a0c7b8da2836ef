"""Two Bond cores over a simulated internet, in virtual time: no sockets, no sleeping.

    site Bond ── Line 1 ── far Bond
              ── Line 2 ──

A line has, in each direction, a rate with a queue like a modem's, delay, jitter, loss, reordering,
and may be cut. All dice are seeded: the same inputs give the same outputs.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from openbond.tunnel.bond import Bond
from openbond.tunnel.events import Event
from openbond.tunnel.messages import OUTER_IPV4
from openbond.tunnel.packets import VNET_SIZE
from openbond.tunnel.settings import (
    BondSettings,
    Cipher,
    Distribution,
    LegSettings,
    LinkMode,
    Role,
    Security,
)
from tests.tunnel.keys import AGGREGATOR_PRIVATE, BONDER_PRIVATE, SECRET, public_of
from tests.tunnel.pair import DATA

SITE, FAR = Role.BONDER, Role.AGGREGATOR
OTHER = {SITE: FAR, FAR: SITE}
# How late a real program's timers are, at most.
LATENESS = 0.0005


@dataclass
class Line:
    """One line; speeds in Mbit/s of outer IP packets, the same both ways. None: no limit."""

    mbps: float | None = None
    delay: float = 0.010
    jitter: float = 0.0
    loss: float = 0.0
    reordered: float = 0.0  # share of datagrams that are overtaken
    queue: float = 0.100  # seconds of its rate that wait at most
    cut_ways: set[Role] = field(default_factory=set)  # sending ends whose direction is dead
    free_at: dict[Role, float] = field(default_factory=dict)
    last_at: dict[Role, float] = field(default_factory=dict)

    def cut(self) -> None:
        self.cut_ways = {SITE, FAR}

    def mend(self) -> None:
        self.cut_ways = set()


def leg_settings(
    leg_id: int, mbps: float = 100.0, *, failover: bool = False, mode: LinkMode = LinkMode.ACTIVE
) -> LegSettings:
    return LegSettings(
        id=leg_id, mode=mode, failover=failover, send_bps=mbps * 1e6, receive_bps=mbps * 1e6
    )


def bond_settings(
    role: Role,
    *legs: LegSettings,
    security: Security = Security.ENCRYPTION,
    distribution: Distribution = Distribution.IDMPQ,
    reorder_max_hold: float = 0.150,
    handshake_interval: float = 3600.0,
    compression: bool = False,
) -> BondSettings:
    ours, theirs = BONDER_PRIVATE, AGGREGATOR_PRIVATE
    if role is FAR:
        ours, theirs = theirs, ours
    return BondSettings(
        id=7,
        role=role,
        private_key=ours,
        peer_public_key=public_of(theirs),
        secret=SECRET,
        security=security,
        cipher=Cipher.AES256,
        distribution=distribution,
        reorder_max_hold=reorder_max_hold,
        handshake_interval=handshake_interval,
        compression=compression,
        legs=legs,
    )


@dataclass(order=True)
class Arrival:
    at: float
    order: int
    role: Role = field(compare=False)
    leg_id: int = field(compare=False)
    datagram: bytes = field(compare=False)


class Internet:
    """`delivered` are the inner packets that came out at each end, with the time."""

    def __init__(
        self,
        lines: dict[int, Line],
        *,
        settings: Callable[..., BondSettings] = bond_settings,
        seed: int = 1,
    ) -> None:
        legs = [leg_settings(leg_id, line.mbps or 10_000.0) for leg_id, line in lines.items()]
        self.now = 100.0
        self.lines = lines
        self.dice = Random(seed)
        self.events: dict[Role, list[Event]] = {SITE: [], FAR: []}
        self.delivered: dict[Role, list[tuple[float, bytes]]] = {SITE: [], FAR: []}
        self.carried: Counter[tuple[Role, int]] = Counter()  # sending end, leg: outer octets
        self.data: Counter[tuple[Role, int]] = Counter()  # the same, of customers' packets only
        self._arrivals: list[Arrival] = []
        self._order = count()
        self._to_send: dict[Role, list[tuple[float, int, bytes]]] = {SITE: [], FAR: []}
        self.bonds = {role: self._bond(role, settings(role, *legs)) for role in (SITE, FAR)}
        for leg_id in lines:
            self.bonds[SITE].on_leg_ready(leg_id, ("192.0.2.9", 2000 + leg_id), self.now)
            self.bonds[FAR].on_leg_ready(leg_id, None, self.now)

    def restart(self, role: Role, *, epoch: int) -> None:
        """Kill one end and start it again: all it knew is gone."""
        settings = self.bonds[role].settings
        self.bonds[role] = self._bond(role, settings, epoch=epoch)
        for leg_id in self.lines:
            address = ("192.0.2.9", 2000 + leg_id) if role is SITE else None
            self.bonds[role].on_leg_ready(leg_id, address, self.now)

    def send(self, role: Role, packet: bytes, *, at: float | None = None) -> None:
        """Have a customer's packet (or super-packet) read from the TUN device of one end."""
        moment = self.now if at is None else at
        heapq.heappush(self._to_send[role], (moment, next(self._order), packet))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            self._turn(SITE)
            self._turn(FAR)
            self.now = max(self.now, min(self._next_moment(), end))
            if self.now >= end:
                return

    def packets(self, role: Role, since: float = 0.0) -> list[bytes]:
        """Return the inner packets that came out at an end."""
        return [packet for at, packet in self.delivered[role] if at >= since]

    def _bond(self, role: Role, settings: BondSettings, epoch: int = 1) -> Bond:
        return Bond(settings, epoch=epoch, now=self.now, entropy=self.dice.randbytes)

    def _turn(self, role: Role) -> None:
        bond, waiting = self.bonds[role], self._to_send[role]
        while self._arrivals and self._arrivals[0].at <= self.now:
            arrival = heapq.heappop(self._arrivals)
            source = (f"198.51.100.{arrival.leg_id}", 4000)
            self.bonds[arrival.role].receive_datagrams(
                arrival.leg_id, arrival.datagram, len(arrival.datagram), source, self.now
            )
        reads = []
        while waiting and waiting[0][0] <= self.now:
            reads.append(heapq.heappop(waiting)[2])
        if reads:
            bond.receive_packets(reads, self.now)
        self._do_what_is_due(role)
        if bond.get_timer() <= self.now:
            # A leg that left in sending shortened the hold, and what is held is overdue at once.
            self._do_what_is_due(role)
        while event := bond.next_event():
            self.events[role].append(event)
        assert bond.get_timer() > self.now, "a timer points into the past"

    def _do_what_is_due(self, role: Role) -> None:
        bond = self.bonds[role]
        bond.handle_timer(self.now)
        for write in bond.packets_to_write():
            self.delivered[role].append((self.now, b"".join(write)))
        for run in bond.runs_to_send(self.now):
            for datagram in run.datagrams():
                self._carry(role, run.leg_id, datagram)

    def _carry(self, role: Role, leg_id: int, datagram: bytes) -> None:
        line, size = self.lines[leg_id], len(datagram) + OUTER_IPV4
        self.carried[role, leg_id] += size
        if datagram[0] in DATA:
            self.data[role, leg_id] += size
        if role in line.cut_ways or self.dice.random() < line.loss:
            return
        free_at = max(line.free_at.get(role, 0.0), self.now)
        if line.mbps is not None:
            if free_at - self.now > line.queue:
                return
            free_at += size * 8 / (line.mbps * 1e6)
            line.free_at[role] = free_at
        # Delay wanders, yet nothing overtakes, as on a real line; `reordered` is for what does.
        at = free_at + line.delay + self.dice.random() * line.jitter
        at = line.last_at[role] = max(at, line.last_at.get(role, 0.0))
        if self.dice.random() < line.reordered:
            at += 0.003
        arrival = Arrival(at, next(self._order), OTHER[role], leg_id, datagram)
        heapq.heappush(self._arrivals, arrival)

    def _next_moment(self) -> float:
        late = LATENESS * self.dice.random()
        moments = [bond.get_timer() + late for bond in self.bonds.values()]
        moments += [waiting[0][0] for waiting in self._to_send.values() if waiting]
        if self._arrivals:
            moments.append(self._arrivals[0].at)
        return min(moments)


def inner(write: bytes) -> bytes:
    """Return the packet in what was written to a TUN device."""
    return write[VNET_SIZE:]

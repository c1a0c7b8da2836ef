"""Both ends of a bond and the lines between them, in virtual time: no sockets, no sleeping.

    bonder Legs  ── Line 1 ──  aggregator Legs
                 ── Line 2 ──

`Pair.run(seconds)` delivers, wakes and sends in the order of time. After each turn it checks that
no timer points into the past: a machine that did not do what it asked to be woken for would spin.
"""

import heapq
from dataclasses import dataclass, field
from itertools import count
from random import Random

from openbond.tunnel.drops import Drop
from openbond.tunnel.events import Event, LegStateChanged
from openbond.tunnel.leg_end import LegEnd
from openbond.tunnel.legs import Legs
from openbond.tunnel.messages import HEADER, OUTER_IPV4, PACKET_HEADER, TAG_SIZE, Type
from openbond.tunnel.settings import BondSettings, Cipher, LegSettings, LinkMode, Role, Security
from tests.tunnel.keys import AGGREGATOR_PRIVATE, BONDER_PRIVATE, SECRET, public_of

BONDER, AGGREGATOR = Role.BONDER, Role.AGGREGATOR
DATA = frozenset({Type.PACKET, Type.SEGMENT, Type.BUNDLE, Type.TRAIN})


@dataclass
class Line:
    """What carries a leg's datagrams. `up` is the bonder's sending direction."""

    delay_up: float = 0.010
    delay_down: float = 0.010
    jitter: float = 0.0
    loss_up: float = 0.0
    loss_down: float = 0.0
    copies: int = 1  # how often each datagram arrives
    mtu_up: int = 1500
    mtu_down: int = 1500
    is_up_cut: bool = False
    is_down_cut: bool = False
    bonder_port: int = 40000  # behind the NAT
    rate_up: float = 0.0  # bit/s; what comes faster waits, up to `room_up` seconds; 0: any rate
    room_up: float = 0.2
    up_free_at: float = 0.0

    def wait_up(self, octets: int, now: float) -> float | None:
        """Return how long a datagram of the bonder waits for the line; None: it is lost."""
        if not self.rate_up:
            return 0.0
        free_at = max(self.up_free_at, now) + octets * 8 / self.rate_up
        if free_at - now > self.room_up:
            return None
        self.up_free_at = free_at
        return free_at - now

    def cut(self) -> None:
        self.is_up_cut = self.is_down_cut = True

    def mend(self) -> None:
        self.is_up_cut = self.is_down_cut = False


def leg(
    leg_id: int,
    *,
    mode: LinkMode = LinkMode.ACTIVE,
    failover: bool = False,
    send_bps: float = 10e6,
    ceiling: int = 1500,
) -> LegSettings:
    return LegSettings(
        id=leg_id,
        mode=mode,
        failover=failover,
        send_bps=send_bps,
        receive_bps=10e6,
        path_mtu_ceiling=ceiling,
    )


def bond(
    role: Role,
    *legs: LegSettings,
    secret: bytes = SECRET,
    security: Security = Security.ENCRYPTION,
    cipher: Cipher = Cipher.AES128,
    handshake_interval: float = 3600.0,
    automatic_ping_timing: bool = True,
    packet_loss_detection: bool = False,
    flap_detection: bool = False,
    bandwidth_adaptation: bool = False,
) -> BondSettings:
    ours, theirs = BONDER_PRIVATE, AGGREGATOR_PRIVATE
    if role is AGGREGATOR:
        ours, theirs = theirs, ours
    return BondSettings(
        id=7,
        role=role,
        private_key=ours,
        peer_public_key=public_of(theirs),
        secret=secret,
        security=security,
        cipher=cipher,
        handshake_interval=handshake_interval,
        automatic_ping_timing=automatic_ping_timing,
        packet_loss_detection=packet_loss_detection,
        flap_detection=flap_detection,
        bandwidth_adaptation=bandwidth_adaptation,
        legs=legs,
    )


@dataclass
class End:
    legs: Legs
    drops: list[tuple[float, Drop]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    heard_data: list[tuple[int, bytes]] = field(default_factory=list)  # leg id, body
    sent_control: int = 0  # bytes of outer packets


@dataclass(order=True)
class Arrival:
    at: float
    order: int
    role: Role = field(compare=False)
    leg_id: int = field(compare=False)
    datagram: bytes = field(compare=False)
    source: tuple[str, int] = field(compare=False)


class Pair:
    """Two ends with equal settings but for the role, unless `**changes` say otherwise."""

    def __init__(
        self,
        *legs: LegSettings,
        lines: dict[int, Line] | None = None,
        seed: int = 1,
        bonder: BondSettings | None = None,
        aggregator: BondSettings | None = None,
    ) -> None:
        legs = legs or (leg(1),)
        self.now = 1000.0
        self.chance = Random(seed)
        self.lines = lines or {each.id: Line() for each in legs}
        self.settings = {
            BONDER: bonder or bond(BONDER, *legs),
            AGGREGATOR: aggregator or bond(AGGREGATOR, *legs),
        }
        self.ends = {role: self._new_end(role, epoch=1) for role in (BONDER, AGGREGATOR)}
        self._arrivals: list[Arrival] = []
        self._order = count()
        self.ready()

    # -- what a test does -------------------------------------------------------------------------

    def ready(self) -> None:
        for leg_id, end in self.ends[BONDER].legs.ends.items():
            end.on_ready(("192.0.2.1", 2000 + leg_id), self.now)

    def restart(self, role: Role, epoch: int) -> None:
        """Start the program of one end anew: it forgot everything."""
        self.ends[role] = self._new_end(role, epoch=epoch)
        if role is BONDER:
            self.ready()

    def reconfigure(self, role: Role, settings: BondSettings) -> None:
        self.settings[role] = settings
        self.ends[role].legs.reconfigure(settings, self.now)

    def run(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass."""
        until = self.now + seconds
        self._turn()
        while (at := self._next_at()) <= until:
            self.now = max(self.now, at)
            self._deliver()
            self._turn()
        self.now = until

    def end(self, role: Role, leg_id: int = 1) -> LegEnd:
        return self.ends[role].legs.ends[leg_id]

    def shown(self, leg_id: int = 1) -> tuple[str, str]:
        """Return the states that both ends show, the bonder's first."""
        return self.end(BONDER, leg_id).shown, self.end(AGGREGATOR, leg_id).shown

    def eligible(self, role: Role) -> list[int]:
        return [each.id for each in self.ends[role].legs.eligible(self.now)]

    def entered(self, role: Role, leg_id: int = 1) -> list[str]:
        """Return the states a leg entered, in order."""
        return [event.new for event in self.changes(role, leg_id)]

    def changes(self, role: Role, leg_id: int = 1) -> list[LegStateChanged]:
        events = self.ends[role].events
        return [e for e in events if isinstance(e, LegStateChanged) and e.leg_id == leg_id]

    def send_data(self, role: Role, leg_id: int, amount: int, *, size: int = 1000) -> bool:
        """Give `amount` datagrams of data to a leg; report whether there was a session."""
        end = self.end(role, leg_id)
        keypair = end.keypair
        if keypair is None or end.address is None:
            return False
        first = keypair.take_sequences(amount)
        for sequence in range(first, first + amount):
            header = PACKET_HEADER.pack(Type.PACKET, 0, keypair.peer_index, sequence, 1, sequence)
            if self._reaches(role, leg_id, end.address):
                self.send(role, leg_id, keypair.seal_data(header, bytes(size)))
        octets = amount * (size + OUTER_IPV4 + PACKET_HEADER.size + TAG_SIZE)
        end.on_data_sent(first + amount - 1, self.now, octets, amount)
        return True

    def send(self, role: Role, leg_id: int, datagram: bytes) -> None:
        """Put a datagram on the line, as if `role` had sent it."""
        line = self.lines[leg_id]
        is_up = role is BONDER
        cut, loss, mtu, delay = (
            (line.is_up_cut, line.loss_up, line.mtu_up, line.delay_up)
            if is_up
            else (line.is_down_cut, line.loss_down, line.mtu_down, line.delay_down)
        )
        wait = line.wait_up(len(datagram) + OUTER_IPV4, self.now) if is_up else 0.0
        lost = cut or len(datagram) + OUTER_IPV4 > mtu or self.chance.random() < loss
        if lost or wait is None:
            return
        source = ("10.0.0.1", line.bonder_port) if is_up else ("192.0.2.1", 2000 + leg_id)
        to = AGGREGATOR if is_up else BONDER
        for _ in range(line.copies):
            at = self.now + wait + delay + line.jitter * self.chance.random()
            arrival = Arrival(at, next(self._order), to, leg_id, datagram, source)
            heapq.heappush(self._arrivals, arrival)

    def _reaches(self, role: Role, leg_id: int, address: tuple[str, int]) -> bool:
        """Report whether the NAT lets a datagram in: only to the port that the bonder has now."""
        return role is BONDER or address[1] == self.lines[leg_id].bonder_port

    # -- inside -----------------------------------------------------------------------------------

    def _new_end(self, role: Role, epoch: int) -> End:
        entropy = Random(f"{role} {epoch}").randbytes
        return End(Legs(self.settings[role], epoch=epoch, now=self.now, entropy=entropy))

    def _next_at(self) -> float:
        timers = [each.get_timer() for end in self.ends.values() for each in end.legs.ends.values()]
        return min([*timers, *(arrival.at for arrival in self._arrivals[:1])])

    def _deliver(self) -> None:
        while self._arrivals and self._arrivals[0].at <= self.now:
            arrival = heapq.heappop(self._arrivals)
            end = self.ends[arrival.role]
            leg_end = end.legs.ends.get(arrival.leg_id)
            if leg_end is None:
                continue
            if arrival.datagram[:1] and arrival.datagram[0] in DATA:
                drop = self._receive_data(end, leg_end, arrival)
            else:
                drop = leg_end.receive_control(arrival.datagram, arrival.source, self.now)
            if drop:
                end.drops.append((self.now, Drop(drop)))

    def _receive_data(self, end: End, leg_end: LegEnd, arrival: Arrival) -> str:
        """Do what inbound.py does with one PACKET, in the plainest way."""
        if len(arrival.datagram) < PACKET_HEADER.size:
            return Drop.SHORT
        _, _, session, sequence = HEADER.unpack_from(arrival.datagram)
        keypair = leg_end.keypairs.get(session)
        if keypair is None:
            return Drop.UNKNOWN_SESSION
        body = keypair.open_data(arrival.datagram, PACKET_HEADER.size)
        if body is None:
            return Drop.BAD_TAG
        if not keypair.data_replay.accept(sequence):
            return Drop.REPLAYED
        leg_end.on_data_heard(keypair, sequence, 1, arrival.source, self.now)
        end.heard_data.append((leg_end.id, body))
        return ""

    def _turn(self) -> None:
        for end in self.ends.values():
            for leg_end in end.legs.ends.values():
                if leg_end.get_timer() <= self.now:
                    leg_end.handle_timer(self.now)
            end.legs.eligible(self.now)
        for role, end in self.ends.items():
            for leg_end in end.legs.ends.values():
                self._send_all(role, end, leg_end)
        for end in self.ends.values():
            for leg_end in end.legs.ends.values():
                timer = leg_end.get_timer()
                assert timer > self.now, f"leg {leg_end.id}: timer {timer} at {self.now}"

    def _send_all(self, role: Role, end: End, leg_end: LegEnd) -> None:
        for datagram, address in leg_end.datagrams_to_send(self.now):
            end.sent_control += len(datagram) + OUTER_IPV4
            if self._reaches(role, leg_end.id, address):
                self.send(role, leg_end.id, datagram)
        while event := leg_end.next_event():
            end.events.append(event)

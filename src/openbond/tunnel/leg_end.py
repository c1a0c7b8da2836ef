"""One leg at one end: session, control messages and state behind a few verbs.

`bond.py` feeds it what came on the leg and asks it what to send. It knows no data packets; of data
it learns leg sequences only. Data path, hot:

    leg.keypair                  Keypair to send data with, or None: no session
    leg.keypairs.get(session)    Keypair that a received datagram names, or None: unknown session
    leg.on_data_sent(last_sequence, now, octets, count)       once per turn
    leg.on_data_heard(keypair, first, count, source, now)     once per run, after open and replay
    leg.is_suspect(now)          True: give it no new data now
    leg.hearings_to_take()       hearing reports of the peer, oldest first: repair from their gaps

After any other call ask `datagrams_to_send`, `next_event` and `get_timer`.
"""

from collections import deque
from math import inf

from .adaptation import Adaptation
from .cookies import Address, Gate
from .dialogue import Dialogue, ToTell
from .drops import Drop
from .events import Event, PathMtuFound, PeerMoved
from .hearing import Hearing, HearingOf
from .keypair import Keypair, open_sealed
from .leg import Inner, Signal
from .messages import HANDSHAKE_HEADER, Type
from .neighbours import Neighbours
from .noise import Entropy
from .probes import Echo, HeardLeg, Probe, Timing
from .session import Session
from .settings import BondSettings, LegSettings, Role, Security
from .standing import Standing, pace_of

# In mode `none` data is not authentic: a number this far ahead of the authentic ones is a lie.
PLAIN_LEAP = 2**20


class LegEnd:
    """Read by the bond: `id`, `settings`, `keypairs`, `address`, `is_lost`, `roamings`, `session`,
    `dialogue`, and the properties below.
    """

    def __init__(
        self,
        bond: BondSettings,
        leg: LegSettings,
        *,
        epoch: int,
        now: float,
        entropy: Entropy,
        neighbours: Neighbours,
        gate: Gate | None = None,
    ) -> None:
        """`epoch` rises with each start of the program, for ever (behaviour 2.4).

        A bonder's leg gets the aggregator's address by `on_ready`; an aggregator's learns its
        own. Raises ValueError for unusable keys.
        """
        self.id = leg.id
        self.settings = leg
        self.address: Address | None = None
        self.is_lost = False  # the owner said so, and nothing was heard since
        self.roamings = 0
        gate = gate or Gate(entropy)
        self.session = Session(bond, leg.id, epoch=epoch, gate=gate, entropy=entropy)
        self.keypairs = self.session.keypairs
        self.dialogue = Dialogue(
            Timing.of(bond), ceiling=leg.path_mtu_ceiling, spread=self.session.spread, now=now
        )
        self.send_delay = self.dialogue.send_delay
        self.receive_delay = self.dialogue.receive_delay
        self.adaptation = Adaptation(bond, leg)
        self._bond = bond
        self._neighbours = neighbours
        self._standing = Standing(bond, leg, self._on_enter)
        self._is_in_use = not leg.failover
        self._replies: deque[tuple[bytes, Address]] = deque(maxlen=16)
        self._reply_at = inf
        self._events: deque[Event] = deque()
        self._standing.reconfigure(bond, leg, now)

    # -- what happened ----------------------------------------------------------------------------

    def receive_control(self, datagram: bytes, source: Address, now: float) -> str:
        """Take in any datagram that is not PACKET, SEGMENT or BUNDLE.

        Returns "" or the `Drop` under which to count it.
        """
        if len(datagram) < HANDSHAKE_HEADER.size:
            return Drop.SHORT
        if self._standing.inner is Inner.OFFLINE:
            return Drop.UNKNOWN_SESSION
        kind = datagram[0]
        if self.dialogue.knows(kind):
            return self._receive_sealed(datagram, source, now) or ""
        if kind == Type.INITIATION:
            return self._receive_initiation(datagram, source, now) or ""
        if kind == Type.RESPONSE:
            return self._receive_response(datagram, now) or ""
        if kind == Type.COOKIE:
            return self.session.receive_cookie(datagram) or ""
        return Drop.UNKNOWN_TYPE

    def on_data_heard(
        self, keypair: Keypair, first: int, count: int, source: Address, now: float
    ) -> None:
        """Note a run of data, opened and new: loss, hearing, roaming, key confirmation."""
        if keypair.security is not Security.NONE:
            self._on_authentic(keypair, first + count - 1, source, now)
        elif first > keypair.replay.highest + PLAIN_LEAP:
            return
        self._on_heard(keypair, first, count, now, is_data=True)

    def on_data_sent(self, last_sequence: int, now: float, octets: int = 0, count: int = 0) -> None:
        """Note data given to the leg: `count` datagrams up to a leg sequence, outer octets."""
        self.dialogue.suspicion.on_data_sent(last_sequence, now)
        self.adaptation.load.on_sent(octets, now)
        if (keypair := self.session.current) is not None:
            session = keypair.peer_index
            self.dialogue.large_loss.on_sent(session, last_sequence, count, octets, now)

    def on_ready(self, address: Address | None, now: float) -> None:
        """Carrier, address and route are there (bonder: `address` is the aggregator's)."""
        if address is not None:
            self.address = address
        self.is_lost = False
        self.dialogue.prober.probe_soon(now)
        self._standing.signal(Signal.READY, now)

    def on_lost(self, now: float) -> None:
        """A send failed, or carrier, address, PPP or modem is gone."""
        self.is_lost = True
        self._neighbours.probe_all_soon(now)  # the next probe on any other leg tells the peer
        self._standing.signal(Signal.LOST, now)

    def on_test(self, *, under_test: bool, measured: bool, now: float) -> None:
        """A speed test takes the leg alone, or gives it back; `measured`: one runs over it."""
        self._standing.is_measured = measured
        self._standing.set_under_test(under_test, now)
        self._set_pace(now)

    def on_told(self, heard: HeardLeg, now: float) -> None:
        """The peer says, by a probe on any leg, when it last heard us on this one."""
        prober = self.dialogue.prober
        # What was said on a slower leg before this one came back does not count.
        settled = prober.is_silent_there(now - self._standing.reached_at)
        if settled and (heard.lost or prober.is_silent_there(heard.age)):
            self._standing.signal(Signal.SILENT, now)

    def on_others(self, *, eligible: bool, now: float) -> None:
        """Another leg of tier 1 or 2 is eligible, or none is."""
        self._standing.set_others_eligible(eligible, now)

    def probe_soon(self, now: float) -> None:
        self.dialogue.prober.probe_soon(now)

    def set_in_use(self, in_use: bool, now: float) -> None:
        """Say whether a failover leg carries data: then it is probed like any other."""
        if in_use is not self._is_in_use:
            self._is_in_use = in_use
            self._set_pace(now)

    def detect_path_mtu(self, now: float) -> None:
        """Measure the path MTU of our sending direction now, if the leg is reachable."""
        if self._standing.is_reached:
            self.dialogue.path_mtu.begin(now)

    def reconfigure(self, bond: BondSettings, leg: LegSettings, now: float) -> None:
        """Take new settings; a changed key, mode or cipher starts a handshake.

        Raises ValueError for unusable keys, and then changes nothing.
        """
        self.session.reconfigure(bond, now)
        self._bond, self.settings = bond, leg
        self.dialogue.prober.set_timing(Timing.of(bond))
        self.dialogue.path_mtu.set_ceiling(leg.path_mtu_ceiling, now)
        self.adaptation.reconfigure(bond, leg, now)
        self._standing.reconfigure(bond, leg, now)
        self._set_pace(now)
        self.handle_timer(now)

    # -- what to do -------------------------------------------------------------------------------

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Address]]:
        """Return control datagrams due now, with where each goes. They skip the queues."""
        datagrams = list(self._replies)
        self._replies.clear()
        self._reply_at = inf
        address, keypair = self.address, self.session.current
        if address is None or self._standing.inner is Inner.OFFLINE:
            return datagrams
        datagrams += [(initiation, address) for initiation in self.session.datagrams_to_send(now)]
        if keypair is not None:
            messages = self.dialogue.messages_to_send(self._to_tell, now)
            datagrams += [(keypair.seal_message(m.kind, m.body), address) for m in messages]
        return datagrams

    def get_timer(self) -> float:
        """Return when `handle_timer` and `datagrams_to_send` next have something to do."""
        if self._standing.inner is Inner.OFFLINE:
            return inf
        first = min(self._reply_at, self._standing.get_timer(), self.adaptation.get_timer())
        if self.address is None:
            return first
        if self.session.current is None:
            return min(first, self.session.get_timer())
        return min(first, self.session.get_timer(), self.dialogue.get_timer())

    def handle_timer(self, now: float) -> None:
        if self._standing.inner is Inner.OFFLINE:
            return
        self.session.handle_timer(now)
        self.dialogue.handle_timer(now)
        self._standing.handle_timer(now)
        self._adapt(now)
        if self.dialogue.prober.is_silent or self.session.current is None:
            self._standing.signal(Signal.SILENT, now)
        self._take_path_mtu(now)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else self._standing.next_event()

    # -- what is known ----------------------------------------------------------------------------

    @property
    def keypair(self) -> Keypair | None:
        return self.session.current

    @property
    def inner(self) -> Inner:
        return self._standing.inner

    @property
    def shown(self) -> str:
        return self._standing.shown

    @property
    def smoothed_rtt(self) -> float | None:
        return self.dialogue.prober.smoothed_rtt

    @property
    def jitter(self) -> float:
        return self.dialogue.prober.jitter

    @property
    def send_loss(self) -> float | None:
        """Of what we sent over the last 10 s, as the peer counts it; None: too little to say."""
        return self._standing.judgement.loss.loss

    @property
    def path_mtu(self) -> int:
        """Bytes of the largest outer packet in our sending direction."""
        return self.dialogue.path_mtu.mtu

    @property
    def path_mtu_measured(self) -> bool:
        return self.dialogue.path_mtu.is_measured

    @property
    def adapted_bps(self) -> float | None:
        """The speed that adaptation lowered our direction to; None: it is as configured."""
        adapter = self.adaptation.adapter
        return adapter.speed_bps if adapter.is_slowed else None

    @property
    def speed_in_force(self) -> float:
        """Bit/s of our sending direction: the smaller of configured and adapted speed."""
        return self.adaptation.adapter.speed_bps

    @property
    def is_under_test(self) -> bool:
        return self._standing.is_under_test

    def is_suspect(self, now: float) -> bool:
        """Report whether the leg was given data and is silent about it (design/tunnel.md)."""
        return self.dialogue.is_suspect(now)

    def hearings_to_take(self) -> list[Hearing]:
        """Return the peer's hearing reports since the last call, oldest first."""
        return self.dialogue.hearings_to_take()

    # -- receiving --------------------------------------------------------------------------------

    def _receive_initiation(self, datagram: bytes, source: Address, now: float) -> Drop | None:
        if self._bond.role is Role.BONDER:
            return Drop.UNASKED
        before = self.session.next
        reply, drop = self.session.receive_initiation(datagram, source, now)
        if reply:
            self._replies.append((reply, source))
            self._reply_at = min(self._reply_at, now)
        if self.session.next is not before:
            self.dialogue.prober.on_heard(now)
            self._standing.signal(Signal.INITIATION, now)
        return drop

    def _receive_response(self, datagram: bytes, now: float) -> Drop | None:
        drop = self.session.receive_response(datagram, now)
        if drop is None:
            self._standing.signal(Signal.SESSION, now)
            self.dialogue.prober.probe_soon(now)  # it tells the peer that we have the keys
        return drop

    def _receive_sealed(self, datagram: bytes, source: Address, now: float) -> Drop | None:
        if isinstance(opened := open_sealed(datagram, self.keypairs), Drop):
            return opened
        if opened.counts:
            self._on_authentic(opened.keypair, opened.sequence, source, now)
            self._on_heard(opened.keypair, opened.sequence, 1, now, is_data=False)
        heard = self.dialogue.receive(opened.kind, opened.body, now)
        if isinstance(heard, Probe):
            self._on_probe(heard, opened.keypair, now)
        elif isinstance(heard, Echo):
            self._on_echo(heard, now)
        elif isinstance(heard, Hearing):
            self.adaptation.heard.on_report(heard)
        elif isinstance(heard, HearingOf):
            self._neighbours.on_hearing_of(heard)
        self._take_path_mtu(now)
        return heard if isinstance(heard, Drop) else None

    def _on_authentic(self, keypair: Keypair, last: int, source: Address, now: float) -> None:
        self.dialogue.prober.on_heard(now)
        self.is_lost = False
        if keypair is self.session.next and self.session.confirm(keypair, now):
            self._standing.signal(Signal.SESSION, now)
        is_newest = keypair is self.session.current and last >= keypair.replay.highest
        if source != self.address and is_newest and self._bond.role is Role.AGGREGATOR:
            self.roamings += self.address is not None
            self.address = source
            self._events.append(PeerMoved(self.id, source))

    def _on_heard(
        self, keypair: Keypair, first: int, count: int, now: float, *, is_data: bool
    ) -> None:
        is_newest = keypair is self.session.current
        number = keypair.local_index
        self.dialogue.on_heard(number, first, count, now, is_newest=is_newest, is_data=is_data)

    def _on_probe(self, probe: Probe, keypair: Keypair, now: float) -> None:
        if probe.wishes_rekey:
            self.session.on_peer_wish(keypair, now)
        self._neighbours.on_told(probe.heard, now)

    def _on_echo(self, echo: Echo, now: float) -> None:
        prober, standing = self.dialogue.prober, self._standing
        self.session.stop_if_only_silence()
        # In HANDSHAKING an echo under the old keypair shows as well that both ends have the keys.
        handshaking = standing.inner is Inner.HANDSHAKING
        standing.signal(Signal.SESSION if handshaking else Signal.ECHO, now)
        if prober.is_steady(now):
            standing.signal(Signal.STEADY, now)
        rtt, jitter = prober.smoothed_rtt or 0.0, prober.jitter
        self.adaptation.on_echo(self.send_delay, prober, now)
        standing.judgement.loss.on_report(echo.loss, echo.long_loss)
        standing.judgement.on_echo(rtt, jitter, self.adaptation.load_share(now), now)
        standing.judge(now)

    # -- states -----------------------------------------------------------------------------------

    def _on_enter(self, new: Inner, now: float) -> None:
        """Do what a change of the inner state brings with it."""
        self._set_pace(now)
        if new is Inner.OFFLINE:
            self.session.forget_all()
        if new in (Inner.DOWN, Inner.TESTING):
            self.dialogue.restart(now)
        if new is Inner.DOWN:
            self.dialogue.path_mtu.stop()
        if new in (Inner.DOWN, Inner.HANDSHAKING):
            self._begin_handshake(now)
        if new is Inner.TESTING:
            self.dialogue.path_mtu.begin(now)
        self.adaptation.set_working(new is Inner.WORKING, now)

    def _adapt(self, now: float) -> None:
        self.adaptation.handle_timer(now)
        is_slowed = self.adaptation.adapter.is_slowed
        if is_slowed is not self._standing.is_slowed:
            self._standing.signal(Signal.SLOWED if is_slowed else Signal.FULL_SPEED, now)
            self._neighbours.probe_all_soon(now)  # both ends know the speed

    def _begin_handshake(self, now: float) -> None:
        if self._bond.role is Role.BONDER and self.address is not None:
            self.session.begin(now, only_silence=self.session.current is not None)

    def _set_pace(self, now: float) -> None:
        standing, in_use = self._standing, self._is_in_use
        pace = pace_of(standing.inner, self.settings, in_use=in_use, measured=standing.is_measured)
        self.dialogue.prober.set_pace(pace, now)

    def _take_path_mtu(self, now: float) -> None:
        if (found := self.dialogue.path_mtu.found_to_take()) is not None:
            self._events.append(PathMtuFound(self.id, found, now))

    def _to_tell(self, now: float) -> ToTell:
        speed_kbps = round((self.adapted_bps or 0) / 1000)
        heard = self._neighbours.heard_for_probe(now)
        return ToTell(heard, self.session.wishes_rekey, speed_kbps)

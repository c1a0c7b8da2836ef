"""The sealed control messages of one leg: probes, echoes, hearing reports, path MTU probes.

A `Dialogue` joins the machines that each of them feeds, and knows neither keys nor states: it takes
the bodies of authentic datagrams, and gives the bodies to seal. `leg_end.py` does the rest.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from .delays import RawDelay
from .drops import Drop
from .hearing import Hearing, HearingOf, Listener, Suspicion, decode_hearing, decode_hearing_of
from .large_loss import LargeLoss
from .loss import LONG_WINDOW, LossMeter
from .messages import Type
from .path_mtu import PathMtu, decode_mtu_ack, decode_mtu_probe, encode_mtu_ack
from .probes import (
    Echo,
    HeardLeg,
    Probe,
    Prober,
    Timing,
    clock_difference,
    clock_of,
    decode_echo,
    decode_probe,
)

Heard = Probe | Echo | Hearing | HearingOf

REPLIES_MOST = 32  # echoes, and acknowledgements, that wait to be sent
HEARINGS_MOST = 64


@dataclass(frozen=True, slots=True)
class Message:
    """A control message to seal."""

    kind: Type
    body: bytes


@dataclass(frozen=True, slots=True)
class ToTell:
    """What a probe says beside its number and time."""

    heard: tuple[HeardLeg, ...] = ()
    wishes_rekey: bool = False
    speed_kbps: int = 0


class Dialogue:
    """Read by the owner: `prober`, `path_mtu`, `suspicion`, and the raw one-way delays."""

    def __init__(
        self,
        timing: Timing,
        *,
        ceiling: int,
        spread: Callable[[float, float], float],
        now: float,
    ) -> None:
        self.prober = Prober(timing, now=now)
        self.path_mtu = PathMtu(ceiling, spread)
        self.suspicion = Suspicion()
        self.large_loss = LargeLoss()
        self.send_delay = RawDelay()
        self.receive_delay = RawDelay()
        self._listener = Listener()
        self._loss = LossMeter()
        self._was_suspect = False
        self._asked_at = inf  # since when something waits to be answered
        self._to_echo: deque[tuple[int, int]] = deque(maxlen=REPLIES_MOST)  # number, when it came
        self._acks: deque[bytes] = deque(maxlen=REPLIES_MOST)
        # Shares of data that came after its hold had ended: the owner sets ours, to be told.
        self.late_share: float | None = None
        self.peer_late_share: float | None = None
        self.peer_speed_kbps = 0  # the peer's speed in force on this leg; 0: as configured
        self._hearings: deque[Hearing] = deque(maxlen=HEARINGS_MOST)
        self._to_repeat: Hearing | None = None
        self._receivers: dict[int, Callable[[bytes, float], Heard | Drop | None]] = {
            Type.PROBE: self._receive_probe,
            Type.ECHO: self._receive_echo,
            Type.HEARING: self._receive_hearing,
            Type.HEARING_OF: lambda body, _: decode_hearing_of(body) or Drop.MALFORMED,
            Type.MTU_PROBE: self._receive_mtu_probe,
            Type.MTU_ACK: self._receive_mtu_ack,
        }

    # -- what happened ----------------------------------------------------------------------------

    def knows(self, kind: int) -> bool:
        return kind in self._receivers

    def receive(self, kind: int, body: bytes, now: float) -> Heard | Drop | None:
        """Take in the body of an authentic message.

        Returns what the owner has to judge: a probe, an echo that we asked for, a hearing report of
        this leg or of another; or why it was dropped.
        """
        return self._receivers[kind](body, now)

    def on_heard(
        self, session: int, first: int, count: int, now: float, *, is_newest: bool, is_data: bool
    ) -> None:
        """Note a run of new datagrams of a keypair; `is_newest`: of the newest one."""
        self._loss.on_heard(session, first, count, now)
        if is_newest:
            self._listener.on_heard(session, first, count, now, is_data=is_data)

    def restart(self, now: float) -> None:
        """Begin anew: the leg went down, or comes back."""
        self.prober.restart(now)
        self.suspicion.restart()
        self.large_loss.restart()
        self._listener.restart()
        self._loss.restart()
        self._was_suspect = False

    # -- what to do -------------------------------------------------------------------------------

    def messages_to_send(self, to_tell: Callable[[float], ToTell], now: float) -> list[Message]:
        """Return what is due now, to be sealed in this order; a probe asks what `to_tell`."""
        messages = [Message(Type.ECHO, self._echo(*probe, now)) for probe in self._to_echo]
        messages += [Message(Type.MTU_ACK, ack) for ack in self._acks]
        self._to_echo.clear()
        self._acks.clear()
        self._asked_at = inf
        number = self.prober.probe_to_send(now)
        if number is not None:
            told = to_tell(now)
            probe = Probe(number, clock_of(now), told.heard, told.wishes_rekey, told.speed_kbps)
            messages.append(Message(Type.PROBE, probe.encode()))
        hearing = self._listener.report_to_send(now)
        if hearing is not None:
            messages.append(Message(Type.HEARING, hearing.encode()))
            self._to_repeat = hearing if hearing.gaps else self._to_repeat
        mtu_probe = self.path_mtu.probe_to_send(now, self.prober.patience)
        if mtu_probe is not None:
            messages.append(Message(Type.MTU_PROBE, mtu_probe.encode()))
        return messages

    def get_timer(self) -> float:
        probe_at, report_at = self.prober.get_timer(), self._listener.get_timer()
        return min(
            self._asked_at, probe_at, report_at, self.path_mtu.get_timer(), self._suspect_at()
        )

    def handle_timer(self, now: float) -> None:
        self.prober.handle_timer(now)
        self.path_mtu.handle_timer(now)
        if now >= self._suspect_at():
            self._was_suspect = True
            self.prober.probe_soon(now)  # its echo would clear the suspicion

    def hearing_to_repeat(self) -> Hearing | None:
        """Return the newest report that named gaps, once: another leg may be there sooner."""
        hearing, self._to_repeat = self._to_repeat, None
        return hearing

    def on_hearing_of(self, hearing: Hearing) -> None:
        """Take a report about this leg that came on another: for repairs alone."""
        self._hearings.append(hearing)

    def hearings_to_take(self) -> list[Hearing]:
        hearings = list(self._hearings)
        self._hearings.clear()
        return hearings

    def is_suspect(self, now: float) -> bool:
        return self.suspicion.is_suspect(now, self.prober.patience)

    # -- inside -----------------------------------------------------------------------------------

    def _suspect_at(self) -> float:
        """Return when suspicion begins; never, once it has."""
        at = self.suspicion.suspect_at(self.prober.patience)
        return inf if self._was_suspect else at

    def _echo(self, number: int, received_at: int, now: float) -> bytes:
        loss, long_loss = self._loss.loss(now), self._loss.loss(now, LONG_WINDOW)
        late = self.late_share
        return Echo(number, received_at, clock_of(now), loss, long_loss, late).encode()

    def _receive_probe(self, body: bytes, now: float) -> Probe | Drop:
        probe = decode_probe(body)
        if probe is None:
            return Drop.MALFORMED
        self._to_echo.append((probe.number, clock_of(now)))
        self._asked_at = min(self._asked_at, now)
        self.peer_speed_kbps = probe.speed_kbps
        return probe

    def _receive_echo(self, body: bytes, now: float) -> Echo | Drop | None:
        echo = decode_echo(body)
        if echo is None:
            return Drop.MALFORMED
        held = clock_difference(echo.sent_at, echo.received_at)
        sent_at = self.prober.on_echo(echo.number, held, now)
        if sent_at is None:
            return None  # very late, or a duplicate of the peer's: says nothing
        self.peer_late_share = echo.late
        self.suspicion.on_echo(sent_at, now)
        self._was_suspect = False
        self.send_delay.on_sample(clock_of(sent_at), echo.received_at)
        self.receive_delay.on_sample(echo.sent_at, clock_of(now))
        return echo

    def _receive_hearing(self, body: bytes, now: float) -> Hearing | Drop:
        hearing = decode_hearing(body)
        if hearing is None:
            return Drop.MALFORMED
        self._hearings.append(hearing)
        self.suspicion.on_report(hearing.highest, now)
        if self.large_loss.on_report(hearing, now, self.prober.patience):
            self.path_mtu.begin_on_suspicion(now)
        self._was_suspect = False
        return hearing

    def _receive_mtu_probe(self, body: bytes, now: float) -> Drop | None:
        probe = decode_mtu_probe(body)
        if probe is None:
            return Drop.MALFORMED
        self._acks.append(encode_mtu_ack(probe))
        self._asked_at = min(self._asked_at, now)
        return None

    def _receive_mtu_ack(self, body: bytes, now: float) -> Drop | None:
        ack = decode_mtu_ack(body)
        if ack is None:
            return Drop.MALFORMED
        self.path_mtu.on_ack(*ack, now)
        return None

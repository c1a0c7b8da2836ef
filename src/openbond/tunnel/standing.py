"""The state of one leg at one end over time: its machine, its judgement, and what they announce.

`leg.py` says which state follows on which signal; here are the times that go with states: 5 s of
patience while handshaking, hold-out for flapping, and the moment since which the leg is reached.
"""

from collections import deque
from collections.abc import Callable
from math import inf

from .events import LegStateChanged
from .judgement import Judgement
from .leg import Facts, Inner, LegMachine, Signal, Trouble
from .probes import Pace
from .settings import BondSettings, LegSettings, LinkMode

HANDSHAKE_PATIENCE = 5.0

REACHED = frozenset({Inner.TESTING, Inner.WORKING, Inner.REMOVED})
_MODE_SIGNALS = {
    LinkMode.OFFLINE: Signal.MODE_OFFLINE,
    LinkMode.IDLE: Signal.MODE_IDLE,
    LinkMode.ACTIVE: Signal.MODE_ACTIVE,
}


def pace_of(inner: Inner, leg: LegSettings, *, in_use: bool, measured: bool = False) -> Pace:
    """Return how often a leg is probed (behaviour 2.13, 3.4; 4.3 while it is measured)."""
    if measured and inner in REACHED:
        return Pace.MEASURED
    if inner is Inner.TESTING:
        return Pace.TESTING
    stands_by = leg.mode is LinkMode.IDLE or (leg.failover and not in_use)
    return Pace.USUAL if inner in REACHED and not stands_by else Pace.SLOW


class Standing:
    """`on_enter(new, now)` is called at each change of the inner state."""

    def __init__(
        self, bond: BondSettings, leg: LegSettings, on_enter: Callable[[Inner, float], None]
    ) -> None:
        self.judgement = Judgement(bond)
        self.reached_at = -inf
        self.is_measured = False  # a speed test runs over the leg
        self._leg_id = leg.id
        self._on_enter = on_enter
        self._machine = LegMachine(role=bond.role, facts=Facts(mode=leg.mode))
        self._patient_until = inf
        self._events: deque[LegStateChanged] = deque()
        self.shown = self._machine.shown  # kept here: it is asked for with every batch

    @property
    def inner(self) -> Inner:
        return self._machine.inner

    @property
    def is_reached(self) -> bool:
        return self._machine.inner in REACHED

    @property
    def is_slowed(self) -> bool:
        return Trouble.SLOWED in self._machine.trouble

    @property
    def is_under_test(self) -> bool:
        return self._machine.facts.under_test

    def reconfigure(self, bond: BondSettings, leg: LegSettings, now: float) -> None:
        """Take mode, failover and the switches of detection."""
        self.judgement.reconfigure(bond)
        facts = self._machine.facts
        facts.mode, facts.failover = leg.mode, leg.failover
        facts.loss_detection = bond.packet_loss_detection
        facts.flap_detection = bond.flap_detection
        self.signal(_MODE_SIGNALS[leg.mode], now)

    def set_under_test(self, under_test: bool, now: float) -> None:
        self._machine.facts.under_test = under_test
        self.signal(Signal.TEST_BEGIN if under_test else Signal.TEST_END, now)

    def set_others_eligible(self, eligible: bool, now: float) -> None:
        self._machine.facts.others_eligible = eligible
        if self._machine.trouble or self.inner is Inner.REMOVED:
            self.signal(Signal.OTHER_ELIGIBLE if eligible else Signal.ALONE, now)

    def signal(self, signal: Signal, now: float) -> None:
        """Tell the machine; announce the change of the shown state, if there is one."""
        self._machine.facts.held_out = self.judgement.flaps.is_held_out(now)
        before, shown_before = self.inner, self.shown
        self._machine.signal(signal)
        after, self.shown = self.inner, self._machine.shown
        if self.shown != shown_before:
            changed = LegStateChanged(self._leg_id, shown_before, self.shown, signal.name, now)
            self._events.append(changed)
        if after is not before:
            self._note(before, after, now)
            self._on_enter(after, now)

    def judge(self, now: float) -> None:
        """Tell the machine what loss, latency and drops amount to now."""
        for signal in self.judgement.signals(self.inner, self._machine.trouble, now):
            self.signal(signal, now)

    def get_timer(self) -> float:
        return self._patient_until

    def handle_timer(self, now: float) -> None:
        if now >= self._patient_until:
            self.signal(Signal.NO_SESSION, now)

    def next_event(self) -> LegStateChanged | None:
        return self._events.popleft() if self._events else None

    def _note(self, before: Inner, after: Inner, now: float) -> None:
        handshaking = after is Inner.HANDSHAKING
        self._patient_until = now + HANDSHAKE_PATIENCE if handshaking else inf
        if after in REACHED and before not in REACHED:
            self.reached_at = now
            self.judgement.restart()
        if after is Inner.DOWN and before in REACHED:
            self.judgement.flaps.on_drop(now)

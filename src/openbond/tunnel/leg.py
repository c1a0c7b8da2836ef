"""Which state a leg is in, at one end (behaviour 3.2, 3.3).

`TRANSITIONS` is the whole machine: six inner states, and for each signal what becomes of them.
This module knows no bytes, no timers and no keys; `leg_end.py` turns what happens into signals. The
table of docs/protocol.md is written from `TRANSITIONS`, and a test compares them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, Flag, StrEnum, auto

from .settings import LinkMode, Role


class Inner(StrEnum):
    OFFLINE = "offline"
    DOWN = "down"
    HANDSHAKING = "handshaking"
    TESTING = "testing"
    WORKING = "working"
    REMOVED = "removed"


class Signal(Enum):
    MODE_OFFLINE = "link mode is offline"
    MODE_IDLE = "link mode is idle"
    MODE_ACTIVE = "link mode is active"
    READY = "carrier, address and route are there"
    INITIATION = "a valid initiation came"
    ECHO = "an authentic echo, keypair still good"
    SESSION = "keys confirmed by an authentic datagram"
    NO_SESSION = "5 s without a session"
    LOST = "carrier, address, PPP or modem gone, or a send failed"
    SILENT = "probes unanswered, here or as the peer says"
    STEADY = "10 echoes in a row over at least 5 s"
    LOSS_HIGH = "loss at its limit over 10 s"
    LOSS_LOW = "loss under 40 % of its limit over 30 s"
    OTHER_ELIGIBLE = "another leg of tier 1 or 2 is eligible"
    LATENCY_HIGH = "smoothed RTT over its limit for 10 s"
    LATENCY_LOW = "smoothed RTT under half the limit for 30 s"
    SLOWED = "adaptation lowered the speed"
    FULL_SPEED = "adaptation is back at the configured speed"
    REJOIN = "loss low and hold-out over"
    HOLD_OUT_OVER = "the hold-out for flapping is over"
    ALONE = "no leg of tier 1 or 2 is eligible"
    TEST_BEGIN = "a speed test or tuner takes the leg"
    TEST_END = "a speed test or tuner gives it back"


class Trouble(Flag):
    """What is wrong with a leg that works all the same, and that its speed was lowered."""

    NONE = 0
    LOSS = auto()
    LATENCY = auto()
    FLAPPING = auto()
    SLOWED = auto()


UNHEALTHY = Trouble.LOSS | Trouble.LATENCY | Trouble.FLAPPING


@dataclass(slots=True, kw_only=True)
class Facts:
    """What the guards of the table ask. Kept up to date by the owner of the machine."""

    mode: LinkMode
    failover: bool = False
    under_test: bool = False
    held_out: bool = False
    others_eligible: bool = False
    loss_detection: bool = False
    flap_detection: bool = False

    @property
    def is_judged(self) -> bool:
        """Legs in mode `idle` are not judged for loss, latency or flapping."""
        return self.mode is LinkMode.ACTIVE

    @property
    def stays_out(self) -> bool:
        return self.held_out and self.is_judged


class Guard(Enum):
    """The conditions in the table; `None` there is none."""

    FREE = "not held out, not under test"
    HELD_OUT = "held out, flap detection on, not under test"
    FORGIVEN = "held out, flap detection off, not under test"
    REMOVABLE = "loss detection on, another leg eligible"
    JUDGED = "mode active"
    LOSSY = "flag loss, loss detection on"

    def holds(self, facts: Facts, trouble: Trouble) -> bool:
        return GUARDS[self](facts, trouble)


GUARDS: dict[Guard, Callable[[Facts, Trouble], bool]] = {
    Guard.FREE: lambda facts, _: not (facts.stays_out or facts.under_test),
    Guard.HELD_OUT: lambda facts, _: (
        facts.stays_out and facts.flap_detection and not facts.under_test
    ),
    Guard.FORGIVEN: lambda facts, _: (
        facts.stays_out and not facts.flap_detection and not facts.under_test
    ),
    Guard.REMOVABLE: lambda facts, _: (
        facts.is_judged and facts.loss_detection and facts.others_eligible
    ),
    Guard.JUDGED: lambda facts, _: facts.is_judged,
    Guard.LOSSY: lambda facts, trouble: (
        Trouble.LOSS in trouble and facts.is_judged and facts.loss_detection
    ),
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: in `state`, on `signal`, if `guard` holds, at end `at` (None: both): to `new`."""

    state: Inner
    signal: Signal
    new: Inner
    guard: Guard | None = None
    sets: Trouble = Trouble.NONE
    clears: Trouble = Trouble.NONE
    at: Role | None = None


_REACHED = (Inner.TESTING, Inner.WORKING, Inner.REMOVED)
_ANY = tuple(Inner)

# Every change of state is a row here. The first row whose guard holds counts; a pair that is absent
# changes nothing.
TRANSITIONS: tuple[Transition, ...] = (
    *(Transition(state, Signal.MODE_OFFLINE, Inner.OFFLINE) for state in _ANY),
    Transition(Inner.OFFLINE, Signal.MODE_IDLE, Inner.DOWN),
    Transition(Inner.OFFLINE, Signal.MODE_ACTIVE, Inner.DOWN),
    Transition(
        Inner.WORKING,
        Signal.MODE_IDLE,
        Inner.WORKING,
        clears=Trouble.LOSS | Trouble.LATENCY | Trouble.FLAPPING,
    ),
    Transition(Inner.DOWN, Signal.READY, Inner.HANDSHAKING, at=Role.BONDER),
    Transition(Inner.DOWN, Signal.INITIATION, Inner.HANDSHAKING, at=Role.AGGREGATOR),
    Transition(Inner.DOWN, Signal.ECHO, Inner.TESTING),
    Transition(Inner.DOWN, Signal.SESSION, Inner.TESTING),
    Transition(Inner.HANDSHAKING, Signal.SESSION, Inner.TESTING),
    Transition(Inner.HANDSHAKING, Signal.NO_SESSION, Inner.DOWN),
    Transition(Inner.HANDSHAKING, Signal.LOST, Inner.DOWN, at=Role.BONDER),
    *(Transition(state, Signal.LOST, Inner.DOWN, at=Role.BONDER) for state in _REACHED),
    *(Transition(state, Signal.SILENT, Inner.DOWN) for state in _REACHED),
    Transition(Inner.TESTING, Signal.STEADY, Inner.WORKING, Guard.FREE),
    Transition(Inner.TESTING, Signal.STEADY, Inner.REMOVED, Guard.HELD_OUT, sets=Trouble.FLAPPING),
    Transition(Inner.TESTING, Signal.STEADY, Inner.WORKING, Guard.FORGIVEN, sets=Trouble.FLAPPING),
    Transition(Inner.WORKING, Signal.LOSS_HIGH, Inner.REMOVED, Guard.REMOVABLE, sets=Trouble.LOSS),
    Transition(Inner.WORKING, Signal.LOSS_HIGH, Inner.WORKING, Guard.JUDGED, sets=Trouble.LOSS),
    Transition(Inner.WORKING, Signal.OTHER_ELIGIBLE, Inner.REMOVED, Guard.LOSSY),
    Transition(Inner.WORKING, Signal.LOSS_LOW, Inner.WORKING, clears=Trouble.LOSS),
    Transition(
        Inner.WORKING, Signal.LATENCY_HIGH, Inner.WORKING, Guard.JUDGED, sets=Trouble.LATENCY
    ),
    Transition(Inner.WORKING, Signal.LATENCY_LOW, Inner.WORKING, clears=Trouble.LATENCY),
    Transition(Inner.WORKING, Signal.SLOWED, Inner.WORKING, sets=Trouble.SLOWED),
    Transition(Inner.WORKING, Signal.FULL_SPEED, Inner.WORKING, clears=Trouble.SLOWED),
    Transition(Inner.WORKING, Signal.HOLD_OUT_OVER, Inner.WORKING, clears=Trouble.FLAPPING),
    Transition(
        Inner.REMOVED,
        Signal.REJOIN,
        Inner.WORKING,
        clears=Trouble.LOSS | Trouble.FLAPPING,
    ),
    Transition(Inner.REMOVED, Signal.ALONE, Inner.WORKING),
    Transition(Inner.WORKING, Signal.TEST_BEGIN, Inner.TESTING),
    Transition(Inner.TESTING, Signal.TEST_END, Inner.TESTING),
)


@dataclass(slots=True)
class LegMachine:
    """The state of one leg at one end. `signal` is the only way in."""

    role: Role
    facts: Facts
    inner: Inner = Inner.OFFLINE
    trouble: Trouble = field(default=Trouble.NONE)

    @property
    def shown(self) -> str:
        """The state as operators see it (behaviour 3.2)."""
        return shown_state(self.inner, self.trouble, self.facts)

    def signal(self, signal: Signal) -> Transition | None:
        """Follow the first row that fits; return it, or None when nothing changes."""
        row = self._row(signal)
        if row is None:
            return None
        self.inner = row.new
        self.trouble = (self.trouble | row.sets) & ~row.clears
        if row.new in (Inner.OFFLINE, Inner.DOWN):
            # What was wrong with a leg is measured anew once it is back.
            self.trouble = Trouble.NONE
        elif row.new is not Inner.WORKING:
            self.trouble &= ~Trouble.SLOWED  # adaptation begins anew too
        return row

    def _row(self, signal: Signal) -> Transition | None:
        for row in _ROWS.get((self.inner, signal), ()):
            here = row.at is None or row.at is self.role
            if here and (row.guard is None or row.guard.holds(self.facts, self.trouble)):
                return row
        return None


def shown_state(inner: Inner, trouble: Trouble, facts: Facts) -> str:
    """Return the first that holds of a WORKING leg, else the inner state's own name."""
    if inner is not Inner.WORKING:
        return inner.value
    if facts.mode is LinkMode.IDLE:
        return "idle"
    if trouble & UNHEALTHY:
        return "unhealthy"
    if Trouble.SLOWED in trouble:
        return "adjusted"
    return "failover" if facts.failover else "up"


def _index() -> dict[tuple[Inner, Signal], list[Transition]]:
    rows: dict[tuple[Inner, Signal], list[Transition]] = {}
    for row in TRANSITIONS:
        rows.setdefault((row.state, row.signal), []).append(row)
    return rows


_ROWS = _index()

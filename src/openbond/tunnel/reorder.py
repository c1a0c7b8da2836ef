"""Put the packets of each flow back in order, and wait for a missing one no longer than the hold.

Behaviour 2.10. What is in order passes straight through. What is early is held until the missing
ones came, until its hold ends, until room is short, or until the loss is proven: every live leg
has delivered something later of that flow. (Proof does not release while a repair can still come
in time.) What comes after it was given up is late: handed on at once, never dropped. A number that
was handed on already is a duplicate and dropped.
"""

from collections import Counter, deque
from collections.abc import Collection, Sequence

from .flows import SEQUENCES, START_STEP, UNORDERED
from .join import Item

# Behaviour 2.10 asks for 2 ms or more. Legs of equal delay still differ by what the scheduler gives
# a leg at once (1 ms of it), by the pacer's burst (2 ms) and by a late timer.
HOLD_LEAST = 0.005
# A leg may swap packets that follow each other closely: later ones prove nothing sooner than this.
PROOF_AFTER = 0.005
ROOM = 8 * 2**20  # bytes held per bond
# Further from what is expected than this, in either direction, and the peer has begun anew.
ANEW_BEYOND = 2**20
# A flow heard for the first time with so low a number began at its start (flows.START_STEP).
EARLY_START = 256
SKIPPED_MOST = 8192
FLOWS_MOST = 8192
FLOW_IDLE = 10.0
COPIES_MOST = 4096

_HALF = SEQUENCES // 2


class _Flow:
    __slots__ = ("held", "latest", "next", "skipped", "used_at", "waiting_since")

    def __init__(self, first: int) -> None:
        self.next = first  # the number that is handed on next
        self.held: dict[int, Item] = {}
        self.skipped: dict[int, None] = {}  # given up; whoever comes now is late. Oldest first
        self.latest: dict[int, int] = {}  # leg -> highest number it delivered
        self.used_at = 0.0
        self.waiting_since = 0.0  # since when `next` is known to be missing


class Order:
    """The reorder buffer of one bond and direction.

    hold: seconds an early packet may wait, 0 = never (set once a second by `set_hold`).
    Counters: `held` and `duplicates` in packets, `late` per leg.
    """

    def __init__(self) -> None:
        self.held = 0
        self.duplicates = 0
        self.late: Counter[int] = Counter()
        self._hold = 0.0
        self._live: Collection[int] = ()
        self._waits_for_repair = False
        self._flows: dict[int, _Flow] = {}
        self._arrivals: deque[tuple[float, _Flow, int]] = deque()  # of held ones, oldest first
        self._octets = 0
        self._copies: dict[int, None] = {}  # numbers of copies without order; oldest first
        self._ready: list[Item] = []

    def set_hold(self, hold: float, *, live: Collection[int], waits_for_repair: bool) -> None:
        """Take the hold in force, the legs that deliver, and whether repairs can beat the hold."""
        self._hold = hold
        self._live = live
        self._waits_for_repair = waits_for_repair

    def receive_run(
        self, flow: int, first: int, items: Sequence[Item], leg: int, now: float
    ) -> None:
        """Take the packets `first`, `first` + 1, ... of a flow, as a leg delivered them."""
        if flow == UNORDERED:
            self._ready.extend(items)
            return
        state = self._flows.get(flow)
        if state is None:
            state = self._begin(flow, first)
        state.used_at = now
        state.latest[leg] = first + len(items) - 1
        if first == state.next:
            state.next = (first + len(items)) % SEQUENCES
            self._ready.extend(items)
        else:
            self._receive_unordered(state, first, items, leg, now)
        if state.held:
            self._settle(state, now)

    def is_first_copy(self, number: int) -> bool:
        """Say whether a copy of a packet without order is the first to come (behaviour 2.14)."""
        if number in self._copies:
            self.duplicates += 1
            return False
        self._copies[number] = None
        if len(self._copies) > COPIES_MOST:
            del self._copies[next(iter(self._copies))]
        return True

    def take_ready(self) -> list[Item]:
        """Return what may be handed on, in order."""
        arrivals = self._arrivals
        while arrivals and arrivals[0][2] not in arrivals[0][1].held:
            arrivals.popleft()  # handed on: the timer is not theirs any more
        ready, self._ready = self._ready, []
        return ready

    def get_timer(self) -> float:
        """Return when the hold of the oldest packet ends."""
        return self._arrivals[0][0] + self._hold if self._arrivals else float("inf")

    def handle_timer(self, now: float) -> None:
        """Give up what was waited for too long, and forget idle flows."""
        while self.get_timer() <= now:
            self._release_oldest(now)
        if len(self._flows) > FLOWS_MOST:
            self._forget_idle(now)

    def _begin(self, flow: int, first: int) -> _Flow:
        since_start = first % START_STEP
        state = _Flow(first - since_start if since_start < EARLY_START else first)
        self._flows[flow] = state
        return state

    def _receive_unordered(
        self, state: _Flow, first: int, items: Sequence[Item], leg: int, now: float
    ) -> None:
        for number, item in enumerate(items, first):
            sequence = number % SEQUENCES
            ahead = (sequence - state.next + _HALF) % SEQUENCES - _HALF
            if abs(ahead) > ANEW_BEYOND:
                self._begin_anew(state, sequence)
                ahead = sequence - state.next
            if ahead < 0:
                self._receive_late(state, sequence, item, leg)
            elif ahead == 0:
                state.next = (sequence + 1) % SEQUENCES
                self._ready.append(item)
            elif sequence in state.held:
                self.duplicates += 1
            else:
                self._hold_back(state, sequence, item, now)

    def _receive_late(self, state: _Flow, sequence: int, item: Item, leg: int) -> None:
        if sequence not in state.skipped:
            self.duplicates += 1
            return
        del state.skipped[sequence]
        self.late[leg] += 1
        self._ready.append(item)

    def _hold_back(self, state: _Flow, sequence: int, item: Item, now: float) -> None:
        if not state.held:
            state.waiting_since = now
        state.held[sequence] = item
        self._arrivals.append((now, state, sequence))
        self._octets += len(item[0])
        self.held += 1
        if not self._hold:
            self._give_up_before(state, sequence)
        while self._octets > ROOM:
            self._release_oldest(now)

    def _settle(self, state: _Flow, now: float) -> None:
        """Hand on what is in order now, and what is proven to miss nothing that can still come."""
        if not self._waits_for_repair and now >= state.waiting_since + PROOF_AFTER:
            self._give_up_proven(state)
        held, before = state.held, state.next
        while (item := held.pop(state.next, None)) is not None:
            self._octets -= len(item[0])
            self._ready.append(item)
            state.next = (state.next + 1) % SEQUENCES
        if state.next != before:
            state.waiting_since = now

    def _give_up_proven(self, state: _Flow) -> None:
        """Give up what every live leg has passed: it delivered something later."""
        if all(leg in state.latest for leg in self._live):
            proven = min((self._ahead(state, leg) for leg in self._live), default=0)
            if proven > 0:
                self._give_up_before(state, (state.next + proven) % SEQUENCES)

    def _ahead(self, state: _Flow, leg: int) -> int:
        return (state.latest[leg] - state.next + _HALF) % SEQUENCES - _HALF

    def _release_oldest(self, now: float) -> None:
        _, state, sequence = self._arrivals.popleft()
        if sequence not in state.held:
            return  # handed on long ago
        if (sequence - state.next) % SEQUENCES >= _HALF:
            # The same number came twice and the other one was in time.
            self._octets -= len(state.held.pop(sequence)[0])
            self.duplicates += 1
            return
        self._give_up_before(state, sequence)
        self._settle(state, now)

    def _give_up_before(self, state: _Flow, limit: int) -> None:
        """Hand on what is held before `limit`; whatever of it is missing is given up."""
        missing = (limit - state.next) % SEQUENCES
        first = state.next
        if missing > SKIPPED_MOST:
            first = (limit - SKIPPED_MOST) % SEQUENCES
            self._hand_on_sorted(state, first)
        for number in range(first, first + min(missing, SKIPPED_MOST)):
            sequence = number % SEQUENCES
            item = state.held.pop(sequence, None)
            if item is None:
                state.skipped[sequence] = None
            else:
                self._octets -= len(item[0])
                self._ready.append(item)
        state.next = limit
        while len(state.skipped) > SKIPPED_MOST:
            del state.skipped[next(iter(state.skipped))]

    def _hand_on_sorted(self, state: _Flow, limit: int) -> None:
        """Hand on what is held before `limit` without counting through a wide gap."""
        begin, width = state.next, (limit - state.next) % SEQUENCES
        distances = sorted((sequence - begin) % SEQUENCES for sequence in state.held)
        for distance in distances:
            if distance < width:
                item = state.held.pop((begin + distance) % SEQUENCES)
                self._octets -= len(item[0])
                self._ready.append(item)

    def _begin_anew(self, state: _Flow, sequence: int) -> None:
        """The peer was restarted: hand on all that is left of before."""
        self._hand_on_sorted(state, (state.next + _HALF) % SEQUENCES)
        self._octets -= sum(len(body) for body, _ in state.held.values())
        state.held.clear()
        state.skipped.clear()
        state.latest.clear()
        since_start = sequence % START_STEP
        state.next = sequence - since_start if since_start < EARLY_START else sequence

    def _forget_idle(self, now: float) -> None:
        self._flows = {
            flow: state
            for flow, state in self._flows.items()
            if state.held or now - state.used_at < FLOW_IDLE
        }

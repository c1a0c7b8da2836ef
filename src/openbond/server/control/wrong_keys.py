"""Wrong node keys are slowed to one per second and address (behaviour 1.4).

An address that sent a wrong key is judged once a second from then on, its attempts taking turns,
until a right key clears it; more than can wait are turned away. A clean address may have a few
attempts judged at once (a site's machines behind one NAT), and no more, or a guesser would send
all guesses at once. Addresses never wait for one another.
"""

from dataclasses import dataclass, field

SECONDS_BETWEEN = 1.0
MAX_WAITING = 10
AT_ONCE = 8
MAX_ADDRESSES = 10_000


@dataclass(slots=True)
class WrongKeys:
    """Remembers, per address, when its next attempt may be judged, and how many are under way."""

    _next_turn: dict[str, float] = field(default_factory=dict)
    _under_way: dict[str, int] = field(default_factory=dict)

    def begin(self, address: str, now: float) -> float | None:
        """Begin an attempt; return how many seconds it must wait; None: turned away."""
        under_way = self._under_way.get(address, 0)
        wait = 0.0
        if address in self._next_turn or under_way >= AT_ONCE:
            turn = max(self._next_turn.get(address, now), now)
            wait = turn - now
            if wait >= MAX_WAITING * SECONDS_BETWEEN:
                return None
            self._set_turn(address, turn + SECONDS_BETWEEN, now)
        self._under_way[address] = under_way + 1
        return wait

    def on_wrong_key(self, address: str, now: float) -> None:
        turn = self._next_turn.get(address, now)
        self._set_turn(address, max(turn, now + SECONDS_BETWEEN), now)

    def on_right_key(self, address: str) -> None:
        self._next_turn.pop(address, None)

    def end(self, address: str) -> None:
        """End an attempt that was begun, whatever became of it."""
        left = self._under_way.pop(address) - 1
        if left:
            self._under_way[address] = left

    def _set_turn(self, address: str, turn: float, now: float) -> None:
        if len(self._next_turn) >= MAX_ADDRESSES:
            self._next_turn = {name: at for name, at in self._next_turn.items() if at > now}
        self._next_turn[address] = turn

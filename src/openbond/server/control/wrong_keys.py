"""Wrong node keys are slowed to one per second and address (behaviour 1.4).

Each attempt takes a turn before its key is looked at, or many at once would all be judged at once;
a right key clears the address. More than can wait are turned away. Addresses never wait for one
another.
"""

from dataclasses import dataclass, field

SECONDS_BETWEEN = 1.0
MAX_WAITING = 10
MAX_ADDRESSES = 10_000


@dataclass(slots=True)
class WrongKeys:
    """Remembers, per address, when its next attempt may be judged."""

    _next_turn: dict[str, float] = field(default_factory=dict)

    def seconds_to_wait(self, address: str, now: float) -> float | None:
        """Take a turn and return how long it is until then; None: turned away."""
        turn = max(self._next_turn.get(address, now), now)
        if turn - now >= MAX_WAITING * SECONDS_BETWEEN:
            return None
        self._forget(now)
        self._next_turn[address] = turn + SECONDS_BETWEEN
        return turn - now

    def on_right_key(self, address: str) -> None:
        self._next_turn.pop(address, None)

    def _forget(self, now: float) -> None:
        if len(self._next_turn) >= MAX_ADDRESSES:
            self._next_turn = {name: at for name, at in self._next_turn.items() if at > now}

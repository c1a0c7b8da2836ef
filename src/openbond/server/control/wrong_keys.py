"""Wrong node keys are slowed to one per second and address (behaviour 1.4).

An address that sent a wrong key is judged once a second from then on: its next attempts take
turns, and more than can wait are turned away at once. Addresses never wait for one another.
"""

from dataclasses import dataclass, field

SECONDS_BETWEEN = 1.0
MAX_WAITING = 10
FORGOTTEN_AFTER = 60.0


@dataclass(slots=True)
class WrongKeys:
    """Remembers, per address, when its next attempt may be judged."""

    _next_turn: dict[str, float] = field(default_factory=dict)

    def seconds_to_wait(self, address: str, now: float) -> float | None:
        """Return how long an attempt must wait for its turn; None: turned away."""
        turn = self._next_turn.get(address)
        if turn is None or turn <= now:
            if turn is not None:
                self._next_turn[address] = now + SECONDS_BETWEEN
            return 0.0
        wait = turn - now
        if wait > MAX_WAITING * SECONDS_BETWEEN:
            return None
        self._next_turn[address] = turn + SECONDS_BETWEEN
        return wait

    def on_wrong_key(self, address: str, now: float) -> None:
        self._forget(now)
        self._next_turn[address] = max(self._next_turn.get(address, 0.0), now + SECONDS_BETWEEN)

    def on_right_key(self, address: str) -> None:
        self._next_turn.pop(address, None)

    def _forget(self, now: float) -> None:
        old = [name for name, turn in self._next_turn.items() if turn < now - FORGOTTEN_AFTER]
        for name in old:
            del self._next_turn[name]

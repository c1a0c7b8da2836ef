"""How often a leg dropped, and how long it must therefore stay out (behaviour 3.4, flapping)."""

from collections import deque
from math import inf

FIRST_HOLD_OUT = 60.0
LONGEST_HOLD_OUT = 900.0
FORGIVEN_AFTER = 1800.0


class FlapCounter:
    """Flapping: `threshold` drops within `window`. Each further one doubles the hold-out."""

    def __init__(self, threshold: int, window: float) -> None:
        self.threshold = threshold
        self.window = window
        self.held_out_until = -inf
        self._drops: deque[float] = deque()
        self._hold_out = FIRST_HOLD_OUT
        self._last_drop_at = -inf

    def on_drop(self, now: float) -> bool:
        """Note a change to DOWN; report whether the leg is flapping."""
        if now >= self._last_drop_at + FORGIVEN_AFTER:
            self._hold_out = FIRST_HOLD_OUT
        self._last_drop_at = now
        self._drops.append(now)
        while self._drops[0] <= now - self.window:
            self._drops.popleft()
        if len(self._drops) < self.threshold:
            return False
        self._drops.clear()
        self.held_out_until = now + self._hold_out
        self._hold_out = min(2 * self._hold_out, LONGEST_HOLD_OUT)
        return True

    def is_held_out(self, now: float) -> bool:
        return now < self.held_out_until

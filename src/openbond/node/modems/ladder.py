"""The recovery ladder: what to do about a mobile leg on which nothing is heard (§3.8). Pure.

A modem that says "connected" proves nothing; the tunnel's probes decide.
"""

from collections.abc import Mapping
from enum import StrEnum


class Rung(StrEnum):
    """From the mildest to the strongest."""

    RECONNECT = "reconnect"
    RESET = "reset"
    POWER = "power"


# Seconds of silence → the rung. The only way from one to the next is more silence.
RUNGS = {Rung.RECONNECT: 60.0, Rung.RESET: 180.0, Rung.POWER: 600.0}
# Each again at most this often, also when the leg was heard in between.
AGAIN_AFTER_S = 900.0


class Ladder:
    """One leg's. Times: monotonic, s. `rungs`: seconds of silence before each, but in tests."""

    def __init__(
        self, rungs: Mapping[Rung, float] = RUNGS, *, again_after_s: float = AGAIN_AFTER_S
    ) -> None:
        self._rungs = rungs
        self._again_after_s = again_after_s
        self._silent_since: float | None = None
        self._climbed: dict[Rung, float] = {}

    def silent_for(self, now: float) -> float:
        return 0.0 if self._silent_since is None else now - self._silent_since

    def on_look(self, *, is_silent: bool, now: float) -> None:
        """Take in what the leg's tunnel daemon said. Again the same changes nothing."""
        if not is_silent:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now

    def next_rung(self, now: float) -> Rung | None:
        """Return what to do now, None if nothing; what is returned counts as done."""
        due = [rung for rung in self._rungs if self._due_at(rung) <= now]
        if not due:
            return None
        self._climbed[due[-1]] = now
        return due[-1]

    def get_timer(self, now: float) -> float:
        """Return when to ask for the next rung; infinite while the leg is heard."""
        return max(now, min(self._due_at(rung) for rung in self._rungs))

    def _due_at(self, rung: Rung) -> float:
        if self._silent_since is None:
            return float("inf")
        again = self._climbed.get(rung, float("-inf")) + self._again_after_s
        return max(self._silent_since + self._rungs[rung], again)

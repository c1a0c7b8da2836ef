"""When a program that ended is started again: at once, then 1 s doubling to 60 s (§1.2). Pure."""

from dataclasses import dataclass

FIRST_S = 1.0
MOST_S = 60.0
# A program that ran this long had a good start: its next end is a first one.
STEADY_S = 60.0


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often one program ended soon after its start, and how often in all."""

    soon: int = 0
    total: int = 0

    def ended(self, *, ran_s: float) -> "Restarts":
        soon = 1 if ran_s >= STEADY_S else self.soon + 1
        return Restarts(soon, self.total + 1)

    @property
    def delay_s(self) -> float:
        """Seconds to wait before the next start; never given up."""
        if self.soon <= 1:
            return 0.0
        return min(FIRST_S * 2.0 ** min(self.soon - 2, 10), MOST_S)

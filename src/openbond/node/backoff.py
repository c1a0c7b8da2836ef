"""How long to wait before the next attempt on the management channel (behaviour 1.5). Pure."""

from dataclasses import dataclass

FIRST_S = 1.0
MOST_S = 60.0
MOST_REFUSED_S = 15 * 60.0
LEAST_FACTOR, MOST_FACTOR = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from 1 s to 60 s, or to 15 min while the server answers 4xx; never gives up."""

    failures: int = 0

    def failed(self) -> "Backoff":
        return Backoff(self.failures + 1)

    def delay(self, *, refused: bool, dice: float) -> float:
        """Return seconds to wait. `dice` in [0, 1) spreads nodes; `refused`: the answer was 4xx."""
        if self.failures == 0:
            return 0.0
        most = MOST_REFUSED_S if refused else MOST_S
        # The exponent is capped: 2.0 ** 2000 would raise, and a node tries for ever.
        plain = min(FIRST_S * 2.0 ** min(self.failures - 1, 20), most)
        return plain * (LEAST_FACTOR + dice * (MOST_FACTOR - LEAST_FACTOR))

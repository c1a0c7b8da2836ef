"""What one leg must know of the others of its bond, and tell them."""

from typing import Protocol

from .hearing import HearingOf
from .probes import HeardLeg


class Neighbours(Protocol):
    """All legs of a bond at this end, as one of them sees them; `legs.Legs` is it."""

    def heard_for_probe(self, now: float) -> tuple[HeardLeg, ...]:
        """Return what the next probe says about our legs."""

    def on_told(self, heard: tuple[HeardLeg, ...], now: float) -> None:
        """Take what a probe of the peer says about its legs."""

    def on_hearing_of(self, told: HearingOf) -> None:
        """Take what the peer reports about one of the legs over another."""

    def probe_all_soon(self, now: float) -> None:
        """Let every leg probe now: there is something to tell."""

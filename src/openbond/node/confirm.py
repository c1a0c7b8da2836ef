"""Does a config just applied stay (behaviour 1.8, steps 4 to 6)? A table over what is observed.

A machine: it is fed with what happened and asked for its verdict; it knows no clock.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from openbond.wire.states import RollbackReason, ShownState

CONFIRM_WITHIN_S = 60.0

# A tunnel is up when one of its legs is in one of these states.
UP_STATES = frozenset(
    {
        ShownState.UP,
        ShownState.ADJUSTED,
        ShownState.UNHEALTHY,
        ShownState.FAILOVER,
        ShownState.IDLE,
    }
)


class Verdict(StrEnum):
    WAIT = "wait"
    CONFIRMED = "confirmed"
    ROLL_BACK = "roll_back"


class Condition(StrEnum):
    """What must hold again after an apply, if it held in the 60 s before."""

    TUNNEL = "tunnel"
    SERVER = "server"


REASONS = {
    Condition.TUNNEL: RollbackReason.TUNNEL_DOWN,
    Condition.SERVER: RollbackReason.SERVER_UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Held:
    """When each condition held last (monotonic, s); None: never since the agent's start."""

    tunnel: float | None = None
    server: float | None = None

    def required(self, now: float) -> frozenset[Condition]:
        """Return the conditions that held during the last 60 s."""
        found = {Condition.TUNNEL: self.tunnel, Condition.SERVER: self.server}
        return frozenset(
            condition
            for condition, at in found.items()
            if at is not None and now - at <= CONFIRM_WITHIN_S
        )


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The wait after one apply."""

    open: frozenset[Condition]
    deadline: float

    @classmethod
    def begin(cls, *, required: frozenset[Condition], forced: bool, now: float) -> "Confirmation":
        return cls(frozenset() if forced else required, now + CONFIRM_WITHIN_S)

    def met(self, condition: Condition) -> "Confirmation":
        return replace(self, open=self.open - {condition})

    def verdict(self, now: float) -> Verdict:
        if not self.open:
            return Verdict.CONFIRMED
        return Verdict.WAIT if now < self.deadline else Verdict.ROLL_BACK

    @property
    def reason(self) -> RollbackReason:
        """Return why a roll-back is due: the tunnel counts before the server."""
        first = Condition.TUNNEL if Condition.TUNNEL in self.open else Condition.SERVER
        return REASONS[first]

"""Which tunnels are up, by what their daemons said last. Pure: fed with states and `now`."""

from collections.abc import Collection

from openbond.node.confirm import UP_STATES
from openbond.wire.states import ShownState

SILENT_STATES = frozenset({ShownState.DOWN, ShownState.HANDSHAKING})
CARRYING_STATES = UP_STATES | {ShownState.TESTING}


class TunnelStates:
    """Leg states of all bonds, and when each bond was up last."""

    def __init__(self) -> None:
        self._legs: dict[int, dict[int, ShownState]] = {}
        self._last_up: dict[int, float] = {}

    def set_leg(self, bond_id: int, leg_id: int, state: ShownState, *, now: float) -> None:
        was_up = self.is_up(bond_id)
        self._legs.setdefault(bond_id, {})[leg_id] = state
        if was_up or self.is_up(bond_id):
            self._last_up[bond_id] = now

    def set_legs(self, bond_id: int, states: dict[int, ShownState], *, now: float) -> None:
        """Take a whole daemon's word: legs it does not name are gone."""
        was_up = self.is_up(bond_id)
        self._legs[bond_id] = dict(states)
        if was_up or self.is_up(bond_id):
            self._last_up[bond_id] = now

    def state_of(self, bond_id: int, leg_id: int) -> ShownState:
        return self._legs.get(bond_id, {}).get(leg_id, ShownState.DOWN)

    def silent_legs(self) -> frozenset[int]:
        """Return the legs on which nothing is heard. While none is heard, they tell nothing."""
        states = {leg: state for legs in self._legs.values() for leg, state in legs.items()}
        silent = frozenset(leg for leg, state in states.items() if state in SILENT_STATES)
        return silent if len(silent) < len(states) else frozenset()

    def is_up(self, bond_id: int) -> bool:
        return any(state in UP_STATES for state in self._legs.get(bond_id, {}).values())

    def carries(self, bond_id: int) -> bool:
        """Report whether customer data can pass: up, or a leg is back and alone (§3.3, TESTING)."""
        return any(state in CARRYING_STATES for state in self._legs.get(bond_id, {}).values())

    def last_up(self, bond_ids: Collection[int], *, now: float) -> float | None:
        """Return when one of the bonds was up last: now while one is."""
        if any(self.is_up(bond_id) for bond_id in bond_ids):
            return now
        times = [self._last_up[bond_id] for bond_id in bond_ids if bond_id in self._last_up]
        return max(times, default=None)

    def forget_others(self, bond_ids: Collection[int]) -> None:
        for bond_id in set(self._legs) - set(bond_ids):
            del self._legs[bond_id]
            self._last_up.pop(bond_id, None)

"""Whose networks an aggregator announces: of bonds that carry, and 30 s more (§5.7). Pure."""

from collections.abc import Iterable

KEPT_S = 30.0


class Announcements:
    """Fed with every change of a tunnel; asked which bonds are withdrawn."""

    def __init__(self) -> None:
        self._up: set[int] = set()
        self._lost_at: dict[int, float] = {}

    def on_tunnel(self, bond_id: int, *, is_up: bool, now: float) -> None:
        if is_up:
            self._up.add(bond_id)
            self._lost_at.pop(bond_id, None)
        elif bond_id in self._up:
            self._up.discard(bond_id)
            self._lost_at[bond_id] = now

    def adopt(self, bond_id: int, *, now: float) -> None:
        """Keep what an agent before us announced until its tunnel is known to be down."""
        if bond_id not in self._up:
            self._lost_at[bond_id] = now

    def withdrawn(self, bond_ids: Iterable[int], *, now: float) -> frozenset[int]:
        """Return the bonds whose networks are not to be announced now."""
        return frozenset(bond_id for bond_id in bond_ids if not self._is_kept(bond_id, now))

    def next_change(self) -> float | None:
        """Return when the next bond falls due, None when none does."""
        return min((at + KEPT_S for at in self._lost_at.values()), default=None)

    def settle(self, *, now: float) -> None:
        """Forget the times that have passed: their bonds are withdrawn for good."""
        self._lost_at = {bond: at for bond, at in self._lost_at.items() if now < at + KEPT_S}

    def _is_kept(self, bond_id: int, now: float) -> bool:
        lost_at = self._lost_at.get(bond_id)
        return bond_id in self._up or (lost_at is not None and now < lost_at + KEPT_S)

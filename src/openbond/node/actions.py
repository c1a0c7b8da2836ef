"""Actions are counters: act once when one is higher than the one last acted upon (§1.7). Pure.

The counter of `renew` stands in the arguments of the leg's DHCP client (plan/legs.py): a new count
is a new client.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from openbond.wire.config import NodeContent


class Kind(StrEnum):
    RESTART = "restart"
    DETECT_MTU = "detect_mtu"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: to a bond, or to a leg of it (leg_id 0: the bond itself)."""

    kind: Kind
    bond_id: int
    leg_id: int = 0

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.leg_id or self.bond_id}"


def due_actions(
    content: NodeContent, acted: Mapping[str, int] | None
) -> tuple[list[Action], dict[str, int]]:
    """Return what to do now, and the counters to remember.

    `acted` None: the first boot, which adopts all counters. So is a counter never seen before
    adopted: the bond or leg is new here, and starts fresh anyway.
    """
    counters = dict(_counters(content))
    remembered = {action.key: count for action, count in counters.items()}
    if acted is None:
        return [], remembered
    due = [action for action, count in counters.items() if count > acted.get(action.key, count)]
    # A config rolled back may show lower counters: what was acted upon stays acted upon.
    highest = {key: max(count, acted.get(key, count)) for key, count in remembered.items()}
    return due, highest


def _counters(content: NodeContent) -> Iterator[tuple[Action, int]]:
    for bond in content.bonds:
        yield Action(Kind.RESTART, bond.id), bond.restart_count
        for leg in bond.legs:
            yield Action(Kind.DETECT_MTU, bond.id, leg.id), leg.detect_mtu_count

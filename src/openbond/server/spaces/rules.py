"""Arithmetic about spaces. No database, no clock: callers pass what they know."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Switched(Protocol):
    """A space's switches: may it use what its parent may use?"""

    @property
    def pk(self) -> int: ...

    use_parent_aggregators: bool
    use_parent_qos_profiles: bool
    use_parent_mobile_provider_profiles: bool


@dataclass(frozen=True, slots=True)
class Sharing:
    """Ids of the spaces above one space whose objects of each kind are shared with it."""

    aggregators: frozenset[int]
    qos_profiles: frozenset[int]
    mobile_provider_profiles: frozenset[int]


def shared_from(upwards: Sequence[Switched]) -> Sharing:
    """Return what is shared with a space; `upwards` is the space itself, its parent, … the root.

    A parent's objects are shared while every space on the way has its switch on.
    """
    return Sharing(
        aggregators=_while_on(upwards, [s.use_parent_aggregators for s in upwards]),
        qos_profiles=_while_on(upwards, [s.use_parent_qos_profiles for s in upwards]),
        mobile_provider_profiles=_while_on(
            upwards, [s.use_parent_mobile_provider_profiles for s in upwards]
        ),
    )


def _while_on(upwards: Sequence[Switched], switches: Sequence[bool]) -> frozenset[int]:
    shared: set[int] = set()
    for switch, parent in zip(switches, upwards[1:], strict=False):
        if not switch:
            break
        shared.add(parent.pk)
    return frozenset(shared)

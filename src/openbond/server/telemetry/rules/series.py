"""Whose series there are, and how a name stands in a row: by its place in the table of wire."""

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import TypeAlias

from openbond.wire.metrics import (
    BOND_SERIES,
    DROPPED,
    LEG_SERIES,
    NODE_SERIES,
    Kind,
    RollUp,
    Series,
)


class Told(IntEnum):
    """What a row is about. Both ends of a bond tell of it, each for itself."""

    NODE = 1
    BOND_BY_BONDER = 2
    BOND_BY_AGGREGATOR = 3


# The tables of wire only grow at their ends, for rows remember places.
Name: TypeAlias = int | str  # the place in the table, or "dropped_…"
ITSELF = 0  # the owner of the node's or bond's own series; else the id of a leg

_REASON = re.compile(DROPPED + "[a-z_]{1,32}")
_DROPPED = Series(name=DROPPED, unit="packets", kind=Kind.COUNT, rolled_up=(RollUp.SUM,))


class Table:
    """The series of one kind of owner."""

    def __init__(self, series: Sequence[Series], *, has_reasons: bool = False) -> None:
        self.series = tuple(series)
        self._places = {one.name: place for place, one in enumerate(series)}
        self._has_reasons = has_reasons

    def place_of(self, name: str) -> Name | None:
        """Return how a series stands in a row; None for one that this server does not know."""
        place = self._places.get(name)
        if place is None and self._has_reasons and _REASON.fullmatch(name):
            return name
        return place

    def series_at(self, name: Name) -> Series | None:
        """Return what a place means; None for one of a newer server."""
        if isinstance(name, str):
            return _DROPPED
        return self.series[name] if name < len(self.series) else None


NODE, BOND, LEG = Table(NODE_SERIES), Table(BOND_SERIES, has_reasons=True), Table(LEG_SERIES)


def table_of(told: Told, owner: int) -> Table:
    """Return the table of the series of an owner within what is told."""
    if told is Told.NODE:
        return NODE
    return BOND if owner == ITSELF else LEG

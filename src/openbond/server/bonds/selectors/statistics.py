"""Counts of bonds and their parts in a space and below it (api-v3 07-people-spaces 5)."""

from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import RollUp, counted
from openbond.wire.states import LegType, LinkMode

LEG_KEYS = {value: value for value in [*map(str, LegType), *map(str, LinkMode)]}


def bond_statistics(space: Space) -> RollUp:
    return counted(space, "bond", keys={})


def leg_statistics(space: Space) -> RollUp:
    """Return `count`, one key for each type, and one for each link mode."""
    return counted(space, "leg", keys=LEG_KEYS)

"""Counts of bonds and their parts in a space and below it (api-v3 07-people-spaces 5)."""

from openbond.server.bonds.models import Bond, Leg
from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import ALL, RollUp, roll_up, roll_up_by
from openbond.wire.states import LegType, LinkMode


def bond_statistics(space: Space) -> RollUp:
    return roll_up(Bond.objects.all(), space=space, counts={"count": ALL})


def leg_statistics(space: Space) -> RollUp:
    """Return `count`, one key for each type, and one for each link mode."""
    columns = {
        "type": [kind.value for kind in LegType],
        "link_mode": [mode.value for mode in LinkMode],
    }
    return roll_up_by(Leg.objects.all(), space=space, columns=columns)

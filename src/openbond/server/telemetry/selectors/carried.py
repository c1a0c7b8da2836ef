"""Which bonds a node may tell of: those that it carries now, with the legs that they have."""

from dataclasses import dataclass, field

from django.db.models import BigIntegerField, Q

from openbond.server.bonds.models import Bond
from openbond.server.system.prepared import Given, Prepared
from openbond.server.telemetry.rules.series import Told

NODE = Given("node", BigIntegerField())

CARRIED = Prepared(
    lambda: Bond.objects.filter(Q(bonder_id=NODE) | Q(current_aggregator_id=NODE)).order_by(),
    "id",
    "bonder_id",
    "legs__id",
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A bond that a node carries: as which end it tells, and the ids of its legs."""

    told: Told
    leg_ids: set[int] = field(default_factory=set)


def carried_by(node_id: int) -> dict[int, Carried]:
    """Return the bonds that a node carries, by their ids."""
    found: dict[int, Carried] = {}
    for row in CARRIED.run(node=node_id):
        is_bonder = row["bonder_id"] == node_id
        told = Told.BOND_BY_BONDER if is_bonder else Told.BOND_BY_AGGREGATOR
        bond = found.setdefault(row["id"], Carried(told))
        if row["legs__id"] is not None:
            bond.leg_ids.add(row["legs__id"])
    return found

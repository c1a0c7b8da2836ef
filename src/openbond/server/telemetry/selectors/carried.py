"""Which bonds a node may tell of: those that it carries now, with the legs that they have."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openbond.server.bonds.models import Bond
from openbond.server.system.prepared import Among, Prepared, ids_of
from openbond.server.telemetry.rules.series import Told

COLUMNS = {
    Told.BOND_BY_BONDER: "bonder_id",
    Told.BOND_BY_AGGREGATOR: "current_aggregator_id",
}


def _carried(column: str) -> Prepared:
    return Prepared(
        lambda: Bond.objects.filter(Among(column, "nodes")).order_by(), "id", column, "legs__id"
    )


# Two reads, each by an index: for an "or" of both PostgreSQL would read the whole table.
CARRIED = {told: _carried(column) for told, column in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class Carried:
    """A bond that a node carries: as which end it tells, and the ids of its legs."""

    told: Told
    leg_ids: set[int] = field(default_factory=set)


def carried_by(node_ids: Sequence[int]) -> dict[int, dict[int, Carried]]:
    """Return for each node the bonds that it carries, by their ids."""
    found: dict[int, dict[int, Carried]] = {node_id: {} for node_id in node_ids}
    nodes = ids_of(list(found))
    for told, read in CARRIED.items():
        for row in read.run(nodes=nodes):
            bond = found[row[COLUMNS[told]]].setdefault(row["id"], Carried(told))
            if row["legs__id"] is not None:
                bond.leg_ids.add(row["legs__id"])
    return found

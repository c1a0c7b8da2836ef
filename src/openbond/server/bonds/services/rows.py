"""Takes a bond for writing, and refuses while it is being tuned."""

from openbond.server.bonds.models import Bond
from openbond.server.errors import TuningInProgress
from openbond.server.fleet.models import RoutingGroup
from openbond.server.system.locks import locked


def lock_bond(bond_id: int) -> Bond:
    """Return the bond, locked until the transaction ends. Raises Vanished."""
    bonds = Bond.objects.select_related(
        "space",
        "bonder",
        "aggregator__routing_group",
        "secondary_aggregator__routing_group",
        "current_aggregator",
    )
    return locked(bonds, bond_id)


def refuse_while_tuning(bond: Bond) -> None:
    """Raises TuningInProgress (api-v3 02-bonds, rule 3)."""
    if bond.tuning_in_progress:
        raise TuningInProgress


def groups_of_bond(bond: Bond) -> list[RoutingGroup]:
    """Return the routing groups of its primary and, if any, secondary aggregator."""
    ends = [bond.aggregator, bond.secondary_aggregator]
    return [end.routing_group for end in ends if end is not None]

"""Which legs can carry packets now: carrier, address, interface (behaviour 3.3, READY). Pure."""

from collections.abc import Iterator

from openbond.node.plan.facts import Facts
from openbond.node.plan.site import leg_source
from openbond.node.plan.values import Observed
from openbond.wire.config import LegConfig, NodeContent
from openbond.wire.states import LinkMode, NodeKind


def obstacles(
    content: NodeContent, facts: Facts, observed: Observed
) -> Iterator[tuple[int, int, str]]:
    """Yield (bond, leg, what is missing) of each leg of a bonder; "" = nothing is missing."""
    if content.kind is NodeKind.BONDER:
        for bond in content.bonds:
            for leg in bond.legs:
                if leg.link_mode is not LinkMode.OFFLINE:
                    yield bond.id, leg.id, _obstacle(leg, facts, observed)


def _obstacle(leg: LegConfig, facts: Facts, observed: Observed) -> str:
    link = observed.links.get(leg.interface)
    if link is None:
        return f"interface {leg.interface} does not exist"
    # Before the first apply the interface is not up yet: then carrier says nothing.
    if link.up and not link.carrier:
        return f"no carrier on {leg.interface}"
    return "" if leg_source(leg, facts) else "no address yet"

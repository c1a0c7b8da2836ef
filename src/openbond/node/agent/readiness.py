"""Which legs can carry packets now: carrier, address, interface (behaviour 3.3, READY). Pure."""

from collections.abc import Iterator

from openbond.node.plan.facts import Facts
from openbond.node.plan.lines import leg_interface, leg_source
from openbond.node.plan.values import Observed
from openbond.wire.config import LegConfig, MobileAccess, NodeContent, PppoeAccess
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
    if isinstance(leg.access, PppoeAccess | MobileAccess) and not leg_source(leg, facts):
        line = facts.lines.get(leg.id)
        return (line.trouble if line else "") or "no address yet"
    interface = leg_interface(leg, facts)
    link = observed.links.get(interface)
    if link is None:
        return f"interface {interface} does not exist"
    # Before the first apply the interface is not up yet: then carrier says nothing.
    if link.up and not link.carrier:
        return f"no carrier on {interface}"
    return "" if leg_source(leg, facts) else "no address yet"

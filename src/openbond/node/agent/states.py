"""What the node says of its legs every 60 s (behaviour 3.3). Pure."""

from collections.abc import Mapping

from msgspec import structs

from openbond.node.daemon_messages import LegStatus, StatusAnswer
from openbond.node.modems.messages import ModemFacts
from openbond.node.plan.facts import Facts
from openbond.node.plan.lines import leg_address, leg_gateway, leg_interface
from openbond.wire.config import LegConfig, NodeContent
from openbond.wire.reports import LegFacts
from openbond.wire.states import LinkMode, ShownState

NO_MODEMS: Mapping[int, ModemFacts] = {}


def leg_facts(
    content: NodeContent,
    statuses: Mapping[int, StatusAnswer],
    facts: Facts,
    modems: Mapping[int, ModemFacts] = NO_MODEMS,
) -> list[LegFacts]:
    """Return the facts of all legs; a leg whose daemon does not answer is down at this end."""
    found = []
    for bond in content.bonds:
        status = statuses.get(bond.id)
        known = {leg.leg_id: leg for leg in status.legs} if status else {}
        found += [_facts_of(bond.id, leg, known.get(leg.id), facts) for leg in bond.legs]
    found = [_with_modem(fact, modems.get(fact.leg_id)) for fact in found]
    return found


def _facts_of(bond_id: int, leg: LegConfig, status: LegStatus | None, facts: Facts) -> LegFacts:
    address, lease = leg_address(leg, facts), facts.leases.get(leg.id)
    gateway = leg_gateway(leg, facts)
    return LegFacts(
        bond_id=bond_id,
        leg_id=leg.id,
        state=shown_state(leg, status),
        ip=str(address.ip) if address else None,
        prefix=address.network.prefixlen if address else None,
        gateway=str(gateway) if gateway else None,
        dhcp_server=(lease.server or None) if lease else None,
        lease_obtained_ms=lease.obtained * 1000 if lease else None,
        lease_expires_ms=lease.expires * 1000 if lease else None,
        adapted_kbps=status.adapted_kbps if status else None,
        rtt_us=status.rtt_us if status else None,
        loss_permille=status.loss_permille if status else None,
        spill_reason=status.spill_reason if status else "",
        interface=leg_interface(leg, facts) or None,
    )


def _with_modem(fact: LegFacts, modem: ModemFacts | None) -> LegFacts:
    if modem is None:
        return fact
    return structs.replace(
        fact,
        imei=modem.imei,
        operator=modem.operator,
        access_technology=modem.access_technology,
        signal_quality=modem.signal_quality,
    )


def shown_state(leg: LegConfig, status: LegStatus | None) -> ShownState:
    if leg.link_mode is LinkMode.OFFLINE:
        return ShownState.OFFLINE
    return status.state if status else ShownState.DOWN

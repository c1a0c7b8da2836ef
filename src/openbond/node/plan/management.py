"""The one DHCP leg that a decommissioned node keeps up, to be told so again (§1.4). Pure."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface

from openbond.wire.config import DhcpAccess, LegConfig, NodeContent
from openbond.wire.states import LinkMode, NodeKind

from .facts import Facts, Lease, ManagementLeg
from .legs import wish_dhcp_client, wish_own_table, wish_vlan
from .values import Address, LinkUp
from .wishes import Wishes


def choose_management_leg(
    content: NodeContent, leases: Mapping[int, Lease]
) -> ManagementLeg | None:
    """Return the leg to keep of the config before: one with a lease, else one that may get one."""
    if content.kind is NodeKind.AGGREGATOR:
        return None
    legs = [leg for bond in content.bonds for leg in bond.legs if leg.interface]
    found = sorted(legs, key=lambda leg: _rank(leg, leases))
    return ManagementLeg(leg_id=found[0].id, interface=found[0].interface) if found else None


def _rank(leg: LegConfig, leases: Mapping[int, Lease]) -> tuple[bool, bool, bool, int]:
    return (
        not isinstance(leg.access, DhcpAccess),
        leg.id not in leases,
        leg.link_mode is LinkMode.OFFLINE,
        leg.id,
    )


def wish_management_leg(wishes: Wishes, content: NodeContent, facts: Facts) -> None:
    """Wish for the leg of a node that is decommissioned; others have legs of their own."""
    leg = facts.management_leg
    if not content.decommission or leg is None:
        return
    about = f"leg {leg.leg_id}"
    wish_vlan(wishes, leg.interface, about)
    wishes.setting(LinkUp(leg.interface, True), about)
    wish_dhcp_client(wishes, leg.leg_id, leg.interface, facts)
    lease = facts.leases.get(leg.leg_id)
    if lease is not None:
        own = ip_interface(f"{lease.ip}/{lease.prefix}")
        gateway = ip_address(lease.gateway) if lease.gateway else None
        wishes.address(Address(leg.interface, own, has_network=False), about)
        wish_own_table(wishes, leg.leg_id, leg.interface, own, gateway)

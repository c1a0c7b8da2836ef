"""Where a leg's packets leave and from which address: by its type (§3.8). Pure."""

from ipaddress import ip_address, ip_interface

from openbond.wire.config import DhcpAccess, LegConfig, MobileAccess, PppoeAccess, StaticAccess
from openbond.wire.states import LegType

from .facts import Facts, Lease, Line
from .numbers import ppp_device_of
from .values import IpAddress, IpInterface

# The PPPoE header costs eight bytes of an Ethernet frame (RFC 2516).
PPPOE_MTU_MOST = 1492
NO_LEASE = Lease(ip="", prefix=0, obtained=0, seconds=0)
NO_LINE = Line()


def leg_interface(leg: LegConfig, facts: Facts) -> str:
    """Return the interface by which a leg's packets leave, "" while there is none."""
    if isinstance(leg.access, PppoeAccess):
        return ppp_device_of(leg.id)
    if isinstance(leg.access, MobileAccess):
        return facts.lines.get(leg.id, NO_LINE).interface
    return leg.interface


def leg_interfaces(leg: LegConfig, facts: Facts) -> list[str]:
    """Return every interface that belongs to a leg: a PPPoE leg has its raw one too."""
    return sorted({name for name in (leg.interface, leg_interface(leg, facts)) if name})


def leg_address(leg: LegConfig, facts: Facts) -> IpInterface | None:
    """Return the leg's own address with its network, None while it has none."""
    if isinstance(leg.access, StaticAccess):
        return ip_interface(f"{leg.access.ip}/{leg.access.prefix}")
    line = _line(leg, facts)
    if line.ip:
        return ip_interface(f"{line.ip}/{line.prefix}")
    lease = facts.leases.get(leg.id)
    if lease is not None and asks_by_dhcp(leg, facts):
        return ip_interface(f"{lease.ip}/{lease.prefix}")
    return None


def leg_source(leg: LegConfig, facts: Facts) -> str:
    """Return the leg's own address, "" while it has none."""
    address = leg_address(leg, facts)
    return str(address.ip) if address else ""


def leg_gateway(leg: LegConfig, facts: Facts) -> IpAddress | None:
    if isinstance(leg.access, StaticAccess):
        text = leg.access.gateway
    else:
        text = _line(leg, facts).gateway or facts.leases.get(leg.id, NO_LEASE).gateway
    return ip_address(text) if text else None


def leg_name_servers(leg: LegConfig, facts: Facts) -> tuple[str, ...]:
    """Return what was offered for this leg; it serves the agent on this leg only."""
    line, lease = _line(leg, facts), facts.leases.get(leg.id, NO_LEASE)
    return tuple(line.name_servers or lease.name_servers)


def asks_by_dhcp(leg: LegConfig, facts: Facts) -> bool:
    """Report whether a DHCP client serves the leg: some modems give their address that way."""
    line = _line(leg, facts)
    return isinstance(leg.access, DhcpAccess) or bool(line.interface and not line.ip)


def leg_mtu_most(leg: LegConfig) -> int | None:
    """Return the largest outer packet a leg may be asked to take; None: as the interface says."""
    if leg.type is LegType.PPPOE:
        return min(leg.interface_mtu or PPPOE_MTU_MOST, PPPOE_MTU_MOST)
    return leg.interface_mtu


def _line(leg: LegConfig, facts: Facts) -> Line:
    if isinstance(leg.access, PppoeAccess | MobileAccess):
        return facts.lines.get(leg.id, NO_LINE)
    return NO_LINE

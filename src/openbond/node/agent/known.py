"""What the agent knows beside the config: leases, sizes, ways to the server."""

from collections.abc import Sequence
from pathlib import Path

from openbond.node.announce import Announcements
from openbond.node.channel.ways import BY_OWN_ROUTING, Way
from openbond.node.linux.routes import has_default_route
from openbond.node.plan.facts import Facts, Lease, Line, Machine, ManagementLeg
from openbond.node.plan.lines import leg_interface, leg_name_servers, leg_source
from openbond.node.plan.values import Observed
from openbond.wire.config import LegConfig, NodeContent
from openbond.wire.states import LegType, LinkMode, NodeKind

ROUTES = Path("/proc/net/route")


class Known:
    """Facts as they are now, for the planner and for the management channel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.leases: dict[int, Lease] = {}
        self.lines: dict[int, Line] = {}
        self.management_leg: ManagementLeg | None = None
        self.inner_mtus: dict[int, int] = {}
        self.announcements = Announcements()
        self._own_addresses: frozenset[str] = frozenset()

    def look_at(self, observed: Observed) -> bool:
        """Take in what the machine has; report whether that changes what shall be planned."""
        found = frozenset(str(ip.ip) for _, ip in observed.foreign_addresses)
        before, self._own_addresses = self._own_addresses, found
        return before != found

    def facts(self, content: NodeContent, *, now: float) -> Facts:
        bonds = [bond.id for bond in content.bonds]
        return Facts(
            machine=self._machine,
            leases=dict(self.leases),
            lines=dict(self.lines),
            management_leg=self.management_leg,
            inner_mtus=dict(self.inner_mtus),
            withdrawn=self.announcements.withdrawn(bonds, now=now),
            own_addresses=self._own_addresses,
        )

    def ways(self, content: NodeContent | None) -> Sequence[Way]:
        """Return the ways to the server: legs of mode `idle` or `active`, not the tunnel (§1.5)."""
        if content is None or content.kind is NodeKind.AGGREGATOR:
            return [BY_OWN_ROUTING]
        legs = [leg for bond in content.bonds for leg in bond.legs]
        found = [way for leg in legs if (way := self._way(leg)) is not None]
        if content.decommission:
            found += self._management_ways()
        # The machine's own default route, e.g. of a management network, is a last resort; without
        # one, own routing would lead into the tunnel, which may be what is broken.
        if not found or _own_default_route():
            found.append(BY_OWN_ROUTING)
        return found

    def _way(self, leg: LegConfig) -> Way | None:
        facts = Facts(self._machine, leases=self.leases, lines=self.lines)
        source = leg_source(leg, facts)
        if leg.link_mode is LinkMode.OFFLINE or not source:
            return None
        return Way(
            leg.id,
            source=source,
            interface=leg_interface(leg, facts),
            is_mobile=leg.type is LegType.MOBILEBROADBAND,
            name_servers=leg_name_servers(leg, facts),
        )

    def _management_ways(self) -> list[Way]:
        leg = self.management_leg
        lease = self.leases.get(leg.leg_id) if leg else None
        if leg is None or lease is None:
            return []
        servers = tuple(lease.name_servers)
        return [Way(leg.leg_id, lease.ip, leg.interface, name_servers=servers)]


def _own_default_route() -> bool:
    try:
        return has_default_route(ROUTES.read_text())
    except OSError:
        return False

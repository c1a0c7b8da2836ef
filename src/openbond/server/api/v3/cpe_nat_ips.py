"""CPE NAT IPs: public addresses translated on the bonder (04-routing.md, 3)."""

from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from openbond.server.api import lists
from openbond.server.api.addresses import Ipv4
from openbond.server.api.body import Body
from openbond.server.api.fields import Flag, Link, Text, Time, Whole
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds import selectors, services
from openbond.server.bonds.models import Bond, CpeNatIP

from .parents import bond_of
from .routing_objects import CPE_NAT_IP_COLUMNS, TIMES, cpe_nat_ip


class CpeNatIpBody(Body):
    id = Whole(read_only=True)
    url = Link()
    bond = Link()
    ip = Ipv4(unicast=False, required=True)
    dest_nat_ip = Ipv4(unicast=False, required=True)
    dest_nat_netmask = Text(read_only=True)
    enabled = Flag()
    note = Text(4000)
    created = Time()
    modified = Time()


class CpeNatIps(Resource[CpeNatIP]):
    """CPE NAT IPs of a bond: inbound to one private host, outbound for its whole network."""

    codes = codes_for("cpenatip")
    body = CpeNatIpBody
    listing = lists.Listing(
        filters={
            "ip": lists.address("ip"),
            "dest_nat_ip": lists.address("dest_nat_ip"),
            "enabled": lists.flag("enabled"),
        },
        search=("ip", "dest_nat_ip", "note"),
        ordering={
            "id": lists.by("id"),
            "ip": lists.by("ip_key"),
            "dest_nat_ip": lists.by("dest_nat_ip_key"),
            "enabled": lists.by("enabled"),
            "created": lists.by("created"),
        },
    )

    @cached_property
    def bond(self) -> Bond:
        return bond_of(self)

    def rows(self) -> QuerySet[CpeNatIP]:
        return selectors.cpe_nat_ips_visible_to(self.viewer).filter(bond=self.bond)

    def present(self, rows: QuerySet[CpeNatIP]) -> list[Shown]:
        networks = selectors.connected_edges(self.bond.pk)
        return [
            cpe_nat_ip(row, self.links, networks)
            for row in rows.values(*CPE_NAT_IP_COLUMNS, **TIMES)
        ]

    def make(self, given: dict[str, Any]) -> CpeNatIP:
        return services.create_cpe_nat_ip(by=self.viewer, bond=self.bond, **given)

    def alter(self, row: CpeNatIP, given: dict[str, Any]) -> None:
        services.update_cpe_nat_ip(by=self.viewer, cpe_nat_ip=row, **given)

    def discard(self, row: CpeNatIP) -> None:
        services.delete_cpe_nat_ip(by=self.viewer, cpe_nat_ip=row)

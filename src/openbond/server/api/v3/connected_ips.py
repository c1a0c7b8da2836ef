"""Connected IPs: addresses on the bonder's LAN side (04-routing.md, 2)."""

from functools import cached_property
from ipaddress import ip_address
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError

from openbond.server.api import lists
from openbond.server.api.addresses import (
    Interface,
    PrefixedAddress,
    agreed_prefix,
)
from openbond.server.api.body import Body
from openbond.server.api.fields import AnyField, Choice, Flag, Link, Text, Time, Whole
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds import selectors, services
from openbond.server.bonds.models import AggRouting, Bond, ConnectedIP

from .parents import bond_of
from .routing_objects import CONNECTED_IP_COLUMNS, TIMES, connected_ip

PREFIX_NEEDED = "Give a netmask, or a prefix length with the address."


class ConnectedIpBody(Body):
    id = Whole(read_only=True)
    url = Link()
    bond = Link()
    interface = Interface(required=True)
    ip = PrefixedAddress(required=True)
    netmask = Text(blank=False, required=True)
    network = Text(read_only=True)
    enabled = Flag()
    include_private_wan = Flag()
    agg_routing = Choice(AggRouting.values)
    note = Text(4000)
    created = Time()
    modified = Time()

    def get_fields(self) -> dict[str, AnyField]:
        fields = super().get_fields()
        if "/" in str(getattr(self, "initial_data", {}).get("ip", "")):
            fields["netmask"].required = False
        return fields

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """Join address, prefix and netmask into the columns `ip` and `prefix`."""
        mask = given.pop("netmask", None)
        if mask is None and "ip" not in given:
            return given
        row: ConnectedIP | None = self.context["row"]
        address, prefix = given.pop("ip", None) or (ip_address(row.ip if row else ""), None)
        agreed = agreed_prefix(address, prefix, mask)
        if agreed is None:
            agreed = _kept_prefix(row, address.version)
        return given | {"ip": str(address), "prefix": agreed}


def _kept_prefix(row: ConnectedIP | None, version: int) -> int:
    """PATCH of the address alone keeps the netmask, if that fits the IP version."""
    if row is None or (":" in row.ip) != (version == 6):
        raise ValidationError({"netmask": [PREFIX_NEEDED]})
    return row.prefix


class ConnectedIps(Resource[ConnectedIP]):
    """Connected IPs of a bond; the subnet of each is the customer's network."""

    codes = codes_for("connectedip")
    body = ConnectedIpBody
    listing = lists.Listing(
        filters={
            "interface": lists.text("interface"),
            "ip": lists.address("ip"),
            "network": lists.network("network"),
            "enabled": lists.flag("enabled"),
            "include_private_wan": lists.flag("include_private_wan"),
            "agg_routing": lists.choice("agg_routing", AggRouting.values),
        },
        search=("interface", "ip", "network", "note"),
        ordering={
            "id": lists.by("id"),
            "interface": lists.by_text("interface"),
            "ip": lists.by("ip_key"),
            "network": lists.by("first", "last"),
            "enabled": lists.by("enabled"),
            "created": lists.by("created"),
        },
    )

    @cached_property
    def bond(self) -> Bond:
        return bond_of(self)

    def rows(self) -> QuerySet[ConnectedIP]:
        return selectors.connected_ips_visible_to(self.viewer).filter(bond=self.bond)

    def present(self, rows: QuerySet[ConnectedIP]) -> list[Shown]:
        return [
            connected_ip(row, self.links) for row in rows.values(*CONNECTED_IP_COLUMNS, **TIMES)
        ]

    def make(self, given: dict[str, Any]) -> ConnectedIP:
        return services.create_connected_ip(by=self.viewer, bond=self.bond, **given)

    def alter(self, row: ConnectedIP, given: dict[str, Any]) -> None:
        services.update_connected_ip(by=self.viewer, connected_ip=row, **given)

    def discard(self, row: ConnectedIP) -> None:
        services.delete_connected_ip(by=self.viewer, connected_ip=row)

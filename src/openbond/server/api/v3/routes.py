"""Routes: further networks behind a router at the customer's site (04-routing.md, 4)."""

from functools import cached_property
from ipaddress import ip_network
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError

from openbond.server.api import lists
from openbond.server.api.addresses import (
    HOST_BITS,
    NOT_ADDRESS,
    PrefixedAddress,
    agreed_prefix,
    parsed_address,
)
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Flag, JsonValue, Link, Text, Time, Whole
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds import selectors, services
from openbond.server.bonds.models import AggRouting, Bond, Route

from .parents import bond_of
from .routing_objects import ROUTE_COLUMNS, TIMES, route


class Gateway(Text):
    """The address of a next hop, of either IP version."""

    def to_internal_value(self, data: JsonValue) -> str:
        address = parsed_address(super().to_internal_value(data))
        if address is None:
            raise ValidationError(NOT_ADDRESS)
        return str(address)


class RouteBody(Body):
    id = Whole(read_only=True)
    url = Link()
    bond = Link()
    network = PrefixedAddress(required=True)
    netmask = Text(blank=False)
    gateway = Gateway(blank=False, required=True)
    interface = Text(blank=False)
    enabled = Flag()
    include_private_wan = Flag()
    agg_routing = Choice(AggRouting.values)
    note = Text(4000)
    created = Time()
    modified = Time()

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """Join network and netmask into CIDR; a bare address without a netmask is one host."""
        mask = given.pop("netmask", None)
        if mask is None and "network" not in given:
            return given
        row: Route | None = self.context["row"]
        old = ip_network(row.network if row else "0.0.0.0/0")[0]
        address, prefix = given.pop("network", None) or (old, None)
        agreed = agreed_prefix(address, prefix, mask)
        text = f"{address}/{address.max_prefixlen if agreed is None else agreed}"
        network = ip_network(text, strict=False)
        if network[0] != address:
            raise ValidationError({"network": [HOST_BITS.format(network=text, meant=network)]})
        return given | {"network": str(network)}


class Routes(Resource[Route]):
    """Routes of a bond, loaded on its bonder and its aggregator."""

    codes = codes_for("route")
    body = RouteBody
    listing = lists.Listing(
        filters={
            "network": lists.network("network"),
            "gateway": lists.address("gateway"),
            "interface": lists.text("interface"),
            "enabled": lists.flag("enabled"),
            "include_private_wan": lists.flag("include_private_wan"),
            "agg_routing": lists.choice("agg_routing", AggRouting.values),
        },
        search=("network", "gateway", "note"),
        ordering={
            "id": lists.by("id"),
            "network": lists.by("first", "last"),
            "gateway": lists.by("gateway_key"),
            "interface": lists.by_text("interface"),
            "enabled": lists.by("enabled"),
            "created": lists.by("created"),
        },
    )

    @cached_property
    def bond(self) -> Bond:
        return bond_of(self)

    def rows(self) -> QuerySet[Route]:
        return selectors.routes_visible_to(self.viewer).filter(bond=self.bond)

    def present(self, rows: QuerySet[Route]) -> list[Shown]:
        return [route(row, self.links) for row in rows.values(*ROUTE_COLUMNS, **TIMES)]

    def make(self, given: dict[str, Any]) -> Route:
        return services.create_route(by=self.viewer, bond=self.bond, **given)

    def alter(self, row: Route, given: dict[str, Any]) -> None:
        services.update_route(by=self.viewer, route=row, **given)

    def discard(self, row: Route) -> None:
        services.delete_route(by=self.viewer, route=row)

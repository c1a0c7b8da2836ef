"""Routing objects: connected IPs, CPE NAT IPs and routes (api-v3 04-routing)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from openbond.server.system.columns import AddressKeyField, Dated, FirstKeyField, LastKeyField

from .bonds import Bond


class AggRouting(models.TextChoices):
    """Whether the aggregator routes a network into the tunnel."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class ConnectedIP(Dated):
    """An address of the bonder on a customer-side interface; its subnet is the customer's."""

    bond = models.ForeignKey(Bond, models.CASCADE, related_name="connected_ips")
    interface = models.CharField(max_length=15)
    ip = models.CharField(max_length=39)
    ip_key = AddressKeyField(source="ip")
    prefix = models.PositiveSmallIntegerField()
    network = models.CharField(max_length=43)
    first = FirstKeyField(source="network")
    last = LastKeyField(source="network")
    enabled = models.BooleanField(default=True)
    include_private_wan = models.BooleanField(default=True)
    agg_routing = models.CharField(max_length=8, choices=AggRouting, default=AggRouting.AUTO)
    note = models.CharField(max_length=4000, default="", blank=True)
    # Seconds of a lease of the DHCP server with DNS on it; 0: there is none (behaviour 5.9).
    dhcp_lease = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bond", "ip_key"],
                condition=Q(enabled=True),
                name="connected_ip_enabled_once_on_bond",
            ),
            models.CheckConstraint(
                condition=Q(ip_key__gte=F("first"), ip_key__lte=F("last")),
                name="connected_ip_in_its_network",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ip}/{self.prefix}"


class CpeNatIP(Dated):
    """One public address translated on the bonder. The network it serves is derived."""

    bond = models.ForeignKey(Bond, models.CASCADE, related_name="cpe_nat_ips")
    ip = models.CharField(max_length=15)
    ip_key = AddressKeyField(source="ip")
    dest_nat_ip = models.CharField(max_length=15)
    dest_nat_ip_key = AddressKeyField(source="dest_nat_ip")
    enabled = models.BooleanField(default=True)
    note = models.CharField(max_length=4000, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bond", "dest_nat_ip_key"],
                condition=Q(enabled=True),
                name="cpe_nat_ip_destination_enabled_once_on_bond",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ip} to {self.dest_nat_ip}"


class Route(Dated):
    """A further network behind a router at the customer's site."""

    bond = models.ForeignKey(Bond, models.CASCADE, related_name="routes")
    network = models.CharField(max_length=43)
    first = FirstKeyField(source="network")
    last = LastKeyField(source="network")
    gateway = models.CharField(max_length=39)
    gateway_key = AddressKeyField(source="gateway")
    interface = models.CharField(max_length=15, default="auto")
    enabled = models.BooleanField(default=True)
    include_private_wan = models.BooleanField(default=True)
    agg_routing = models.CharField(max_length=8, choices=AggRouting, default=AggRouting.AUTO)
    note = models.CharField(max_length=4000, default="", blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bond", "first", "last"],
                condition=Q(enabled=True),
                name="route_enabled_once_on_bond",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.network} by {self.gateway}"

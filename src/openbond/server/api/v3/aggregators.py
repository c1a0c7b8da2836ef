"""Aggregators: the far ends of bonds, in data centres (01-fleet.md, 3)."""

from typing import Any

from django.db.models import QuerySet

from openbond.server.api import lists
from openbond.server.api.addresses import Ipv4, Ipv6
from openbond.server.api.fields import Flag, Text, Whole
from openbond.server.api.relations import Relation, SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds import selectors as bond_selectors
from openbond.server.bonds import services
from openbond.server.errors import SharedReadOnly
from openbond.server.fleet import selectors
from openbond.server.fleet import services as fleet_services
from openbond.server.fleet.models import Aggregator
from openbond.server.fleet.selectors import routing_groups_visible_to

from .nodes import COLUMNS, FILTERS, ORDERING, NodeBody, derived, node, sealed

PLAIN = [
    "ip",
    "ipv6",
    "note",
    "failover_monitoring",
    "failover_interval",
    "failover_receive_timeout",
    "failover_retries",
    "failed",
    "bond_count",
    "bond_secondary_count",
    "bond_current_count",
]


class AggregatorBody(NodeBody):
    ip = Ipv4(required=True)
    ipv6 = Ipv6(allow_null=True)
    routing_group = Relation("routinggroups", routing_groups_visible_to)
    space = SpaceRelation(allow_null=True)
    note = Text(4000)
    failover_monitoring = Flag()
    failover_interval = Whole(5, 3600, allow_null=True, help_text="seconds; null = the setting")
    failover_receive_timeout = Whole(
        1, 60, allow_null=True, help_text="seconds; null = the setting"
    )
    failover_retries = Whole(1, 10, allow_null=True, help_text="checks; null = the setting")
    failed = Flag(read_only=True)
    bond_count = Whole(read_only=True)
    bond_secondary_count = Whole(read_only=True)
    bond_current_count = Whole(read_only=True)


class Aggregators(Resource[Aggregator]):
    """Aggregators: where bonds end in data centres, and meet the core network."""

    codes = codes_for("aggregator")
    credentials_code = "change_aggregator_credentials"
    body = AggregatorBody
    listing = lists.Listing(
        filters=FILTERS
        | {
            "routing_group": lists.relation("routing_group", "routinggroups"),
            "ip": lists.address("ip"),
            "ipv6": lists.address("ipv6"),
            "failed": lists.flag("failed"),
            "failover_monitoring": lists.flag("failover_monitoring"),
        },
        search=("name", "ip", "ipv6", "note", "version", "serial_number", "asset_tag"),
        ordering=ORDERING
        | {
            "ip": lists.by("ip_key"),
            "ipv6": lists.by("ipv6_key", nullable=True),
            "failed": lists.by("failed"),
            "routing_group": lists.by_text("routing_group__name"),
            "routing_group.display_name": lists.by_text(
                selectors.display_name_of_group(path="routing_group__")
            ),
            "bond_count": lists.by("bond_count"),
            "bond_secondary_count": lists.by("bond_secondary_count"),
            "bond_current_count": lists.by("bond_current_count"),
            "created": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[Aggregator]:
        return selectors.aggregators_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        return {**derived(self), **bond_selectors.bond_counts(self.viewer)}

    def present(self, rows: QuerySet[Aggregator]) -> list[Shown]:
        counted = rows.annotate(**bond_selectors.bond_counts(self.viewer))
        columns = counted.values(*COLUMNS, *PLAIN, "routing_group_id")
        return [self._aggregator(row) for row in columns]

    def hidden(self, row: Aggregator) -> Shown:
        return sealed(row)

    def check_writable(self, row: Aggregator) -> None:
        if not self.viewer.reaches(row.space_id):
            raise SharedReadOnly

    def make(self, given: dict[str, Any]) -> Aggregator:
        return fleet_services.create_aggregator(by=self.viewer, **self.in_own_space(given))

    def alter(self, row: Aggregator, given: dict[str, Any]) -> None:
        services.update_aggregator(by=self.viewer, aggregator=row, **self.in_own_space(given, row))

    def discard(self, row: Aggregator) -> None:
        fleet_services.delete_aggregator(by=self.viewer, aggregator=row)

    def _aggregator(self, row: dict[str, Any]) -> Shown:
        shown = node(row, self, path="aggregators")
        group = self.links.to("routinggroups", row["routing_group_id"])
        return shown | {name: row[name] for name in PLAIN} | {"routing_group": group}

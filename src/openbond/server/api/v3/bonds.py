"""Bonds, their actions, and the lists of bonds below other objects (02-bonds.md)."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import lists
from openbond.server.api.resource import Collection, Resource, Shown, codes_for
from openbond.server.bonds import selectors, services
from openbond.server.bonds.models import Bond

from .bond_body import DISTRIBUTIONS, SECURITIES, BondBody
from .bond_objects import bond_objects
from .nodes import STATUSES

LISTING = lists.Listing(
    filters={
        "aggregator": lists.relation("aggregator", "aggregators"),
        "secondary_aggregator": lists.relation("secondary_aggregator", "aggregators"),
        "current_aggregator": lists.relation("current_aggregator", "aggregators"),
        "space": lists.space(),
        "qos_profile": lists.relation("qos_profile", "qos"),
        "packet_distribution": lists.choice("packet_distribution", DISTRIBUTIONS),
        "tunnel_security": lists.choice("tunnel_security", SECURITIES),
        "proof_of_concept": lists.flag("proof_of_concept"),
        "tcp_proxy": lists.flag("tcp_proxy"),
        "bandwidth_adaptation": lists.flag("bandwidth_adaptation"),
        "status": lists.choice("status", STATUSES),
        "tuning_in_progress": lists.flag("tuning_in_progress"),
        "name": lists.text("bonder__name"),
        "circuit_id": lists.text("circuit_id"),
        "product": lists.text("product"),
    },
    search=(
        "note",
        "bonder__name",
        "bonder__version",
        "circuit_id",
        "product",
        "space__name",
        "space__key",
    ),
    ordering={
        "id": lists.by("id"),
        "name": lists.by_text("bonder__name"),
        "bonder.name": lists.by_text("bonder__name"),
        "bonder.version": lists.by_text("bonder__version"),
        "space": lists.by_text("space__name"),
        "aggregator": lists.by_text("aggregator__name"),
        "secondary_aggregator": lists.by_text("secondary_aggregator__name", nullable=True),
        "current_aggregator": lists.by_text("current_aggregator__name"),
        "circuit_id": lists.by_text("circuit_id"),
        "product": lists.by_text("product"),
        "status": lists.by("status"),
        "download_rate": lists.by("download_rate"),
        "upload_rate": lists.by("upload_rate"),
        "created": lists.by("created"),
        "modified": lists.by("modified"),
    },
)


class BondRows(Collection[Bond]):
    """What every list of bonds has in common."""

    body = BondBody
    listing = LISTING

    def rows(self) -> QuerySet[Bond]:
        return selectors.bonds_in_reach(self.viewer)

    def derived(self) -> lists.Derived:
        return {
            "status": selectors.status_of_bond(since=self.fresh_since),
            "download_rate": selectors.rate_of_bond("download", since=self.fresh_since),
            "upload_rate": selectors.rate_of_bond("upload", since=self.fresh_since),
        }

    def present(self, rows: QuerySet[Bond]) -> list[Shown]:
        return bond_objects(rows, self.links, since=self.fresh_since)


class Bonds(BondRows, Resource[Bond]):
    """Bonds: each joins the legs of one bonder into one tunnel to an aggregator."""

    codes = codes_for(
        "bond",
        restart="change_bond",
        detect_leg_mtus="change_leg",
        restore_to_primary_agg="change_bond",
    )

    def make(self, given: dict[str, Any]) -> Bond:
        return services.create_bond(by=self.viewer, **as_columns(self.in_own_space(given)))

    def alter(self, row: Bond, given: dict[str, Any]) -> None:
        services.update_bond(by=self.viewer, bond=row, **as_columns(given))

    def discard(self, row: Bond) -> None:
        services.delete_bond(by=self.viewer, bond=row)

    def restart(self, request: Request, **path: object) -> Response:
        bond = self.find()
        services.restart_bond(by=self.viewer, bond=bond)
        return self.queued("Restart queued.")

    def detect_leg_mtus(self, request: Request, **path: object) -> Response:
        bond = self.find()
        legs = services.detect_leg_mtus(by=self.viewer, bond=bond)
        count = "1 leg" if len(legs) == 1 else f"{len(legs)} legs"
        return self.queued(f"MTU detection queued for {count}.", legs=legs)

    def restore_to_primary_agg(self, request: Request, **path: object) -> Response:
        bond = self.find()
        services.restore_to_primary(by=self.viewer, bond=bond)
        return self.answer_with(bond)


def as_columns(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a body under the names and in the units of the columns."""
    columns = dict(given)
    if "packet_loss_threshold" in columns:
        columns["packet_loss_threshold_permille"] = int(columns.pop("packet_loss_threshold") * 10)
    return columns

"""Bonders: the near ends of bonds, made and deleted with them (01-fleet.md, 4)."""

from typing import Any

from django.db.models import QuerySet

from openbond.server.api import lists
from openbond.server.api.fields import Link
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds import services
from openbond.server.fleet import selectors
from openbond.server.fleet.models import Bonder

from .nodes import COLUMNS, FILTERS, ORDERING, NodeBody, derived, node, sealed


class BonderBody(NodeBody):
    bond = Link()
    space = Link()


class Bonders(Resource[Bonder]):
    """Bonders: the devices at the customers' sites, one for each bond."""

    codes = codes_for("bonder")
    credentials_code = "change_bonder_credentials"
    body = BonderBody
    listing = lists.Listing(
        filters=FILTERS | {"bond": lists.relation("bond", "bonds")},
        search=("name", "version", "serial_number", "asset_tag", "key"),
        ordering=ORDERING | {"created": lists.by("created")},
    )

    def rows(self) -> QuerySet[Bonder]:
        return selectors.bonders_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        return derived(self)

    def present(self, rows: QuerySet[Bonder]) -> list[Shown]:
        return [self._bonder(row) for row in rows.values(*COLUMNS, "bond__id")]

    def hidden(self, row: Bonder) -> Shown:
        return sealed(row)

    def alter(self, row: Bonder, given: dict[str, Any]) -> None:
        services.update_bonder(by=self.viewer, bonder=row, **given)

    def _bonder(self, row: dict[str, Any]) -> Shown:
        shown = node(row, self, path="bonders")
        shown["bond"] = self.links.to("bonds", row["bond__id"])
        return shown

"""Legs: the generic collection that is only read, and one collection of each type (03-legs.md)."""

from functools import cached_property
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import lists
from openbond.server.api.resource import ReadOnlyResource, Resource, Shown, codes_for
from openbond.server.bonds import selectors, services
from openbond.server.bonds.models import Bond, Leg
from openbond.wire.states import LegType

from .leg_bodies import (
    LINK_MODES,
    STATES,
    TYPES,
    AnyLegBody,
    DhcpLegBody,
    LegBody,
    MobilebroadbandLegBody,
    PppoeLegBody,
    StaticLegBody,
)
from .leg_objects import COLUMNS, TIMES, TYPE_COLUMNS, generic_leg, typed_leg
from .parents import bond_of

FILTERS = {
    "link_mode": lists.choice("link_mode", LINK_MODES),
    "failover": lists.flag("failover"),
    "state": lists.choice("state", STATES),
    "aggregator_state": lists.choice("shown_aggregator_state", STATES),
    "bonder_state": lists.choice("shown_bonder_state", STATES),
    "interface": lists.nullable_text("shown_interface"),
}
SEARCH = ("shown_interface", "shown_ip", "note")
ORDERING = {
    "id": lists.by("id"),
    "type": lists.by("type"),
    "link_mode": lists.by("link_mode"),
    "failover": lists.by("failover"),
    "state": lists.by("state"),
    "interface": lists.by_text("shown_interface", nullable=True),
    "ip": lists.by("shown_ip_key", nullable=True),
    "down_speed": lists.by("down_kbps"),
    "up_speed": lists.by("up_kbps"),
    "mtu": lists.by("shown_mtu"),
    "created": lists.by("created"),
}
CODES = codes_for("leg", detect_mtus="change_leg", renew="change_leg")


class LegActions(ReadOnlyResource[Leg]):
    """What may be asked of a leg, below the generic and the typed address alike."""

    def detect_mtus(self, request: Request, **path: object) -> Response:
        leg = self.find()
        services.detect_mtus(by=self.viewer, leg=leg)
        return self.queued(f"MTU detection queued for leg {leg.pk}.")


class Legs(LegActions):
    """Legs of a bond, of every type; written through the address of their type."""

    codes = CODES
    body: ClassVar[type[LegBody]] = AnyLegBody
    listing = lists.Listing(
        filters=FILTERS | {"type": lists.choice("type", TYPES)}, search=SEARCH, ordering=ORDERING
    )
    types: ClassVar[list[LegType]] = list(LegType)

    @cached_property
    def bond(self) -> Bond:
        return bond_of(self)

    def rows(self) -> QuerySet[Leg]:
        legs = selectors.legs_visible_to(self.viewer)
        return legs.filter(bond=self.bond, type__in=self.types)

    def derived(self) -> lists.Derived:
        since = self.fresh_since
        return {
            "state": selectors.state_of_leg(since=since),
            "shown_bonder_state": selectors.state_of_end("bonder", since=since),
            "shown_aggregator_state": selectors.state_of_end("aggregator", since=since),
            "shown_interface": selectors.shown_column("interface"),
            "shown_ip": selectors.shown_column("ip"),
            "shown_ip_key": selectors.shown_column("ip_key"),
            "shown_mtu": selectors.shown_mtu(),
        }

    def present(self, rows: QuerySet[Leg]) -> list[Shown]:
        fresh = selectors.fresh_states(since=self.fresh_since)
        return [generic_leg(row, self.links) for row in rows.values(*COLUMNS, **TIMES, **fresh)]

    def hidden(self, row: Leg) -> Shown:
        return {"password": row.sealed_password}

    def etag(self, row: Leg, shown: Shown) -> str:
        """The same as below the typed address: a client may read here and write there."""
        typed = self.lent_to(OF_TYPE[LegType(row.type)])
        typed.kwargs = self.kwargs
        return typed.etag(row, typed.shown(row))


class TypedLegs(Legs, Resource[Leg]):
    """What the collections of the four types have in common."""

    type: ClassVar[LegType]

    @property
    def types(self) -> list[LegType]:  # type: ignore[override]  # one type, where Legs has four
        return [self.type]

    def present(self, rows: QuerySet[Leg]) -> list[Shown]:
        fresh = selectors.fresh_states(since=self.fresh_since)
        columns = rows.values(*COLUMNS, *TYPE_COLUMNS[self.type], **TIMES, **fresh)
        return [typed_leg(row, self.links, self.viewer) for row in columns]

    def etag(self, row: Leg, shown: Shown) -> str:
        return Resource.etag(self, row, shown)

    def make(self, given: dict[str, Any]) -> Leg:
        return services.create_leg(
            by=self.viewer, bond=self.bond, type=self.type, **as_columns(given)
        )

    def alter(self, row: Leg, given: dict[str, Any]) -> None:
        services.update_leg(by=self.viewer, leg=row, **as_columns(given))

    def discard(self, row: Leg) -> None:
        services.delete_leg(by=self.viewer, leg=row)


class DhcpLegs(TypedLegs):
    """Legs whose address is lent by a DHCP server."""

    codes = CODES
    type = LegType.DHCP
    body = DhcpLegBody
    listing = lists.Listing(filters=FILTERS, search=SEARCH, ordering=ORDERING)

    def renew(self, request: Request, **path: object) -> Response:
        leg = self.find()
        services.renew_lease(by=self.viewer, leg=leg)
        return self.queued(f"DHCP renewal queued for leg {leg.pk}.")


class StaticLegs(TypedLegs):
    """Legs with an address of their own."""

    codes = CODES
    type = LegType.STATIC
    body = StaticLegBody
    listing = lists.Listing(filters=FILTERS, search=SEARCH, ordering=ORDERING)


class PppoeLegs(TypedLegs):
    """Legs that log in over PPPoE."""

    codes = CODES
    type = LegType.PPPOE
    body = PppoeLegBody
    listing = lists.Listing(filters=FILTERS, search=(*SEARCH, "username"), ordering=ORDERING)


class MobilebroadbandLegs(TypedLegs):
    """Legs over a modem and a mobile operator."""

    codes = CODES
    type = LegType.MOBILEBROADBAND
    body = MobilebroadbandLegBody
    listing = lists.Listing(
        filters=FILTERS
        | {"provider_profile": lists.relation("provider_profile", "mobileproviderprofiles")},
        search=(*SEARCH, "modem", "report__operator"),
        ordering=ORDERING,
    )


OF_TYPE: dict[LegType, type[TypedLegs]] = {
    view.type: view for view in (DhcpLegs, StaticLegs, PppoeLegs, MobilebroadbandLegs)
}


def as_columns(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a body under the names and in the units of the columns."""
    columns = dict(given)
    for field, column in (("down_speed", "down_kbps"), ("up_speed", "up_kbps")):
        if field in columns:
            columns[column] = int(columns.pop(field) * 1000)
    if "netmask" in columns:
        columns["prefix"] = columns.pop("netmask")
    return columns

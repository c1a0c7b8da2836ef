"""Mobile provider profiles: APN and login of a mobile operator (06-qos-mobile.md, 2)."""

import re
from typing import Any

from django.db.models import QuerySet

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Link, Pattern, Text, Time, Whole
from openbond.server.api.relations import SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.api.shared_space import (
    SPACE_NAME,
    by_space,
    derived_space,
    filter_by_space,
)
from openbond.server.bonds import selectors, services
from openbond.server.bonds.models import MobileProviderProfile
from openbond.server.errors import SharedReadOnly
from openbond.server.system.secrets import unseal

APN = re.compile(r"[A-Za-z0-9._-]+")
NOT_APN = "Use letters, digits, -, . and _ only."
COLUMNS = [
    "id",
    "name",
    "apn",
    "username",
    "sealed_password",
    "space_id",
    "note",
    "leg_count",
    "reached_leg_count",
    "created",
    "modified",
]


class MobileProviderProfileBody(Body):
    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, required=True)
    apn = Pattern(APN, NOT_APN, 100, required=True)
    username = Text(255)
    password = Text(255)
    space = SpaceRelation(allow_null=True)
    note = Text(4000)
    leg_count = Whole(read_only=True)
    created = Time()
    modified = Time()


class MobileProviderProfiles(Resource[MobileProviderProfile]):
    """Mobile provider profiles, shared by mobile broadband legs."""

    codes = codes_for("mobileproviderprofile")
    body = MobileProviderProfileBody
    listing = lists.Listing(
        filters={"name": lists.text("name"), "apn": lists.text("apn"), "space": filter_by_space()},
        search=("name", "apn", "note", SPACE_NAME),
        ordering={
            "id": lists.by("id"),
            "name": lists.by_text("name"),
            "apn": lists.by_text("apn"),
            "space": by_space(),
            "leg_count": lists.by("leg_count"),
            "created": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[MobileProviderProfile]:
        return selectors.mobile_provider_profiles_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        return derived_space(self.viewer)

    def present(self, rows: QuerySet[MobileProviderProfile]) -> list[Shown]:
        return [self._profile(row) for row in rows.values(*COLUMNS)]

    def hidden(self, row: MobileProviderProfile) -> Shown:
        return {"password": row.sealed_password}

    def check_writable(self, row: MobileProviderProfile) -> None:
        if not self.viewer.reaches(row.space_id):
            raise SharedReadOnly

    def make(self, given: dict[str, Any]) -> MobileProviderProfile:
        return services.create_mobile_provider_profile(by=self.viewer, **self.in_own_space(given))

    def alter(self, row: MobileProviderProfile, given: dict[str, Any]) -> None:
        services.update_mobile_provider_profile(
            by=self.viewer, profile=row, **self.in_own_space(given, row)
        )

    def discard(self, row: MobileProviderProfile) -> None:
        services.delete_mobile_provider_profile(by=self.viewer, profile=row)

    def _profile(self, row: dict[str, Any]) -> Shown:
        is_own = self.viewer.reaches(row["space_id"])
        # Operators publish it, so it needs no code; but what a parent shares keeps its own.
        secret = {"password": unseal(row["sealed_password"])} if is_own else {}
        return {
            "id": row["id"],
            "url": self.links.to("mobileproviderprofiles", row["id"]),
            "name": row["name"],
            "apn": row["apn"],
            "username": row["username"],
            **secret,
            "space": self.links.to("spaces", row["space_id"]) if is_own else None,
            "note": row["note"],
            "leg_count": row["leg_count" if is_own else "reached_leg_count"],
            "created": values.time(row["created"]),
            "modified": values.time(row["modified"]),
        }

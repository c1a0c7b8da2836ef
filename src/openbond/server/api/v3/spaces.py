"""Spaces: tenants, in a tree (07-people-spaces.md, 4)."""

import re
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework import serializers

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import (
    AnyField,
    Flag,
    Link,
    Pattern,
    Text,
    Time,
    Whole,
)
from openbond.server.api.relations import SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.api.shared_space import filter_by_space
from openbond.server.bonds import services as bond_services
from openbond.server.bonds.selectors import related_object_counts
from openbond.server.spaces import selectors, services
from openbond.server.spaces.models import Space

from .parents import space_of

KEY = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9_-]+")
NOT_KEY = "Use letters, digits, - and _, and not digits only."
COLOR = re.compile(r"(#[0-9A-Fa-f]{6})?")
NOT_COLOR = "Enter a color as #rrggbb."
HTTPS = re.compile(r"(https://[^\s/]+.*)?")
NOT_HTTPS = "Enter an address that begins with https://."
URL = re.compile(r"(https?://[^\s/]+.*)?")
NOT_URL = "Enter an address that begins with https:// or http://."
EMAIL = re.compile(r"([^@\s]+@[^@\s]+)?")
NOT_EMAIL = "Enter a valid email address."
SWITCHES = [
    "use_parent_aggregators",
    "use_parent_qos_profiles",
    "use_parent_mobile_provider_profiles",
    "private_wan_enabled",
]
COLUMNS = [
    "id",
    "name",
    "key",
    "parent_id",
    "level",
    "crm_id",
    "note",
    *SWITCHES,
    "branding",
    "support",
    "created",
    "modified",
]


class Part(serializers.Serializer[Model]):
    """An object inside a space; a writer may send it in part."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)


class BrandingPart(Part):
    product_name = Text(64)
    logo_url = Pattern(HTTPS, NOT_HTTPS, 500, blank=True)
    color = Pattern(COLOR, NOT_COLOR, 7, blank=True)


class SupportPart(Part):
    name = Text(100)
    email = Pattern(EMAIL, NOT_EMAIL, 254, blank=True)
    phone = Text(50)
    url = Pattern(URL, NOT_URL, 500, blank=True)


class CountsPart(Part):
    bonds = Whole(read_only=True)
    aggregators = Whole(read_only=True)
    users = Whole(read_only=True)
    spaces = Whole(read_only=True)
    routing_groups = Whole(read_only=True)
    ip_allocations = Whole(read_only=True)
    qos_profiles = Whole(read_only=True)
    mobile_provider_profiles = Whole(read_only=True)


class SpaceBody(Body):
    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, required=True)
    key = Pattern(KEY, NOT_KEY, 63, required=True)
    # A field may bear this name: declared fields are taken off the class.
    parent = SpaceRelation(required=True)  # type: ignore[assignment]
    level = Whole(read_only=True)
    crm_id = Text(255)
    note = Text(4000)
    use_parent_aggregators = Flag()
    use_parent_qos_profiles = Flag()
    use_parent_mobile_provider_profiles = Flag()
    private_wan_enabled = Flag()
    branding = BrandingPart()
    support = SupportPart()
    related_object_counts = CountsPart(read_only=True)
    created = Time()
    modified = Time()

    fixed = frozenset({"parent"})
    cannot_change = "A space cannot be moved."

    def get_fields(self) -> dict[str, AnyField]:
        fields = super().get_fields()
        # A space whose parent is not shown reads null there, and may repeat it.
        fields["parent"].allow_null = self.instance is not None
        return fields


class Spaces(Resource[Space]):
    """Spaces: the caller's home space and all below it."""

    codes = codes_for("space")
    body = SpaceBody
    listing = lists.Listing(
        filters={
            "name": lists.text("name"),
            "key": lists.text("key"),
            "parent": filter_by_space("shown_parent"),
            "level": lists.whole("level"),
            "crm_id": lists.text("crm_id"),
            "private_wan_enabled": lists.flag("private_wan_enabled"),
        },
        search=("name", "key", "crm_id", "note"),
        ordering={
            "id": lists.by("id"),
            "name": lists.by_text("name"),
            "key": lists.by_text("key"),
            "level": lists.by("level"),
            "parent": lists.by_text("shown_parent_name", nullable=True),
            "created": lists.by("created"),
        },
    )

    def may_call(self, handler: str) -> bool:
        # Whoever may change the looks alone may send them; the service asks for the code of each
        # field that really changes.
        if handler in {"replace", "change"} and self.viewer.can("change_space_branding"):
            return True
        return super().may_call(handler)

    def rows(self) -> QuerySet[Space]:
        return selectors.spaces_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        return {
            "shown_parent": selectors.if_in_reach(self.viewer, "parent_id", path="parent"),
            "shown_parent_name": selectors.if_in_reach(self.viewer, "parent__name", path="parent"),
        }

    def find(self, pk: object = None) -> Space:
        if pk is None:
            return space_of(self, name="pk")
        return super().find(pk)

    def present(self, rows: QuerySet[Space]) -> list[Shown]:
        spaces = list(rows.values(*COLUMNS))
        counts = related_object_counts([row["id"] for row in spaces])
        return [self._space(row, counts[row["id"]]) for row in spaces]

    def make(self, given: dict[str, Any]) -> Space:
        return services.create_space(by=self.viewer, **given)

    def alter(self, row: Space, given: dict[str, Any]) -> None:
        bond_services.update_space(by=self.viewer, space=row, **given)

    def discard(self, row: Space) -> None:
        services.delete_space(by=self.viewer, space=row)

    def _space(self, row: dict[str, Any], counts: dict[str, int]) -> Shown:
        parent_id = row["parent_id"]
        is_seen = parent_id is not None and self.viewer.reaches(parent_id)
        return {
            "id": row["id"],
            "url": self.links.to("spaces", row["id"]),
            "name": row["name"],
            "key": row["key"],
            "parent": self.links.to("spaces", parent_id) if is_seen else None,
            "level": row["level"],
            "crm_id": row["crm_id"],
            "note": row["note"],
            **{name: row[name] for name in SWITCHES},
            "branding": row["branding"],
            "support": row["support"],
            "related_object_counts": counts,
            "created": values.time(row["created"]),
            "modified": values.time(row["modified"]),
        }

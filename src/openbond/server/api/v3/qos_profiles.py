"""QoS profiles, with their classes and filters inside (06-qos-mobile.md, 1)."""

from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.functions import Coalesce
from rest_framework import serializers

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Flag, Link, Number, Text, Time, Whole
from openbond.server.api.relations import SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.api.shared_space import (
    SPACE_NAME,
    by_space,
    derived_space,
    filter_by_space,
)
from openbond.server.bonds import selectors as bond_selectors
from openbond.server.bonds import services
from openbond.server.errors import SharedReadOnly
from openbond.server.qos import selectors
from openbond.server.qos import services as qos_services
from openbond.server.qos.models import IpVersion, Protocol, QosProfile

COLUMNS = [
    "id",
    "name",
    "overhead_margin_permille",
    "space_id",
    "is_default",
    "bond_count",
    "created",
    "modified",
]
FILTER_COLUMNS = [
    "id",
    "position",
    "name",
    "target_id",
    "ip_version",
    "protocol",
    "ports",
    "network",
    "dscp",
    "min_packet_size",
    "max_packet_size",
    "min_flow_size",
    "max_flow_size",
    "max_packet_rate",
    "tcp_ack",
]


class QosClassPart(serializers.Serializer[Model]):
    """A class inside its profile."""

    id = Whole(read_only=True)
    name = Text(read_only=True)
    bandwidth = Whole(read_only=True, help_text="percent of the usable bandwidth")
    default = Flag(read_only=True)


class QosFilterPart(serializers.Serializer[Model]):
    """A filter inside its profile. Its field `class` is no Python name, so it is added by hand."""

    id = Whole(read_only=True)
    position = Whole(read_only=True)
    name = Text(read_only=True)
    ip_version = Choice(IpVersion.values, read_only=True)
    protocol = Choice(Protocol.values, read_only=True)
    ports = Text(read_only=True)
    network = Text(read_only=True, allow_null=True)
    dscp = Whole(read_only=True, allow_null=True)
    min_packet_size = Whole(read_only=True, allow_null=True, help_text="bytes")
    max_packet_size = Whole(read_only=True, allow_null=True, help_text="bytes")
    min_flow_size = Whole(read_only=True, allow_null=True, help_text="bytes")
    max_flow_size = Whole(read_only=True, allow_null=True, help_text="bytes")
    max_packet_rate = Whole(read_only=True, allow_null=True, help_text="packets/s")
    tcp_ack = Flag(read_only=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": Whole(read_only=True)}


class QosProfileBody(Body):
    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, required=True)
    overhead_margin = Number("0", "50", decimals=1, help_text="percent")
    space = SpaceRelation(allow_null=True)
    classes = QosClassPart(many=True, read_only=True)
    filters = QosFilterPart(many=True, read_only=True)
    is_default = Flag(read_only=True)
    bond_count = Whole(read_only=True)
    created = Time()
    modified = Time()


class QosProfiles(Resource[QosProfile]):
    """QoS profiles; they are made, and their classes and filters edited, elsewhere."""

    codes = codes_for("qosprofile")
    body = QosProfileBody
    listing = lists.Listing(
        filters={
            "name": lists.text("name"),
            "space": filter_by_space(),
            "is_default": lists.flag("is_default"),
        },
        search=("name", SPACE_NAME),
        ordering={
            "id": lists.by("id"),
            "name": lists.by_text("name"),
            "overhead_margin": lists.by("overhead_margin_permille"),
            "space": by_space(),
            "bond_count": lists.by("bond_count"),
            "created": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[QosProfile]:
        return selectors.qos_profiles_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        return {**self._counts(), **derived_space(self.viewer)}

    def _counts(self) -> dict[str, Coalesce]:
        return {"bond_count": bond_selectors.bond_count(self.viewer, "qos_profile")}

    def present(self, rows: QuerySet[QosProfile]) -> list[Shown]:
        profiles = list(rows.annotate(**self._counts()).values(*COLUMNS))
        classes, filters = selectors.parts_of_profiles([row["id"] for row in profiles])
        classes_of = _by_profile(
            classes.values("id", "profile_id", "name", "bandwidth", "is_default")
        )
        filters_of = _by_profile(filters.values("profile_id", *FILTER_COLUMNS))
        return [
            self._profile(row)
            | {
                "classes": [_class(part) for part in classes_of.get(row["id"], [])],
                "filters": [_filter(part) for part in filters_of.get(row["id"], [])],
            }
            for row in profiles
        ]

    def check_writable(self, row: QosProfile) -> None:
        if not self.viewer.reaches(row.space_id):
            raise SharedReadOnly

    def alter(self, row: QosProfile, given: dict[str, Any]) -> None:
        changes = self.in_own_space(given, row)
        if "overhead_margin" in changes:
            changes["overhead_margin_permille"] = int(changes.pop("overhead_margin") * 10)
        services.update_qos_profile(by=self.viewer, profile=row, **changes)

    def discard(self, row: QosProfile) -> None:
        qos_services.delete_qos_profile(by=self.viewer, profile=row)

    def _profile(self, row: dict[str, Any]) -> Shown:
        is_own = self.viewer.reaches(row["space_id"])
        return {
            "id": row["id"],
            "url": self.links.to("qos", row["id"]),
            "name": row["name"],
            "overhead_margin": values.percent(row["overhead_margin_permille"]),
            "space": self.links.to("spaces", row["space_id"]) if is_own else None,
            "is_default": row["is_default"],
            "bond_count": row["bond_count"],
            "created": values.time(row["created"]),
            "modified": values.time(row["modified"]),
        }


def _by_profile(parts: Any) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for part in parts:
        found.setdefault(part["profile_id"], []).append(part)
    return found


def _class(part: dict[str, Any]) -> Shown:
    return {
        "id": part["id"],
        "name": part["name"],
        "bandwidth": part["bandwidth"],
        "default": part["is_default"],
    }


def _filter(part: dict[str, Any]) -> Shown:
    shown = {name: part[name] for name in FILTER_COLUMNS if name != "target_id"}
    return shown | {"class": part["target_id"]}

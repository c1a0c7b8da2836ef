"""Speed tests of a bond and of its legs (05-performance.md, 1)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Case, QuerySet, Value, When
from rest_framework import serializers

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, JsonValue, Link, Number, Text, Time, Whole
from openbond.server.api.links import LEG_PATHS
from openbond.server.api.relations import ABSENT, Relation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.selectors import legs_visible_to
from openbond.server.measurement import selectors, services
from openbond.server.measurement.models import Direction, Protocol, SpeedTest, TestStatus

from .parents import bond_of

TARGETS = ["bond", "leg"]
LEG_URL = r"bonds/[0-9]+/(?:legs|{types})".format(types="|".join(LEG_PATHS.values()))
LEG_PLACE = re.compile(rf"/bonds/([0-9]+)/(legs|{'|'.join(LEG_PATHS.values())})/[0-9]+/?$")
PLAIN = [
    "protocol",
    "direction",
    "length",
    "concurrency",
    "status",
    "description",
    "error",
    "progress_results",
    "results",
    "bonder_version",
    "aggregator_version",
]
COLUMNS = [
    *PLAIN,
    "id",
    "bond_id",
    "leg_id",
    "leg__type",
    "rate_limit_kbps",
    "submitted",
    "started",
    "finished",
    "aggregator_id",
    "bond_configuration",
    "created",
    "modified",
]


class LegOfBond(Relation[Leg]):
    """A leg of the bond in the path, by generic or typed address."""

    def __init__(self, **options: object):
        super().__init__(LEG_URL, legs_visible_to, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> Leg:
        leg = super().to_internal_value(data)
        if leg.bond_id != self.context["view"].bond.pk or not _stands_at(leg, data):
            raise serializers.ValidationError(ABSENT)
        return leg


class RateLimit(Number):
    """Mbit/s above 0; null is no limit."""

    def run_validators(self, value: Decimal) -> None:
        if value <= 0:
            raise serializers.ValidationError("Ensure this value is greater than 0.")
        super().run_validators(value)


class SpeedTestBody(Body):
    id = Whole(read_only=True)
    url = Link()
    bond = Link()
    target = Choice(TARGETS, read_only=True)
    leg = LegOfBond(allow_null=True)
    protocol = Choice(Protocol.values)
    direction = Choice(Direction.values)
    length = Whole(1, 300, help_text="seconds")
    rate_limit = RateLimit(None, "100000", allow_null=True, help_text="Mbit/s")
    concurrency = Whole(1, 16, help_text="parallel streams")
    status = Choice(TestStatus.values, read_only=True)
    description = Text(read_only=True)
    submitted = Time()
    started = Time(allow_null=True)
    finished = Time(allow_null=True)
    error = Text(read_only=True)
    progress_results = serializers.ListField(child=serializers.DictField(), read_only=True)
    results = serializers.DictField(read_only=True, allow_null=True)
    aggregator = Link(allow_null=True)
    bonder_version = Text(read_only=True)
    aggregator_version = Text(read_only=True)
    bond_configuration = serializers.DictField(read_only=True, allow_null=True)
    created = Time()
    modified = Time()


class SpeedTests(Resource[SpeedTest]):
    """Speed tests; POST queues one."""

    codes = codes_for("speedtest")
    body = SpeedTestBody
    listing = lists.Listing(
        filters={
            "target": lists.choice("target", TARGETS),
            "leg": lists.relation("leg", LEG_URL),
            "protocol": lists.choice("protocol", Protocol.values),
            "direction": lists.choice("direction", Direction.values),
            "status": lists.choice("status", TestStatus.values),
            "concurrency": lists.whole("concurrency"),
        },
        search=("description", "error"),
        ordering={
            "id": lists.by("id"),
            "target": lists.by("target"),
            "leg": lists.by("leg", nullable=True),
            "protocol": lists.by("protocol"),
            "direction": lists.by("direction"),
            "length": lists.by("length"),
            "rate_limit": lists.by("rate_limit_kbps", nullable=True),
            "concurrency": lists.by("concurrency"),
            "status": lists.by("status"),
            "submitted": lists.by("submitted"),
            "started": lists.by("started", nullable=True),
            "finished": lists.by("finished", nullable=True),
        },
    )

    @cached_property
    def bond(self) -> Bond:
        return bond_of(self)

    def rows(self) -> QuerySet[SpeedTest]:
        return selectors.speed_tests_visible_to(self.viewer).filter(bond=self.bond)

    def derived(self) -> lists.Derived:
        of_bond = When(leg__isnull=True, then=Value("bond"))
        return {"target": Case(of_bond, default=Value("leg"))}

    def present(self, rows: QuerySet[SpeedTest]) -> list[Shown]:
        return [self._speed_test(row) for row in rows.values(*COLUMNS)]

    def make(self, given: dict[str, Any]) -> SpeedTest:
        options = dict(given)
        if "rate_limit" in options:
            limit = options.pop("rate_limit")
            options["rate_limit_kbps"] = None if limit is None else int(limit * 1000)
        return services.create_speed_test(by=self.viewer, bond=self.bond, **options)

    def _speed_test(self, row: dict[str, Any]) -> Shown:
        links, bond_id, leg_id = self.links, row["bond_id"], row["leg_id"]
        shown: Shown = {
            "id": row["id"],
            "url": links.bond(bond_id, "speedtests", row["id"]),
            "bond": links.to("bonds", bond_id),
            "target": "leg" if leg_id else "bond",
            "leg": links.leg(bond_id, row["leg__type"], leg_id) if leg_id else None,
            "rate_limit": values.mbit_or_null(row["rate_limit_kbps"]),
            "submitted": values.time(row["submitted"]),
            "started": values.time_or_null(row["started"]),
            "finished": values.time_or_null(row["finished"]),
            "aggregator": links.or_null("aggregators", row["aggregator_id"]),
            "bond_configuration": _configuration(row["bond_configuration"]),
            "created": values.time(row["created"]),
            "modified": values.time(row["modified"]),
        }
        return shown | {name: row[name] for name in PLAIN}


def _configuration(kept: dict[str, Any] | None) -> Shown | None:
    """Return the configuration of a test with speeds in Mbit/s."""
    if kept is None:
        return None
    return {**kept, "legs": [_leg(leg) for leg in kept["legs"]]}


def _leg(leg: Mapping[str, Any]) -> Shown:
    return {
        "id": leg["id"],
        "link_mode": leg["link_mode"],
        "failover": leg["failover"],
        "down_speed": values.mbit(leg["down_kbps"]),
        "up_speed": values.mbit(leg["up_kbps"]),
    }


def _stands_at(leg: Leg, given: JsonValue) -> bool:
    """Report whether an address, if one was given, is really that leg's: its bond and its type."""
    url = given.get("url", "") if isinstance(given, Mapping) else given
    place = LEG_PLACE.search(str(url).partition("?")[0])
    if place is None:
        return True
    return int(place[1]) == leg.bond_id and place[2] in {"legs", LEG_PATHS[leg.type]}

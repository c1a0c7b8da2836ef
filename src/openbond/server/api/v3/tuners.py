"""Tunings of bonds and of legs, and what may be decided about them (05-performance.md, 2)."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Flag, Link, Text, Texts, Time, Whole
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.selectors import legs_visible_to
from openbond.server.measurement import selectors, services
from openbond.server.measurement.models import Tuning, TuningDecision, TuningStatus

from .parents import bond_of

PLAIN = ["status", "decision", "automatic", "error"]
COLUMNS = [
    *PLAIN,
    "id",
    "bond_id",
    "leg_id",
    "leg__type",
    "recommendations",
    "submitted",
    "started",
    "finished",
    "decided",
    "created",
    "modified",
]
LISTING = lists.Listing(
    filters={
        "status": lists.choice("status", TuningStatus.values),
        "decision": lists.choice("decision", TuningDecision.values),
        "automatic": lists.flag("automatic"),
    },
    search=("error",),
    ordering={
        "id": lists.by("id"),
        "status": lists.by("status"),
        "decision": lists.by("decision", nullable=True),
        "submitted": lists.by("submitted"),
        "started": lists.by("started", nullable=True),
        "finished": lists.by("finished", nullable=True),
    },
)


class BondTunerBody(Body):
    """All of a tuning is read; POST takes no fields."""

    id = Whole(read_only=True)
    url = Link()
    bond = Link()
    status = Choice(TuningStatus.values, read_only=True)
    recommendations = serializers.DictField(read_only=True, allow_null=True)
    decision = Choice(TuningDecision.values, read_only=True, allow_null=True)
    automatic = Flag(read_only=True)
    submitted = Time()
    started = Time(allow_null=True)
    finished = Time(allow_null=True)
    decided = Time(allow_null=True)
    error = Text(read_only=True)
    tests = Texts(Link(), read_only=True)
    created = Time()
    modified = Time()


class LegTunerBody(BondTunerBody):
    leg = Link()


class BondTuners(Resource[Tuning]):
    """Tunings of a bond; POST starts one."""

    codes = codes_for("tuner", cancel="change_tuner", accept="change_tuner", decline="change_tuner")
    body: ClassVar[type[Body]] = BondTunerBody
    listing = LISTING

    @cached_property
    def bond(self) -> Bond:
        return bond_of(self)

    def rows(self) -> QuerySet[Tuning]:
        return selectors.bond_tunings_visible_to(self.viewer).filter(bond=self.bond)

    def present(self, rows: QuerySet[Tuning]) -> list[Shown]:
        tunings = list(rows.values(*COLUMNS))
        tests = selectors.tests_of_tunings([row["id"] for row in tunings])
        types = selectors.leg_types(row["bond_id"] for row in tunings)
        return [self._tuning(row, tests.get(row["id"], []), types) for row in tunings]

    def taken(self, row: Tuning | None = None, *, partial: bool = False) -> dict[str, Any]:
        # POST takes no fields: its body is not even read.
        return {}

    def make(self, given: dict[str, Any]) -> Tuning:
        return services.create_tuning(by=self.viewer, bond=self.bond)

    def cancel(self, request: Request, **path: object) -> Response:
        return self._after(services.cancel_tuning)

    def accept(self, request: Request, **path: object) -> Response:
        return self._after(services.accept_tuning)

    def decline(self, request: Request, **path: object) -> Response:
        return self._after(services.decline_tuning)

    def _after(self, act: Callable[..., Tuning]) -> Response:
        return self.answer_with(act(by=self.viewer, tuning=self.find()))

    def _path(self, row: dict[str, Any]) -> str:
        return f"bonds/{row['bond_id']}/tuners"

    def _tuning(self, row: dict[str, Any], tests: list[int], types: dict[int, str]) -> Shown:
        links, bond_id, leg_id = self.links, row["bond_id"], row["leg_id"]
        of_leg = {"leg": links.leg(bond_id, row["leg__type"], leg_id)} if leg_id else {}
        return {
            "id": row["id"],
            "url": links.to(self._path(row), row["id"]),
            "bond": links.to("bonds", bond_id),
            **of_leg,
            **{name: row[name] for name in PLAIN},
            "recommendations": self._recommendations(row, types),
            "submitted": values.time(row["submitted"]),
            "started": values.time_or_null(row["started"]),
            "finished": values.time_or_null(row["finished"]),
            "decided": values.time_or_null(row["decided"]),
            "tests": [links.bond(bond_id, "speedtests", test_id) for test_id in tests],
            "created": values.time(row["created"]),
            "modified": values.time(row["modified"]),
        }

    def _recommendations(self, row: dict[str, Any], types: dict[int, str]) -> Shown | None:
        """Return the recommendations with speeds in Mbit/s and the addresses of legs."""
        kept = row["recommendations"]
        if kept is None:
            return None
        if row["leg_id"]:
            return _speeds(kept)
        legs = [
            {"id": leg["id"], "leg": self._leg(row["bond_id"], leg["id"], types), **_speeds(leg)}
            for leg in kept["legs"]
        ]
        return {**kept, "legs": legs}

    def _leg(self, bond_id: int, leg_id: int, types: dict[int, str]) -> str:
        # A leg that is gone keeps the generic address, which then answers 404.
        if leg_id in types:
            return self.links.leg(bond_id, types[leg_id], leg_id)
        return self.links.bond(bond_id, "legs", leg_id)


class LegTuners(BondTuners):
    """Tunings of one leg; POST starts one."""

    body = LegTunerBody

    @cached_property
    def leg(self) -> Leg:
        legs = legs_visible_to(self.viewer).filter(bond=self.bond, pk=self.kwargs["leg_id"])
        leg = legs.first()
        if leg is None:
            raise Http404
        return leg

    def rows(self) -> QuerySet[Tuning]:
        return selectors.leg_tunings_visible_to(self.viewer).filter(leg=self.leg)

    def make(self, given: dict[str, Any]) -> Tuning:
        return services.create_tuning(by=self.viewer, bond=self.bond, leg=self.leg)

    def _path(self, row: dict[str, Any]) -> str:
        return f"bonds/{row['bond_id']}/legs/{row['leg_id']}/tuners"


def _speeds(kept: dict[str, Any]) -> Shown:
    return {
        "down_speed": values.mbit(kept["down_kbps"]),
        "up_speed": values.mbit(kept["up_kbps"]),
    }

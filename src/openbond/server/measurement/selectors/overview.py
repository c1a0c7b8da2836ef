"""What hurts now in a reach, at one look: the dashboard of the site. Five statements at most."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import Coalesce

from openbond.server.bonds.models import Leg
from openbond.server.bonds.rules.legs import CARRYING, PRECEDENCE
from openbond.server.bonds.selectors import (
    bonds_in_reach,
    legs_visible_to,
    state_of_leg,
    status_of_bond,
)
from openbond.server.fleet.selectors import (
    aggregators_in_reach,
    config_updates_visible_to,
    status_of_node,
)
from openbond.server.measurement.models import Alarm, LegChange, TestStatus, TuningStatus
from openbond.server.measurement.rules import Source
from openbond.server.measurement.selectors.alarms import ACTIVE, DEAD
from openbond.server.measurement.selectors.tests import (
    bond_tunings_visible_to,
    leg_tunings_visible_to,
    speed_tests_visible_to,
)
from openbond.server.spaces.viewer import Viewer
from openbond.wire.states import ShownState

MOST_LEGS = 12
CARRYING_VALUES = sorted(state.value for state in CARRYING)

WORST_FIRST = [state.value for state in (*PRECEDENCE, ShownState.OFFLINE, ShownState.UNKNOWN)]

Counts = Mapping[str, int]
Row = dict[str, Any]  # of the ORM, by column
Rows = QuerySet[Any, Row]


@dataclass(frozen=True, slots=True)
class LegDown:
    """A leg that carries nothing; `is_noticed`: its bond is down as well."""

    id: int
    bond_id: int
    bond_name: str
    type: str
    interface: str
    state: str
    since: datetime | None
    is_noticed: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts by word (a state, a status); what the viewer may not see is empty."""

    bonds: Counts
    legs: Counts
    alarms: Counts
    aggregators: Counts
    updates: Counts
    tests: Counts
    tunings: Counts
    legs_down: tuple[LegDown, ...]
    legs_down_count: int

    @property
    def legs_by_state(self) -> list[tuple[str, int]]:
        """What is worst first."""
        return [(word, self.legs[word]) for word in WORST_FIRST if self.legs.get(word)]

    @property
    def alarms_by_kind(self) -> list[tuple[str, int]]:
        words = sorted(word for word in self.alarms if word != "all")
        return [(word.replace("_", " "), self.alarms[word]) for word in words]

    @property
    def is_empty(self) -> bool:
        """Report whether nobody has described anything yet."""
        return not (self.bonds.get("all") or self.aggregators.get("all"))


def overview(viewer: Viewer, *, now: datetime, fresh_since: datetime) -> Overview:
    """Return what hurts; reports from before `fresh_since` count as unknown."""
    counted = _counted(_statements(viewer, fresh_since))
    down = _legs_down(viewer, fresh_since) if viewer.can("view_leg") else []
    return Overview(
        bonds=_bonds(viewer, fresh_since) if viewer.can("view_bond") else {},
        legs=counted["leg"],
        alarms=counted["alarm"],
        aggregators=_aggregators(viewer, fresh_since) if viewer.can("view_aggregator") else {},
        updates=counted["update"],
        tests=counted["test"],
        tunings=counted["tuning"],
        legs_down=tuple(_leg_down(row) for row in down),
        legs_down_count=down[0]["found"] if down else 0,
    )


def _bonds(viewer: Viewer, since: datetime) -> Counts:
    rows = bonds_in_reach(viewer).order_by().annotate(word=status_of_bond(since=since))
    found = dict(rows.values("word").annotate(n=Count("pk")).values_list("word", "n"))
    return {"all": sum(found.values()), **found}


def _aggregators(viewer: Viewer, since: datetime) -> Counts:
    rows = aggregators_in_reach(viewer).annotate(word=status_of_node(since=since))
    found = rows.aggregate(
        all=Count("pk"),
        up=Count("pk", filter=Q(word="up")),
        down=Count("pk", filter=Q(word="down")),
        unknown=Count("pk", filter=Q(word="unknown")),
        failed=Count("pk", filter=Q(failed=True)),
        monitored=Count("pk", filter=Q(failover_monitoring=True)),
        checks=Coalesce(Sum("check_record__success"), 0)
        + Coalesce(Sum("check_record__failure"), 0),
        failures=Coalesce(Sum("check_record__failure"), 0),
    )
    return {name: int(number) for name, number in found.items()}


def _statements(viewer: Viewer, since: datetime) -> list[Rows]:
    """Return one query for each kind that is counted by word, of those the viewer may see."""
    running = [TestStatus.QUEUED, TestStatus.RUNNING]
    tuning = [TuningStatus.QUEUED, TuningStatus.RUNNING]
    legs = legs_visible_to(viewer).select_related(None)
    kinds: list[tuple[str, str, QuerySet[Any], Case | F]] = [
        ("view_leg", "leg", legs, state_of_leg(since=since)),
        ("view_leg", "alarm", _alarms(viewer), F("kind")),
        ("view_systemstatus", "update", config_updates_visible_to(viewer), F("status")),
        (
            "view_speedtest",
            "test",
            speed_tests_visible_to(viewer).filter(status__in=running),
            F("status"),
        ),
        (
            "view_tuner",
            "tuning",
            (bond_tunings_visible_to(viewer) | leg_tunings_visible_to(viewer)).filter(
                status__in=tuning
            ),
            F("status"),
        ),
    ]
    return [
        rows.order_by()
        .annotate(
            counted=Value(name, output_field=CharField()),
            word=Case(When(pk__isnull=False, then=word), output_field=CharField()),
        )
        .values("counted", "word")
        .annotate(n=Count("pk", output_field=BigIntegerField()))
        for code, name, rows, word in kinds
        if viewer.can(code)
    ]


def _alarms(viewer: Viewer) -> QuerySet[Alarm]:
    rows = Alarm.objects.filter(viewer.in_reach("bond__space"))
    return rows.filter(opened__isnull=False, closed__isnull=True)


def _counted(statements: list[Rows]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {
        name: {} for name in ("leg", "alarm", "update", "test", "tuning")
    }
    if not statements:
        return found
    first, *others = statements
    for row in first.union(*others, all=True) if others else first:
        found[row["counted"]][row["word"]] = row["n"]
    for counts in found.values():
        counts["all"] = sum(counts.values())
    return found


def _legs_down(viewer: Viewer, since: datetime) -> list[Row]:
    """Return legs that carry nothing, those first whose bond goes on so that nobody notices."""
    carrying = (
        Leg.objects.filter(bond=OuterRef("bond"), link_mode=ACTIVE)
        .alias(state=state_of_leg(since=since))
        .filter(state__in=CARRYING_VALUES)
    )
    said = LegChange.objects.filter(
        leg=OuterRef("pk"), source__in=[Source.BONDER.value, Source.AGGREGATOR.value]
    )
    rows = (
        legs_visible_to(viewer)
        .select_related(None)
        .filter(link_mode=ACTIVE)
        .annotate(word=state_of_leg(since=since))
        .filter(word__in=DEAD)
        .annotate(
            is_behind=Case(When(Exists(carrying), then=Value(1)), default=Value(0)),
            at=Subquery(said.order_by("-id").values("start")[:1]),
            found=Window(Count("*")),
            name=F("bond__bonder__name"),
            shown=Coalesce("interface", "report__interface", Value("")),
        )
        .order_by("-is_behind", "bond_id", "id")
    )
    columns = ("id", "bond_id", "type", "word", "is_behind", "at", "found", "name", "shown")
    return list(rows.values(*columns)[:MOST_LEGS])


def _leg_down(row: Row) -> LegDown:
    return LegDown(
        id=row["id"],
        bond_id=row["bond_id"],
        bond_name=row["name"],
        type=row["type"],
        interface=row["shown"],
        state=row["word"],
        since=row["at"],
        is_noticed=not row["is_behind"],
    )

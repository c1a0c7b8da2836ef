"""Reads of nodes, aggregators, routing groups and config updates, from who asks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Concat

from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import ALL, RollUp, counted, roll_up
from openbond.server.spaces.selectors import sharing_of
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.models import Settings
from openbond.server.system.prepared import Given
from openbond.wire.states import NodeKind

from .models import (
    Aggregator,
    Bonder,
    ConfigUpdate,
    MonitorLease,
    Node,
    RoutingGroup,
    UpdateStatus,
)
from .rules import RECENT, is_suspended


def status_of_node(*, since: datetime | Given, path: str = "") -> Case:
    """Return the expression of a node's status: `up` if heard `since` then.

    `path` leads to the node, e.g. "bonder__".
    """
    heard = f"{path}last_connected"
    return Case(
        When(**{f"{heard}__isnull": True}, then=Value("unknown")),
        When(**{f"{heard}__gte": since}, then=Value("up")),
        default=Value("down"),
        output_field=CharField(),
    )


def display_name_of_group(*, path: str = "") -> Case:
    """Return the expression of a routing group's name, with its space's unless that is the root.

    `path` leads to the group, e.g. "routing_group__".
    """
    name, space_name = F(f"{path}name"), F(f"{path}space__name")
    return Case(
        When(**{f"{path}space__level": 0}, then=name),
        default=Concat(name, Value(" ("), space_name, Value(")")),
        output_field=CharField(),
    )


def nodes_visible_to(viewer: Viewer) -> QuerySet[Node]:
    """Nodes in reach or shared, of the kinds whose `view_` code the viewer holds."""
    kinds = [kind.value for kind in NodeKind if viewer.can(f"view_{kind.value}")]
    visible = viewer.in_reach_or(viewer.shared.aggregators)
    own_bonders = ~Q(kind=NodeKind.BONDER.value) | viewer.in_reach()
    return Node.objects.filter(visible, own_bonders, kind__in=kinds).select_related("space")


def aggregators_visible_to(viewer: Viewer) -> QuerySet[Aggregator]:
    """Aggregators in reach, and those shared with the home space."""
    rows = Aggregator.objects.filter(viewer.in_reach_or(viewer.shared.aggregators))
    return rows.select_related("space", "routing_group__space")


def aggregators_in_reach(viewer: Viewer) -> QuerySet[Aggregator]:
    """Aggregators that the viewer may write, given the code; shared ones left out."""
    return Aggregator.objects.filter(viewer.in_reach())


def bonders_visible_to(viewer: Viewer) -> QuerySet[Bonder]:
    return Bonder.objects.filter(viewer.in_reach()).select_related("space")


def routing_groups_visible_to(viewer: Viewer) -> QuerySet[RoutingGroup]:
    """Groups in reach, and those shared along with aggregators; with counts within reach."""
    visible = viewer.in_reach_or(viewer.shared.aggregators)
    rows = RoutingGroup.objects.filter(visible).select_related("space")
    members = viewer.in_reach("aggregators__space")
    return rows.annotate(aggregator_count=Count("aggregators", filter=members, distinct=True))


def versions_of_nodes(viewer: Viewer) -> list[tuple[str, str, int]]:
    """Return kind, software version ("" if it never reported) and count of the nodes in reach."""
    rows = nodes_visible_to(viewer).filter(viewer.in_reach()).order_by().values("kind", "version")
    found = rows.annotate(count=Count("pk"))
    return [(row["kind"], row["version"], row["count"]) for row in found]


def failover_fault() -> str:
    """Return in words which known host did not answer when they were last asked; "": all did."""
    asked = MonitorLease.objects.values_list("hosts_fault", flat=True)
    return asked.first() or ""


def config_updates_visible_to(viewer: Viewer) -> QuerySet[ConfigUpdate]:
    return ConfigUpdate.objects.filter(viewer.in_reach("node__space"))


@dataclass(frozen=True, slots=True)
class ChecksOfAggregator:
    """What the failover checks found of one aggregator since they began."""

    aggregator_id: int
    name: str
    success: int
    failure: int
    failed: bool
    last_check: datetime | None
    since: datetime | None


def aggregator_checks_visible_to(viewer: Viewer) -> list[ChecksOfAggregator]:
    """Return the checks of aggregators in reach that are monitored, or were, by id."""
    seen = Q(failover_monitoring=True) | Q(check_record__isnull=False)
    rows = aggregators_in_reach(viewer).filter(seen).select_related("check_record").order_by("id")
    return [_checks_of(row) for row in rows]


def _checks_of(row: Aggregator) -> ChecksOfAggregator:
    found = getattr(row, "check_record", None)
    return ChecksOfAggregator(
        aggregator_id=row.pk,
        name=row.name,
        success=found.success if found else 0,
        failure=found.failure if found else 0,
        failed=row.failed,
        last_check=found.last_check if found else None,
        since=found.since if found else None,
    )


def is_failover_suspended(settings: Settings) -> bool:
    """Report whether no bond is moved now, for whatever reason."""
    return bool(why_nothing_moves_now(settings))


def why_nothing_moves_now(settings: Settings) -> str:
    """Return in words what keeps bonds from being moved now; "" when nothing does."""
    fault = failover_fault() if settings.known_hosts_enabled else ""
    return why_nothing_moves(settings, hosts_fault=fault)


def why_nothing_moves(settings: Settings, *, hosts_fault: str) -> str:
    """Return in words what keeps bonds from being moved now; "" when nothing does.

    In the order of api-v3 08-system 9: maintenance mode, known hosts, suspension. `hosts_fault`:
    which known host did not answer, in words.
    """
    if settings.maintenance_mode:
        return "Maintenance mode is on."
    if settings.known_hosts_enabled and hosts_fault:
        return f"{hosts_fault} So the server takes its own network to be broken."
    if not settings.allow_suspension:
        return ""
    monitored = Aggregator.objects.filter(failover_monitoring=True)
    counts = monitored.aggregate(all=Count("pk"), failed=Count("pk", filter=Q(failed=True)))
    percentage = settings.suspension_percentage
    if is_suspended(monitored=counts["all"], failed=counts["failed"], percentage=percentage):
        return (
            f"{counts['failed']} of {counts['all']} monitored aggregators look failed; from "
            f"{percentage} % on, moves are suspended."
        )
    return ""


def default_routing_group() -> RoutingGroup:
    return RoutingGroup.objects.get(is_default=True)


def is_group_usable_in(*, group: RoutingGroup, space: Space) -> bool:
    """Report whether `group` belongs to `space` or is shared with it."""
    return group.space_id == space.pk or group.space_id in sharing_of(space).aggregators


def is_aggregator_usable_in(*, aggregator: Aggregator, space: Space) -> bool:
    """Report whether `aggregator` belongs to `space` or is shared with it."""
    return aggregator.space_id == space.pk or aggregator.space_id in sharing_of(space).aggregators


@dataclass(frozen=True, slots=True)
class Watched:
    """An aggregator that is checked, with the values in force for it."""

    aggregator_id: int
    name: str
    ip: str
    failed: bool
    interval: timedelta
    timeout: timedelta
    retries: int


def watched_aggregators(settings: Settings, *, interval: timedelta | None = None) -> list[Watched]:
    """Return the aggregators with `failover_monitoring` on, by id (behaviour 6.1).

    `interval` is for laboratories: it takes the place of every interval, however short.
    """
    rows = Aggregator.objects.filter(failover_monitoring=True).order_by("id")
    return [_watched(row, settings, interval) for row in rows]


def _watched(row: Aggregator, settings: Settings, interval: timedelta | None) -> Watched:
    own = timedelta(seconds=row.failover_interval or settings.failover_interval)
    wait = timedelta(seconds=row.failover_receive_timeout or settings.failover_receive_timeout)
    used = interval or own
    return Watched(
        aggregator_id=row.pk,
        name=row.name,
        ip=row.ip,
        failed=row.failed,
        interval=used,
        # The rule is checked when values are written; a setting changed since may break it.
        timeout=wait if wait < used else used / 2,
        retries=row.failover_retries or settings.failover_retries,
    )


def node_statistics(space: Space, kind: NodeKind, *, now: datetime) -> RollUp:
    """Return `count` and `recent` (heard within seven days) of nodes in a space and below."""
    found = counted(space, f"node.{kind.value}", keys={"recent": "1"})  # that ever connected
    # Time passes and triggers nothing: the few that were not heard for long are counted at once.
    silent = Node.objects.filter(kind=kind.value, last_connected__lt=now - RECENT)
    gone = roll_up(silent, space=space, counts={"count": ALL})
    found.local["recent"] -= gone.local["count"]
    found.including_child_spaces["recent"] -= gone.including_child_spaces["count"]
    return found


@dataclass(frozen=True, slots=True)
class UpdateCounts:
    """Config updates by status, and the sum of their failure counts (api-v3 08-system 2)."""

    by_status: dict[str, int]
    failures: int

    @property
    def count(self) -> int:
        return sum(self.by_status.values())


def config_update_counts(viewer: Viewer) -> UpdateCounts:
    """Count the config updates of nodes in reach; every status is there, be it 0."""
    rows = config_updates_visible_to(viewer).order_by().values("status")
    found = rows.annotate(count=Count("id"), failures=Sum("failure_count"))
    by_status = dict.fromkeys(UpdateStatus.values, 0)
    failures = 0
    for row in found:
        by_status[row["status"]] = row["count"]
        failures += row["failures"]
    return UpdateCounts(by_status=by_status, failures=failures)

"""The newest report of everything a viewer reaches, and what it is of: for Prometheus."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BigIntegerField, BinaryField, OuterRef, Subquery

from openbond.server.bonds.selectors import bonds_in_reach, legs_visible_to
from openbond.server.bonds.selectors.parts import bond_count
from openbond.server.bonds.selectors.states import state_of_leg, status_of_bond
from openbond.server.fleet.models import Aggregator, Node
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.prepared import Among, Given, Prepared, ids_of
from openbond.server.telemetry.models import Samples, Subject
from openbond.server.telemetry.rules import samples as rules
from openbond.server.telemetry.rules.newest import Means, means
from openbond.server.telemetry.rules.series import Told
from openbond.server.telemetry.rules.times import ms_of
from openbond.wire.states import NodeKind

from .rows import readable

NEWEST = Prepared(
    lambda: Subject.objects.filter(Among("object_id", "ids")).order_by(),
    "told",
    "object_id",
    packed=Subquery(
        Samples.objects.filter(subject_id=OuterRef("pk"), at__gte=Given("since", BigIntegerField()))
        .order_by("-at")
        .values("packed")[:1],
        output_field=BinaryField(),
    ),
)


@dataclass(frozen=True, slots=True)
class SeenNode:
    id: int
    kind: NodeKind
    name: str
    space: str
    last_connected: datetime | None


@dataclass(frozen=True, slots=True)
class SeenBond:
    id: int
    name: str
    space: str
    aggregator: str
    status: str


@dataclass(frozen=True, slots=True)
class SeenLeg:
    id: int
    bond_id: int
    type: str
    interface: str
    state: str


def newest_of(
    tolds: Sequence[Told], ids: Sequence[int], *, since: datetime
) -> Iterator[tuple[Told, int, Means]]:
    """Yield what the given objects last told, if that was not before `since`.

    Callers have found the objects through their viewer.
    """
    for row in NEWEST.run(ids=ids_of(ids), since=ms_of(since)):
        told = Told(row["told"])
        if told not in tolds or row["packed"] is None:
            continue
        for samples in readable([bytes(row["packed"])], rules.decoded):
            yield told, row["object_id"], means(told, samples)


def nodes_seen(viewer: Viewer, kind: NodeKind) -> list[SeenNode]:
    rows = Node.objects.filter(viewer.in_reach(), kind=kind.value).order_by("id")
    found = rows.values_list("id", "name", "space__key", "last_connected")
    return [SeenNode(pk, kind, name, space, at) for pk, name, space, at in found]


def bonds_seen(viewer: Viewer, *, since: datetime) -> list[SeenBond]:
    """Return the bonds in reach; what was reported before `since` is too old to count."""
    aggregator = "current_aggregator"
    found = bonds_in_reach(viewer).order_by("id")
    rows = found.values_list(
        "id",
        "bonder__name",
        "space__key",
        f"{aggregator}__name",
        f"{aggregator}__space",
        status_of_bond(since=since),
    )
    # Names of what is not reached stay with its owner.
    return [
        SeenBond(pk, name, space, at if viewer.reaches(owner) else "", status)
        for pk, name, space, at, owner, status in rows
    ]


def legs_seen(viewer: Viewer, *, since: datetime) -> list[SeenLeg]:
    """Return the legs in reach; what was reported before `since` is too old to count."""
    found = legs_visible_to(viewer).order_by("id")
    rows = found.values_list("id", "bond_id", "type", "interface", state_of_leg(since=since))
    return [SeenLeg(pk, bond, kind, name or "", state) for pk, bond, kind, name, state in rows]


def bonds_by_aggregator(viewer: Viewer) -> dict[int, int]:
    """Return how many bonds within reach run on each aggregator within reach."""
    rows = Aggregator.objects.filter(viewer.in_reach())
    return dict(rows.values_list("pk", bond_count(viewer, "current_aggregator")))

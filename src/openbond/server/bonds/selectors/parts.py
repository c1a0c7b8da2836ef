"""What stands inside and around bonds, read at once for many of them.

Callers have found the bonds through their viewer; what belongs to a bond is seen with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BigIntegerField, Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.fleet.models import Aggregator
from openbond.server.fleet.selectors import aggregators_visible_to
from openbond.server.spaces.viewer import Viewer

from .bonds import bonds_in_reach, with_rates
from .states import with_states, with_status


@dataclass(frozen=True, slots=True)
class Parts:
    """Legs and routing objects of some bonds, each by id."""

    legs: QuerySet[Leg]
    connected_ips: QuerySet[ConnectedIP]
    cpe_nat_ips: QuerySet[CpeNatIP]
    routes: QuerySet[Route]


def parts_of_bonds(bond_ids: Sequence[int], *, now: datetime, timeout_seconds: int) -> Parts:
    """Return the parts of the bonds, none read yet; legs with their states."""
    legs = Leg.objects.filter(bond__in=bond_ids).order_by("id")
    return Parts(
        legs=with_states(legs, now=now, timeout_seconds=timeout_seconds),
        connected_ips=ConnectedIP.objects.filter(bond__in=bond_ids).order_by("id"),
        cpe_nat_ips=CpeNatIP.objects.filter(bond__in=bond_ids).order_by("id"),
        routes=Route.objects.filter(bond__in=bond_ids).order_by("id"),
    )


def with_observations(
    bonds: QuerySet[Bond], *, now: datetime, timeout_seconds: int
) -> QuerySet[Bond]:
    """Add `status`, `download_rate` and `upload_rate`."""
    rated = with_rates(bonds, now=now, timeout_seconds=timeout_seconds)
    return with_status(rated, now=now, timeout_seconds=timeout_seconds)


def aggregators_with_counts(viewer: Viewer) -> QuerySet[Aggregator]:
    """Add `bond_count`, `bond_secondary_count`, `bond_current_count`: bonds within reach."""
    return aggregators_visible_to(viewer).annotate(
        bond_count=_bonds(viewer, "aggregator"),
        bond_secondary_count=_bonds(viewer, "secondary_aggregator"),
        bond_current_count=_bonds(viewer, "current_aggregator"),
    )


def _bonds(viewer: Viewer, relation: str) -> Coalesce:
    # A subquery for each: three joins at once would count every pair of bonds.
    found = (
        bonds_in_reach(viewer)
        .filter(**{relation: OuterRef("pk")})
        .order_by()
        .values(relation)
        .annotate(found=Count("pk"))
        .values("found")
    )
    return Coalesce(Subquery(found), 0, output_field=BigIntegerField())

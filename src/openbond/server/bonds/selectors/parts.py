"""What stands inside and around bonds, read at once for many of them.

Callers have found the bonds through their viewer; what belongs to a bond is seen with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import BigIntegerField, Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from openbond.server.bonds.models import ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.spaces.viewer import Viewer

from .bonds import bonds_in_reach


@dataclass(frozen=True, slots=True)
class Parts:
    """Legs and routing objects of some bonds, each by id."""

    legs: QuerySet[Leg]
    connected_ips: QuerySet[ConnectedIP]
    cpe_nat_ips: QuerySet[CpeNatIP]
    routes: QuerySet[Route]


def parts_of_bonds(bond_ids: Sequence[int]) -> Parts:
    """Return the parts of the bonds, none read yet."""
    return Parts(
        legs=Leg.objects.filter(bond__in=bond_ids).order_by("id"),
        connected_ips=ConnectedIP.objects.filter(bond__in=bond_ids).order_by("id"),
        cpe_nat_ips=CpeNatIP.objects.filter(bond__in=bond_ids).order_by("id"),
        routes=Route.objects.filter(bond__in=bond_ids).order_by("id"),
    )


def bond_counts(viewer: Viewer) -> dict[str, Coalesce]:
    """Return the expressions of an aggregator's counts of bonds, those within reach."""
    return {
        "bond_count": bond_count(viewer, "aggregator"),
        "bond_secondary_count": bond_count(viewer, "secondary_aggregator"),
        "bond_current_count": bond_count(viewer, "current_aggregator"),
    }


def bond_count(viewer: Viewer, relation: str) -> Coalesce:
    """Return the expression of how many bonds within reach name a row in `relation`."""
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

"""What stands inside and around bonds, read at once for many of them.

Callers have found the bonds through their viewer; what belongs to a bond is seen with it.
"""

from django.db.models import BigIntegerField, Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.prepared import Among

from .bonds import bonds_in_reach

OF_BONDS = Among("bond_id", "bond_ids")


def bonds_by_id() -> QuerySet[Bond]:
    """Return the bonds `bond_ids`, which their caller found in his reach; for a prepared read."""
    return Bond.objects.filter(Among("id", "bond_ids")).order_by()


def legs_of_bonds() -> QuerySet[Leg]:
    """Return the legs of the bonds `bond_ids`, each by id; for a prepared read."""
    return Leg.objects.filter(OF_BONDS).order_by("id")


def connected_ips_of_bonds() -> QuerySet[ConnectedIP]:
    return ConnectedIP.objects.filter(OF_BONDS).order_by("id")


def cpe_nat_ips_of_bonds() -> QuerySet[CpeNatIP]:
    return CpeNatIP.objects.filter(OF_BONDS).order_by("id")


def routes_of_bonds() -> QuerySet[Route]:
    return Route.objects.filter(OF_BONDS).order_by("id")


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

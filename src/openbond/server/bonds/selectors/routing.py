"""Reads of routing objects, from who asks."""

from collections import defaultdict
from collections.abc import Collection

from django.db.models import QuerySet

from openbond.server.bonds.models import ConnectedIP, CpeNatIP, Route
from openbond.server.bonds.rules.routing import Connected, Edges, connected
from openbond.server.spaces.viewer import Viewer


def connected_ips_visible_to(viewer: Viewer) -> QuerySet[ConnectedIP]:
    return ConnectedIP.objects.filter(viewer.in_reach("bond__space"))


def cpe_nat_ips_visible_to(viewer: Viewer) -> QuerySet[CpeNatIP]:
    return CpeNatIP.objects.filter(viewer.in_reach("bond__space"))


def routes_visible_to(viewer: Viewer) -> QuerySet[Route]:
    return Route.objects.filter(viewer.in_reach("bond__space"))


def connected_networks(bond_id: int) -> list[Connected]:
    """Return the connected IPs of a bond as the rules see them, enabled or not."""
    rows = ConnectedIP.objects.filter(bond_id=bond_id).values("interface", "ip", "prefix")
    return [connected(**row) for row in rows]


def connected_edges(bond_id: int) -> list[Edges]:
    """Return the networks of the connected IPs of a bond by their edges, enabled or not."""
    rows = ConnectedIP.objects.filter(bond_id=bond_id)
    edges = rows.values_list("first", "last", "prefix")
    return [Edges(first or b"", last or b"", prefix) for first, last, prefix in edges]


def connected_edges_of(bond_ids: Collection[int]) -> dict[int, list[Edges]]:
    """Return the networks of the connected IPs of bonds by their edges, by the id of the bond."""
    rows = ConnectedIP.objects.filter(bond_id__in=bond_ids)
    found: dict[int, list[Edges]] = defaultdict(list)
    for bond_id, first, last, prefix in rows.values_list("bond_id", "first", "last", "prefix"):
        found[bond_id].append(Edges(first or b"", last or b"", prefix))
    return found

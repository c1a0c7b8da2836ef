"""What somebody must know to fill a form: which networks are still free."""

from collections.abc import Mapping

from openbond.server.api.in_process import opened
from openbond.server.api.v3.connected_ips import ConnectedIps
from openbond.server.api.v3.ip_allocations import DelegationsToSpace, IpAllocations
from openbond.server.spaces.viewer import Viewer

from .declaring import Sheet

ADDRESSES = frozenset({"bond_connected_ips", "bond_cpe_nat_ips", "bond_routes"})
MOST = 10
Hint = tuple[str, list[str]]


def hints_of(sheet: Sheet, viewer: Viewer, path: Mapping[str, object]) -> list[Hint]:
    """Return titles with lines, to be shown above the form of a new object."""
    if not viewer.can("view_ipallocation"):
        return []
    if sheet.key == "space_delegations":
        parent = opened(DelegationsToSpace, viewer, path=path).space.parent_id
        if parent is not None:
            return _free(viewer, parent, "Free in the space above, to be delegated")
    if sheet.key in ADDRESSES:
        space = opened(ConnectedIps, viewer, path=path).bond.space_id
        return _free(viewer, space, "Free public networks of the bond's space")
    return []


def _free(viewer: Viewer, space_id: int, title: str) -> list[Hint]:
    door = opened(IpAllocations, viewer)
    rows = door.present(door.rows().filter(space_id=space_id).order_by("first", "pk")[:MOST])
    lines = [
        f"of {row['network']}: {', '.join(row['available'][:MOST]) or 'nothing'}" for row in rows
    ]
    return [(title, lines)] if lines else []

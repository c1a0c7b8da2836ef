"""Finds the bond in whose path an object stands; one out of reach does not exist."""

from typing import Protocol

from django.http import Http404

from openbond.server.bonds.models import Bond
from openbond.server.bonds.selectors import bonds_in_reach
from openbond.server.spaces.viewer import Viewer


class BelowABond(Protocol):
    viewer: Viewer
    kwargs: dict[str, int]


def bond_of(view: BelowABond) -> Bond:
    """Return the bond of the path. Raises Http404."""
    bond = bonds_in_reach(view.viewer).filter(pk=view.kwargs["bond_id"]).first()
    if bond is None:
        raise Http404
    return bond

"""Finds the bond or space in whose path an object stands; one out of reach does not exist."""

from typing import Any, Protocol

from django.http import Http404

from openbond.server.bonds.models import Bond
from openbond.server.bonds.selectors import bonds_in_reach
from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import spaces_visible_to
from openbond.server.spaces.viewer import Viewer


class Below(Protocol):
    viewer: Viewer
    kwargs: dict[str, Any]


def bond_of(view: Below) -> Bond:
    """Return the bond of the path. Raises Http404."""
    bond = bonds_in_reach(view.viewer).filter(pk=view.kwargs["bond_id"]).first()
    if bond is None:
        raise Http404
    return bond


def space_of(view: Below, *, name: str = "space") -> Space:
    """Return the space of the path, named by its id or its key. Raises Http404."""
    named = view.kwargs[name]
    lookup = {"pk": int(named)} if named.isdigit() else {"key__iexact": named}
    space = spaces_visible_to(view.viewer).filter(**lookup).first()
    if space is None:
        raise Http404
    return space

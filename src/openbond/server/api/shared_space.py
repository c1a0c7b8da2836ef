"""A space that may lie outside the reach, as lists see it (00-general.md, 11).

It reads null there, so a filter, a search or an order must not tell it either.
"""

from django.db.models import Q

from openbond.server.spaces.selectors import if_in_reach, spaces_called
from openbond.server.spaces.viewer import Viewer

from . import lists
from .relations import Address

SPACE = "shown_space"
SPACE_NAME = "shown_space_name"


def filter_by_space(lookup: str = SPACE) -> lists.Filter:
    """Return the filter by a space as shown, by id, URL or key; `null` is out of reach."""
    address = Address("spaces", keyed=True)

    def read(given: str) -> object:
        named = address.named_by(given)
        if named is None:
            raise lists.BadValue(lists.NOT_AN_OBJECT)
        if isinstance(named, int):
            return named
        return Q(**{f"{lookup}__in": spaces_called(named).order_by().values("pk")})

    form = lists.form_of_relation("spaces", keyed=True)
    return lists.Filter(lookup, read, form=form, path="spaces")


def by_space() -> lists.Order:
    """Return the order by the name of the space."""
    return lists.by_text(SPACE_NAME, nullable=True)


def derived_space(viewer: Viewer) -> lists.Derived:
    return {
        SPACE: if_in_reach(viewer, "space_id"),
        SPACE_NAME: if_in_reach(viewer, "space__name"),
    }

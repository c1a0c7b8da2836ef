"""One look at the site: who looks, from which space, and what he may see."""

from functools import cached_property

from django.http import HttpRequest

from openbond.server.spaces.models import Space, User
from openbond.server.spaces.selectors import viewer_for, viewer_in_space
from openbond.server.spaces.viewer import Viewer

SPACE_KEY = "space"  # of the session: the id of the space switched to


class Visit:
    """A request of somebody who is signed in."""

    def __init__(self, request: HttpRequest, user: User) -> None:
        self._session = request.session
        self._origin = request.META.get("REMOTE_ADDR", "")
        self.user = user

    @cached_property
    def viewer(self) -> Viewer:
        """He who looks, with his whole reach."""
        return viewer_for(self.user, origin=self._origin)

    @property
    def space(self) -> Space:
        """The space switched to: the home space unless another in reach was chosen."""
        return self.narrow.space

    @property
    def is_switched(self) -> bool:
        """Report whether another space than the home space is looked at."""
        return self.narrow is not self.viewer

    @cached_property
    def narrow(self) -> Viewer:
        """The viewer as lists and counts know him: he sees the space switched to and below."""
        chosen = self._session.get(SPACE_KEY) or self.user.space_id
        if chosen == self.user.space_id:
            return self.viewer
        viewer, user = self.viewer, self.user
        found = viewer_in_space(user, space_id=chosen, codes=viewer.codes, origin=self._origin)
        return found or viewer


def visit_of(request: HttpRequest) -> Visit | None:
    """Return who is signed in; None for nobody, and for an account that is not active."""
    known: Visit | None = getattr(request, "visit", None)
    user = getattr(request, "user", None)  # not there where a middleware refused already
    if known is not None or not isinstance(user, User) or not user.active:
        return known
    visit = Visit(request, user)
    request.visit = visit  # type: ignore[attr-defined]  # kept for templates and later calls
    return visit

"""What every page has in common: who looks, from which space, and what he may see."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views import View
from rest_framework.request import Request

from openbond.server.api.links import Links
from openbond.server.api.view import Door
from openbond.server.spaces.models import Space, User
from openbond.server.spaces.selectors import spaces_visible_to, viewer_for
from openbond.server.spaces.viewer import Viewer

SPACE_KEY = "space"  # of the session: the id of the space switched to

D = TypeVar("D", bound=Door)


class Page(View):
    """One page of the site, for whoever is signed in; others are sent to sign in and come back.

    A view derives from it and writes get() and post(). What is raised becomes a page of its own:
    Http404 and Vanished, Forbidden, whatever else of errors.py, and what broke.
    """

    # Permission code that every method needs; "" for pages that are open to all.
    code: ClassVar[str] = ""
    root_only: ClassVar[bool] = False

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        viewer = viewer_of_session(request)
        if viewer is None:
            return to_sign_in(request)
        self.viewer = viewer
        request.viewer = viewer  # type: ignore[attr-defined]  # for the context processor
        request.page = self  # type: ignore[attr-defined]
        if self.code:
            viewer.require(self.code)
        if self.root_only:
            viewer.require_root()
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def now(self) -> datetime:
        """The time of the request: every part of one page is of the same moment."""
        return timezone.now()

    @cached_property
    def space(self) -> Space:
        """The space switched to: the home space unless another in reach was chosen."""
        chosen = self.request.session.get(SPACE_KEY)
        if chosen is None or chosen == self.viewer.user.space_id:
            return self.viewer.user.space
        found = spaces_visible_to(self.viewer).filter(pk=chosen).first()
        return found or self.viewer.user.space

    @cached_property
    def narrow(self) -> Viewer:
        """The viewer as lists and counts know him: he sees the space switched to and below.

        Single objects are looked for with `viewer`: a link to one in reach always opens.
        """
        if self.space.pk == self.viewer.user.space_id:
            return self.viewer
        return self.viewer.narrowed_to(self.space)

    def opened(self, view: type[D], *, viewer: Viewer | None = None, **path: object) -> D:
        """Return a view of the API that answers within this request, for its rules and looks.

        So `self.opened(Bonds)` has `rows()`, `listing`, `derived()`, `present(rows)`, `body`, and
        `find(pk)`; `path` is what its address would hold. Links in what it presents are paths.
        """
        other = view()
        other.request, other.kwargs = Request(self.request), dict(path)
        other.viewer, other.links, other.now = viewer or self.viewer, Links(), self.now
        return other

    def render(
        self,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        status: int = HTTPStatus.OK,
    ) -> HttpResponse:
        return render(self.request, template, dict(context or {}), status=status)


def viewer_of_session(request: HttpRequest) -> Viewer | None:
    """Return who is signed in; None for nobody, and for an account that is not active."""
    user = request.user
    if not isinstance(user, User) or not user.active:
        return None
    return viewer_for(user, origin=request.META.get("REMOTE_ADDR", ""))


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send to the page of sign-in, and back here afterwards.

    htmx follows no redirect with a whole page; it is told to go there.
    """
    is_partial = "HX-Request" in request.headers
    here = request.headers.get("HX-Current-URL", "/") if is_partial else request.get_full_path()
    address = f"{reverse('account_login')}?{urlencode({'next': _path_of(here)})}"
    if is_partial:
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _path_of(address: str) -> str:
    """Return what follows the host: a page of this site is gone back to, and no other."""
    return "/" + address.split("://", 1)[-1].partition("/")[2] if "://" in address else address

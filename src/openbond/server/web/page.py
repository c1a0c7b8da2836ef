"""What every page has in common: who looks, from which space, and what he may see."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views import View

from openbond.server.spaces.models import Space
from openbond.server.spaces.viewer import Viewer

from .visit import visit_of


class Page(View):
    """One page of the site, for whoever is signed in; others are sent to sign in and come back.

    A view derives from it and writes get() and post(). What is raised becomes a page of its own:
    Http404 and Vanished, Forbidden, whatever else of errors.py, and what broke.
    """

    # Permission code that every method needs; "" for pages that are open to all.
    code: ClassVar[str] = ""
    root_only: ClassVar[bool] = False

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        visit = visit_of(request)
        if visit is None:
            return to_sign_in(request)
        self.visit = visit
        if self.code:
            visit.viewer.require(self.code)
        if self.root_only:
            visit.viewer.require_root()
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def now(self) -> datetime:
        """The time of the request: every part of one page is of the same moment."""
        return timezone.now()

    @property
    def viewer(self) -> Viewer:
        """He who looks, with his whole reach: single objects are looked for with it, so that a
        link to one always opens."""
        return self.visit.viewer

    @property
    def narrow(self) -> Viewer:
        """He who looks, as lists and counts know him: in the space switched to, and below."""
        return self.visit.narrow

    @property
    def space(self) -> Space:
        """The space switched to."""
        return self.visit.space

    def render(
        self,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        status: int = HTTPStatus.OK,
    ) -> HttpResponse:
        return render(self.request, template, dict(context or {}), status=status)


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

"""Stands before everything under /api/: addresses, hosts, headers, request ids, JSON for faults."""

import re
from collections.abc import Callable
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.urls import is_valid_path
from django.utils.decorators import sync_and_async_middleware

from openbond.server.control import request_ids

from .negotiation import JSON
from .renderer import encode

API = "/api/"
SLASHES = re.compile("/{2,}")
FORWARDED = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")

# What a fault outside a view is called, by its status; the views' own faults never come here.
FAULTS = {
    400: ("bad_request", "The request was not understood."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    405: ("method_not_allowed", "Method not allowed."),
    413: ("too_large", "The body is larger than 1 MiB."),
    500: ("server_error", "The server failed. Its log has the reason under request id {id}."),
    503: ("unavailable", "The server could not do this now. Try again."),
}

# The next middleware or the view: it answers, or it returns an awaitable of the answer, and
# `iscoroutinefunction` tells which. The type system cannot follow that.
Answer = Callable[[HttpRequest], Any]
Enter = Callable[[HttpRequest], HttpResponse | None]
Leave = Callable[[HttpRequest, HttpResponseBase], HttpResponseBase]

log = structlog.get_logger()


@sync_and_async_middleware
def forwarding(answer: Answer) -> Answer:
    """Forget X-Forwarded-* unless a configured proxy sent them (00-general.md, 2.4)."""
    return _around(answer, enter=_forget_forwarded)


@sync_and_async_middleware
def doorway(answer: Answer) -> Answer:
    """Give every answer under /api/ the manners of 00-general.md, 2 and 9, whoever made it.

    It refuses nothing itself, so that nothing can go wrong past it.
    """
    return _around(answer, enter=_name, leave=_leave)


@sync_and_async_middleware
def threshold(answer: Answer) -> Answer:
    """Let in only to hosts and addresses that there are (00-general.md, 2)."""
    return _around(answer, enter=_enter)


def request_id_of(request: HttpRequest) -> str:
    """Return the id under which the log knows this request."""
    name: str = request.META.get(request_ids.IN_ENVIRON, "-")
    return name


def json_fault(code: str, detail: str, *, status: int) -> HttpResponse:
    return HttpResponse(encode({"detail": detail, "code": code}), status=status, content_type=JSON)


def _as_it_is(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    return response


def _around(answer: Answer, *, enter: Enter, leave: Leave = _as_it_is) -> Answer:
    """Return a middleware that does `enter` before, which may answer already, and `leave` after."""
    if iscoroutinefunction(answer):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            return leave(request, enter(request) or await answer(request))

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        return leave(request, enter(request) or answer(request))

    return synchronous


def _forget_forwarded(request: HttpRequest) -> None:
    if request.META.get("REMOTE_ADDR") in settings.TRUSTED_PROXIES:
        return
    for header in FORWARDED:
        request.META.pop(header, None)


def _is_for_the_api(request: HttpRequest) -> bool:
    return SLASHES.sub("/", request.path_info).startswith(API)


def _name(request: HttpRequest) -> None:
    """Let every line of the log bear the id of the request; our own server gave it one already."""
    given = request.headers.get(request_ids.HEADER, "")
    name = request.META.setdefault(request_ids.IN_ENVIRON, request_ids.request_id_for(given))
    # Never unbound: Django logs a refusal after the last middleware, and the next request has
    # a context or at least an id of its own.
    structlog.contextvars.bind_contextvars(request_id=name)


def _enter(request: HttpRequest) -> HttpResponse | None:
    """Prepare the request; return the answer if there is nothing more to ask."""
    if not _is_for_the_api(request):
        return None
    request.path_info = SLASHES.sub("/", request.path_info)
    request.path = SLASHES.sub("/", request.path)
    try:
        request.get_host()
    except DisallowedHost:
        return json_fault("bad_host", "This server does not go by that name.", status=400)
    if request.path_info.endswith("/") or is_valid_path(request.path_info):
        return None
    return _answer_without_slash(request)


def _answer_without_slash(request: HttpRequest) -> HttpResponse:
    known = is_valid_path(f"{request.path_info}/")
    if known and request.method in {"GET", "HEAD"}:
        return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
    return json_fault("not_found", "Not found.", status=404)


def _leave(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not _is_for_the_api(request):
        return response
    if response.status_code >= 400 and not _is_json(response):
        response = _json_instead_of(response, request)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Authorization, Cookie"
    response[request_ids.HEADER] = request_id_of(request)
    return response


def _is_json(response: HttpResponseBase) -> bool:
    return response.get("Content-Type", "").startswith(JSON)


def _json_instead_of(response: HttpResponseBase, request: HttpRequest) -> HttpResponse:
    """Django's own pages (unknown URL, suspicious request, crash) say the same in JSON."""
    status = response.status_code
    nearest = status if status in FAULTS else (500 if status >= 500 else 400)
    code, detail = FAULTS[nearest]
    if status >= 500:
        log.error("api.failed", status=status, path=request.path)
    return json_fault(code, detail.format(id=request_id_of(request)), status=status)

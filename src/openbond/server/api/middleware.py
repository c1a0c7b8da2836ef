"""Stands before everything under /api/: addresses, hosts, headers, request ids, JSON for faults."""

import re
import uuid
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

from .negotiation import JSON
from .renderer import encode

API = "/api/"
SLASHES = re.compile("/{2,}")
FORWARDED = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

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

log = structlog.get_logger()


@sync_and_async_middleware
def forwarding(answer: Answer) -> Answer:
    """Forget X-Forwarded-* unless a configured proxy sent them (00-general.md, 2.4)."""
    if iscoroutinefunction(answer):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            _forget_forwarded(request)
            response: HttpResponseBase = await answer(request)
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        _forget_forwarded(request)
        response: HttpResponseBase = answer(request)
        return response

    return synchronous


@sync_and_async_middleware
def doorway(answer: Answer) -> Answer:
    """Give everything under /api/ the manners of 00-general.md, 2 and 9."""
    if iscoroutinefunction(answer):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            is_ours = _is_for_the_api(request)
            early = _enter(request) if is_ours else None
            response: HttpResponseBase = early or await answer(request)
            return _leave(request, response) if is_ours else response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        is_ours = _is_for_the_api(request)
        early = _enter(request) if is_ours else None
        response: HttpResponseBase = early or answer(request)
        return _leave(request, response) if is_ours else response

    return synchronous


def request_id_of(request: HttpRequest) -> str:
    """Return the id under which the log knows this request."""
    return getattr(request, "openbond_request_id", "-")


def json_fault(code: str, detail: str, *, status: int) -> HttpResponse:
    return HttpResponse(encode({"detail": detail, "code": code}), status=status, content_type=JSON)


def _forget_forwarded(request: HttpRequest) -> None:
    if request.META.get("REMOTE_ADDR") in settings.TRUSTED_PROXIES:
        return
    for header in FORWARDED:
        request.META.pop(header, None)


def _is_for_the_api(request: HttpRequest) -> bool:
    return SLASHES.sub("/", request.path_info).startswith(API)


def _enter(request: HttpRequest) -> HttpResponse | None:
    """Prepare the request; return the answer if there is nothing more to ask."""
    request.path_info = SLASHES.sub("/", request.path_info)
    request.path = SLASHES.sub("/", request.path)
    given = request.headers.get("X-Request-Id", "")
    request.openbond_request_id = (  # type: ignore[attr-defined]
        given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    )
    structlog.contextvars.bind_contextvars(request_id=request_id_of(request))
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
    if response.status_code >= 400 and not _is_json(response):
        response = _json_instead_of(response, request)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, Authorization, Cookie"
    response["X-Request-Id"] = request_id_of(request)
    structlog.contextvars.unbind_contextvars("request_id")
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

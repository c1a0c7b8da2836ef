"""Turns whatever a view raises into one of the contract's two error shapes (00-general.md, 9)."""

from collections.abc import Callable, Mapping, Sequence

import structlog
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, UnreadablePostError
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from openbond.server.errors import (
    Busy,
    DomainError,
    Forbidden,
    InvalidFields,
    PreconditionFailed,
    Vanished,
)

from .middleware import request_id_of
from .refusals import BadRequest

WHOLE = "non_field_errors"
RETRY_AFTER_SECONDS = "2"

# The first class that fits decides, so subclasses stand before what they derive from.
STATUS: list[tuple[type[DomainError], int]] = [
    (Forbidden, status.HTTP_403_FORBIDDEN),
    (Vanished, status.HTTP_404_NOT_FOUND),
    (PreconditionFailed, status.HTTP_412_PRECONDITION_FAILED),
    (Busy, status.HTTP_503_SERVICE_UNAVAILABLE),
    (DomainError, status.HTTP_400_BAD_REQUEST),
]

# PostgreSQL's words for: lock not available, deadlock, serialization failure, shutting down,
# starting up, too many connections.
PASSING_STATES = {"55P03", "40P01", "40001", "57P01", "57P03", "53300"}

log = structlog.get_logger()


def exception_handler(exc: Exception, context: Mapping[str, object]) -> Response:
    """Answer `exc`. Faults of our own are logged with their trace and told without it."""
    set_rollback()
    if isinstance(exc, InvalidFields):
        return Response(dict(exc.fields), status=status.HTTP_400_BAD_REQUEST)
    if isinstance(exc, DomainError):
        return _domain_error(exc)
    known = _as_api_exception(exc)
    if known is None:
        return _server_error(exc, context)
    if isinstance(known, exceptions.ValidationError):
        return Response(_by_field(known.detail), status=known.status_code)
    return _api_error(known)


def _domain_error(exc: DomainError) -> Response:
    answer = next(answer for kind, answer in STATUS if isinstance(exc, kind))
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if isinstance(exc, Busy) else None
    return Response({"detail": str(exc), "code": exc.code}, status=answer, headers=headers)


def _as_api_exception(exc: Exception) -> exceptions.APIException | None:
    if isinstance(exc, exceptions.APIException):
        return exc
    meanings: list[tuple[type[Exception], Callable[[], exceptions.APIException]]] = [
        (Http404, exceptions.NotFound),
        (DjangoPermissionDenied, exceptions.PermissionDenied),
        (SuspiciousOperation, BadRequest),
        (UnreadablePostError, BadRequest),
    ]
    return next((make() for kind, make in meanings if isinstance(exc, kind)), None)


def _api_error(exc: exceptions.APIException) -> Response:
    headers = {"WWW-Authenticate": exc.auth_header} if hasattr(exc, "auth_header") else {}
    body = {"detail": _first_text(exc.detail), "code": _first_code(exc.get_codes())}
    return Response(body, status=exc.status_code, headers=headers)


def _by_field(detail: object) -> object:
    if isinstance(detail, Mapping):
        return detail
    return {WHOLE: detail if isinstance(detail, Sequence) else [detail]}


def _first_text(detail: object) -> str:
    if isinstance(detail, Mapping):
        return _first_text(next(iter(detail.values()), ""))
    if isinstance(detail, list):
        return _first_text(detail[0]) if detail else ""
    return str(detail)


def _first_code(codes: object) -> str:
    if isinstance(codes, Mapping):
        return _first_code(next(iter(codes.values()), "error"))
    if isinstance(codes, list):
        return _first_code(codes[0]) if codes else "error"
    return str(codes)


def _server_error(exc: Exception, context: Mapping[str, object]) -> Response:
    if isinstance(exc, OperationalError) and is_passing(exc):
        log.warning("api.database_unavailable", error=str(exc))
        return _domain_error(Busy())
    request = context.get("request")
    request_id = request_id_of(_plain(request)) if isinstance(request, Request) else "-"
    log.error("api.crashed", exc_info=exc, request_id=request_id)
    detail = f"The server failed. Its log has the reason under request id {request_id}."
    return Response({"detail": detail, "code": "server_error"}, status=500)


def is_passing(exc: OperationalError) -> bool:
    """Report whether the request was sound and a retry may pass: a lock, or a lost connection."""
    cause = exc.__cause__
    state = getattr(cause, "sqlstate", "")
    if state == "":
        return "locked" in str(exc) or "busy" in str(exc)
    return state is None or state in PASSING_STATES


def _plain(request: Request) -> HttpRequest:
    return request._request

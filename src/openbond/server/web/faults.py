"""Pages for what cannot be shown or done: refused, not there, broken."""

from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.exceptions import APIException
from rest_framework.exceptions import ValidationError as ApiValidationError

from openbond.server.api.errors import STATUS, is_passing
from openbond.server.api.middleware import request_id_of
from openbond.server.errors import Busy, DomainError

from .visit import visit_of

WORDS = {
    400: ("This cannot be done", "The request was not understood."),
    403: ("Not allowed", "You do not have permission to open this page."),
    404: ("Not found", "There is nothing here, or it is not yours to see."),
    405: ("Not possible here", "This address does not take what was sent to it."),
    412: ("Changed meanwhile", "Somebody else has changed this since you opened it."),
    500: ("Something broke", "The server failed. Its log has the reason."),
    503: ("Busy", "The server could not do this now. Try again."),
}


def page_of(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """Return the page that tells of `error`; None for what broke, which Django logs first."""
    if isinstance(error, OperationalError) and is_passing(error):
        error = Busy()
    if isinstance(error, DomainError):
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        return fault(request, status, str(error))
    if isinstance(error, Http404):
        return fault(request, HTTPStatus.NOT_FOUND)
    if isinstance(error, PermissionDenied):
        return fault(request, HTTPStatus.FORBIDDEN)
    if isinstance(error, APIException):
        said = "" if isinstance(error, ApiValidationError) else str(error.detail)
        return fault(request, error.status_code, said)
    return None


def fault(
    request: HttpRequest, status: int, words: str = "", *, opens_again: bool = False
) -> HttpResponse:
    """Return the page of a fault; `words` stand in for the usual ones.

    `opens_again`: offer to open the form anew, with what was typed into it.
    """
    title, usual = WORDS.get(status, WORDS[500 if status >= 500 else 400])
    is_known = status < 500 and visit_of(request) is not None
    context = {
        "layout": "web/base.html" if is_known else "web/bare.html",
        "status": int(status),
        "title": title,
        "words": words or usual,
        "request_id": request_id_of(request),
        "opens_again": opens_again,
    }
    return render(request, "web/fault.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _for_django(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _for_django(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _for_django(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _for_django(request, 500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page was open for too long, or the form came from elsewhere."""
    words = (
        "This form is no longer valid: you signed in anew since it was opened, or it is not ours."
    )
    return fault(request, 403, words, opens_again=True)


def _for_django(request: HttpRequest, status: int) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return HttpResponse(status=status)  # the API says it in JSON
    return fault(request, status)

"""Stands before the site's pages: headers that keep strangers out, words for what is refused."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

from .faults import page_of

Answer = Callable[[HttpRequest], HttpResponseBase]

API = ("/api/", "/metrics")

# Everything comes from this server; logos of spaces alone may come from elsewhere, by https.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: https:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A form's own origin is checked by its Referer; other sites learn nothing.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class SiteCsrf(CsrfViewMiddleware):
    """Django's check of forms, for the site alone: the API checks by itself and sets no cookie."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.path_info.startswith(API):
            super().process_request(request)


class SiteManners:
    """Gives each answer of the site its headers, and makes pages of what views raise."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._answer(request)
        if request.path_info.startswith(API):
            return response
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        # What is private must not be found in a cache, nor by the back button after sign-out.
        response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Answer what the domain refuses; Django goes on with everything else."""
        if request.path_info.startswith(API):
            return None
        return page_of(request, error)

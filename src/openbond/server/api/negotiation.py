"""Decides whether a client's `Accept` lets us answer: JSON or nothing (00-general.md, 4.2)."""

from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

JSON = "application/json"
SERVED = {"*/*", "application/*", JSON}


class JsonOnly(BaseContentNegotiation):
    """Answer with JSON whenever `Accept` names it, allows it or says nothing."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        wanted = media_type(request.content_type or "")
        return next((parser for parser in parsers if parser.media_type == wanted), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        accept = request.META.get("HTTP_ACCEPT", "").strip()
        if not accept:
            return renderer, JSON
        for entry in accept.split(","):
            if media_type(entry) in SERVED:
                return renderer, entry.strip()
        raise NotAcceptable("Only application/json is served; name it in Accept.")


def media_type(entry: str) -> str:
    """Return the type of a header entry, without its parameters, in lower case."""
    return entry.partition(";")[0].strip().lower()

"""Serves the OpenAPI document and Swagger UI, to anybody: neither holds anything secret."""

from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from .negotiation import JSON
from .renderer import encode
from .v3 import urls

ASSETS = "static/drf_spectacular_sidecar/swagger-ui-dist"
SERVED = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
# No script in the page itself, so that a strict content security policy can stand.
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>openbond API v3</title>
<link rel="stylesheet" href="swagger-ui.css"><link rel="icon" href="favicon-32x32.png"></head>
<body><div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script><script src="start.js"></script></body></html>
"""
START = 'SwaggerUIBundle({url: "../schema/", dom_id: "#swagger-ui", deepLinking: true});\n'
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """Answer with the OpenAPI document."""
    return HttpResponse(encode(openapi()), content_type=JSON)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Answer with the page of Swagger UI."""
    return HttpResponse(PAGE, headers={"Content-Security-Policy": POLICY})


@require_safe
def asset(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with a part of Swagger UI."""
    if name == "start.js":
        return HttpResponse(START, content_type="text/javascript")
    if name not in SERVED:
        raise Http404
    content = files("drf_spectacular_sidecar").joinpath(ASSETS, name).read_bytes()
    return HttpResponse(content, content_type=SERVED[name])


@lru_cache(maxsize=1)
def openapi() -> dict[str, Any]:
    """Return the OpenAPI document; it does not change while the server runs."""
    generator = SchemaGenerator(  # type: ignore[no-untyped-call]
        title="openbond", urlconf=None, patterns=urls.mounted, api_version="v3"
    )
    document: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document["info"] = {
        "title": "openbond API v3",
        "version": version("openbond"),
        "description": "The management server's REST API, version 3.",
    }
    document["components"]["securitySchemes"] = {
        "basic": {"type": "http", "scheme": "basic"},
        "token": {"type": "apiKey", "in": "header", "name": "Authorization"},
        "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
    }
    return document

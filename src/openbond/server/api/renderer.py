"""Writes a response body: JSON in one line, or indented on request (00-general.md, 4.1)."""

import json
import re
from collections.abc import Mapping

import msgspec
from rest_framework.renderers import BaseRenderer

from .negotiation import JSON

MAX_INDENT = 8
INDENT = re.compile(r";\s*indent\s*=\s*\"?(\d{1,2})\"?\s*(?:;|$)", re.IGNORECASE)
# U+2028 and U+2029 are line breaks to JavaScript and to many log tools; a body has none.
BREAK = b"\xe2\x80"
LINE_BREAKS = {BREAK + b"\xa8": b"\\u2028", BREAK + b"\xa9": b"\\u2029"}


class OneLineJson(BaseRenderer):
    """JSON in UTF-8 without a line break, unless `Accept` has `indent=4` or another width."""

    media_type = JSON
    format = "json"
    charset = None

    def render(
        self,
        data: object,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, object] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        body = encode(data)
        indent = indent_asked_for(accepted_media_type or "")
        if indent:
            return json.dumps(json.loads(body), indent=indent, ensure_ascii=False).encode()
        return body


def encode(body: object) -> bytes:
    """Return `body` as one line of JSON. `msgspec.Raw` parts go in as they are."""
    encoded = msgspec.json.encode(body, enc_hook=_plain)
    if BREAK in encoded:
        for character, escape in LINE_BREAKS.items():
            encoded = encoded.replace(character, escape)
    return encoded


def _plain(value: object) -> str:
    # REST framework's messages are strings that also carry a code.
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(f"JSON has no {type(value).__name__}")


def indent_asked_for(accept: str) -> int:
    match = INDENT.search(accept)
    return min(int(match[1]), MAX_INDENT) if match else 0

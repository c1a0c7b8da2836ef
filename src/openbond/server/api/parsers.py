"""Reads a request body into a plain mapping, or says why it cannot (00-general.md, 4.3 and 4.4)."""

import json
from collections.abc import Mapping
from typing import IO, NoReturn, Protocol

from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser

from .negotiation import JSON
from .refusals import TooLarge

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 32


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class StrictJson(BaseParser):
    """JSON as RFC 8259 means it: UTF-8, no duplicate names, no NaN, no broken characters."""

    media_type = JSON

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Mapping[str, object]:
        parsed = parse_json(stream.read())
        if not isinstance(parsed, dict):
            raise ValidationError({"non_field_errors": ["Expected an object."]})
        return parsed


def parse_json(body: bytes) -> object:
    """Return what `body` says. Raises ParseError with the place and the fault."""
    try:
        parsed = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique_names, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as fault:
        raise ParseError(f"The body is not UTF-8: byte {fault.start}.") from fault
    except RecursionError as fault:
        raise ParseError("The body is nested too deeply.") from fault
    except ValueError as fault:
        raise ParseError(f"The body is not JSON: {fault}.") from fault
    if depth(parsed) > MAX_DEPTH:
        raise ParseError(f"The body is nested too deeply; {MAX_DEPTH} levels are allowed.")
    if b"\\u" in body:
        _refuse_surrogates(parsed)
    return parsed


def read_limited(stream: Readable) -> bytes:
    """Return all of `stream`. Raises TooLarge past the limit, whatever Content-Length said."""
    body = stream.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge
    return body


def depth(parsed: object) -> int:
    """Return how many levels of lists and objects there are; 0 for a plain value."""
    level, current = 0, [parsed]
    while current := [item for item in current if isinstance(item, dict | list)]:
        level += 1
        current = [
            child
            for item in current
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return level


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named: dict[str, object] = {}
    for name, value in pairs:
        if name in named:
            raise ValueError(f"name {name!a} occurs twice in one object")
        named[name] = value
    return named


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _refuse_surrogates(parsed: object) -> None:
    # Half a character can be written as an escape, but no database and no client can take it.
    try:
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as fault:
        raise ParseError("The body holds half a character (a lone surrogate).") from fault

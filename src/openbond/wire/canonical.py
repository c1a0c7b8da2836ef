"""The one spelling of a document: what is hashed and signed (behaviour 1.7).

JSON, UTF-8, keys sorted by code point, no white space, integers only.
"""

import hashlib
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="deterministic")


class NotCanonical(ValueError):
    """A value that the canonical form has no place for: a float."""


def canonical_bytes(value: Any) -> bytes:
    """Return the canonical JSON of `value` (structs, dicts, lists, strings, integers, booleans).

    Raises NotCanonical when a float is anywhere inside.
    """
    plain = msgspec.to_builtins(value)
    _refuse_floats(plain)
    return _ENCODER.encode(plain)


def content_hash(canonical: bytes) -> str:
    """Return the SHA-256 of canonical bytes, lower-case hex."""
    return hashlib.sha256(canonical).hexdigest()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise NotCanonical(f"{value!r} is not an integer; speeds are kbit/s, times ms")
    if isinstance(value, dict):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_floats(inner)

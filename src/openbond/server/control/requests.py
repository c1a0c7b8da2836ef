"""HTTP as the channel needs it, straight from ASGI: read one request, send one JSON answer.

Not a Django view: Django gives each request a thread for its signals, and a held poll has none.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from openbond.wire.exchange import ErrorCode

from .refusals import ChannelRefusal

Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 8 * 1024 * 1024


class Gone(Exception):
    """The other side hung up."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body read. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    address: str


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read the whole request. Raises ChannelRefusal for a body that is too large, Gone."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise ChannelRefusal(
                ErrorCode.BAD_REQUEST, f"The body is larger than {MAX_BODY_BYTES} bytes."
            )
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}
    client = scope.get("client") or ("", 0)
    return Request(scope["method"], _target(scope), headers, bytes(body), client[0])


async def send_json(send: Send, status: int, answer: msgspec.Struct) -> None:
    await _send(send, status, b"application/json", msgspec.json.encode(answer))


async def send_pem(send: Send, text: str) -> None:
    await _send(send, 200, b"application/x-pem-file", text.encode())


async def _send(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _target(scope: Scope) -> str:
    path: str = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    query: str = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path

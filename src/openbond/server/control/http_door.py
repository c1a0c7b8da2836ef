"""Says in JSON what uvicorn refuses by itself: what is no HTTP, or has a head without end.

Such a request has no path yet, so everybody is told the same. What is no TLS has not even a
request: the connection is closed without an answer, and nothing can be said.
"""

import httptools
import msgspec
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .request_ids import HEADER, request_id_for

MAX_HEAD_BYTES = 16 * 1024
REFUSAL = {
    "detail": "This is no HTTP/1.1 request, or its head is longer than 16 KiB.",
    "code": "bad_request",
}

log = structlog.get_logger(__name__)


class HttpDoor(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 by a parser in C, with limits and our words for its own refusals."""

    _unended = 0

    def data_received(self, data: bytes) -> None:
        """Refuse a head, or what stands between the parts of a body, that does not end.

        The parser keeps such a part for as long as it grows, and never says that it is too long.
        """
        self._unended += len(data)
        super().data_received(data)
        if self._unended > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("a head without end")

    def on_headers_complete(self) -> None:
        self._unended = 0
        if self.parser.get_http_version() == "1.1" and not self._names_a_host():
            raise httptools.HttpParserError("no Host (RFC 9112, section 3.2)")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unended = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unended = 0
        super().on_message_complete()

    def _names_a_host(self) -> bool:
        return any(name == b"host" for name, _ in self.headers)

    def send_400_response(self, msg: str) -> None:
        """Refuse and hang up; in the midst of another answer only hang up."""
        request_id = request_id_for("")
        client = self.client[0] if self.client else ""
        log.warning("http.refused", reason=msg, client=client, request_id=request_id)
        answering = self.cycle is not None and self.cycle.response_started
        if not answering or self.cycle.response_complete:
            self.transport.write(_refusal(request_id))
        self.transport.close()


def _refusal(request_id: str) -> bytes:
    body = msgspec.json.encode(REFUSAL)
    head = [
        "HTTP/1.1 400 Bad Request",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        f"{HEADER.lower()}: {request_id}",
        "connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body

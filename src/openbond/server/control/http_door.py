"""Says in JSON what uvicorn refuses by itself: what is no HTTP, or has a head without end.

Such a request has no path yet, so everybody is told the same. What is no TLS has not even a
request: the connection is closed without an answer, and nothing can be said.
"""

import msgspec
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from .request_ids import HEADER, request_id_for

REFUSAL = {
    "detail": "This is no HTTP/1.1 request, or its head is longer than 16 KiB.",
    "code": "bad_request",
}

log = structlog.get_logger(__name__)


class HttpDoor(H11Protocol):
    """uvicorn's HTTP/1.1, with our words for its own refusals."""

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

"""ETag and If-Match: has the object changed since the client read it? (00-general.md, 7.4)"""

import hashlib
from collections.abc import Mapping

from rest_framework.request import Request

from openbond.server.errors import PreconditionFailed

from .renderer import encode


def etag_of(writable: Mapping[str, object], *, root: str) -> str:
    """Return a strong ETag over the writable values of an object, secrets included.

    The values are hashed, not a time of change: two changes within one tick of the clock differ,
    and measured values, which are not writable, never count. Nor does the name by which the client
    reached the server: URLs are hashed without their `root`.
    """
    body = encode(writable).replace(root.encode(), b"")
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def check_precondition(request: Request, etag: str) -> None:
    """Raise PreconditionFailed if the client holds another state of the object than we do."""
    given = request.headers.get("If-Match")
    if given is None:
        return
    wanted = [entry.strip() for entry in given.split(",")]
    if "*" not in wanted and etag not in wanted:
        raise PreconditionFailed

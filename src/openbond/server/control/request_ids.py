"""The id under which the log and the client know one request (api-v3 00-general.md, 9)."""

import re
import uuid

HEADER = "X-Request-Id"
# Where the environment of a WSGI request holds it.
IN_ENVIRON = "openbond.request_id"
SOUND = re.compile(r"[A-Za-z0-9._-]{8,64}")


def request_id_for(given: str) -> str:
    """Return the id that a client or a proxy gave, if it is fit for a log, or a new one."""
    return given if SOUND.fullmatch(given) else uuid.uuid4().hex

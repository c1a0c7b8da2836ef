"""Asks one aggregator whether it serves its bonds, over TLS on TCP 8005 (behaviour 6.1)."""

import asyncio
import contextlib
import ssl

import msgspec

from openbond.server.fleet.rules import is_served
from openbond.server.fleet.selectors import Watched
from openbond.wire import checks
from openbond.wire.checks import CheckAnswer, CheckQuestion


async def probe(watched: Watched, context: ssl.SSLContext, *, port: int = checks.PORT) -> str:
    """Return why this check is a miss, as a sentence; "": the aggregator serves its bonds."""
    seconds = watched.timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            shown, line = await _asked(watched.ip, port, context, seconds)
        answer = checks.decode_answer(line)
    except TimeoutError:
        return f"No answer within {seconds:g} s."
    except ssl.SSLCertVerificationError as error:
        return f"Its certificate is not of the private CA: {error.verify_message}."
    except (OSError, ValueError) as error:
        # A line that is too long is a ValueError; so is msgspec's DecodeError.
        return f"No connection, or no answer: {_words(error)}."
    return _judged(watched, shown, answer)


async def _asked(
    ip: str, port: int, context: ssl.SSLContext, seconds: float
) -> tuple[set[str], bytes]:
    """Return the names in the certificate shown, and the line answered."""
    reader, writer = await asyncio.open_connection(ip, port, ssl=context, limit=checks.LONGEST_LINE)
    try:
        certificate = writer.get_extra_info("peercert") or {}
        names = {name for kind, name in certificate.get("subjectAltName", ()) if kind == "URI"}
        writer.write(checks.encode_line(CheckQuestion(within_ms=round(seconds * 1000))))
        await writer.drain()
        return names, await reader.readline()
    finally:
        # No close() before it: after the peer's own end that leaves nothing to abort, which asyncio
        # of Python 3.11.2 (Debian 12) does not bear.
        with contextlib.suppress(OSError):
            writer.transport.abort()


def _judged(watched: Watched, names: set[str], answer: CheckAnswer) -> str:
    node_id = watched.aggregator_id
    if checks.node_name(node_id) not in names or answer.node_id != node_id:
        return f"Another node answers at {watched.ip}: node {answer.node_id}."
    if not is_served(bonds=answer.bonds, served=answer.served):
        return f"It serves {answer.served} of its {answer.bonds} bonds: tunnel daemons do not run."
    return ""


def _words(error: Exception) -> str:
    if isinstance(error, msgspec.DecodeError):
        return "the answer is unreadable"
    strerror = getattr(error, "strerror", None)
    return str(strerror or error or type(error).__name__).rstrip(".").lower()

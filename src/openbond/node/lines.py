"""JSON lines over a Unix socket: one request, one answer."""

import asyncio
import contextlib
from pathlib import Path


class NoAnswer(Exception):
    """The program behind a socket does not run or does not answer."""


async def ask(path: Path, line: bytes, *, within_s: float) -> bytes:
    """Send one line and return the line that answers it.

    Raises NoAnswer.
    """
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(line)
                await writer.drain()
                answer = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError) as error:
        raise NoAnswer(f"{path.name}: {str(error) or 'no answer in time'}") from error
    if not answer.endswith(b"\n"):
        raise NoAnswer(f"{path.name}: the connection ended without an answer")
    return answer

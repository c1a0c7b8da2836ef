"""HTTP/1.1 over a kept TLS connection: one request at a time, read without a parser's cost."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Self

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server listens, and whom its certificate must be from."""

    host: str
    port: int
    context: ssl.SSLContext


class Connection(asyncio.Protocol):
    """Open it by `to`. A connection that was lost raises ConnectionError, and stays lost."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[Answer] | None = None

    @classmethod
    async def to(cls, server: Server) -> Self:
        """Connect. Raises OSError, also when TLS fails."""
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            lambda: cls(f"{server.host}:{server.port}"),
            server.host,
            server.port,
            ssl=server.context,
            ssl_handshake_timeout=PATIENCE_SECONDS,
        )
        return made

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(
        self, method: str, target: str, headers: dict[str, str], body: bytes, *, within: float
    ) -> Answer:
        """Send one request and return the answer. Raises ConnectionError, TimeoutError."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the connection is closed")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + body)
        try:
            return await asyncio.wait_for(self._answer, within)
        except BaseException:
            self.close()  # what may still come would be taken for the next answer
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        found = read_answer(self._received)
        if found is None:
            return
        self._received.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(found)


def read_answer(received: bytearray) -> Answer | None:
    """Return the answer once all of it is there; the server says each body's length."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(received[:end]).lower()
    _, _, rest = head.partition(b"content-length:")
    length = int(rest.partition(b"\r\n")[0] or 0)
    start = end + 4
    if len(received) < start + length:
        return None
    return Answer(int(head[9:12]), bytes(received[start : start + length]))

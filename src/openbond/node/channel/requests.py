"""One HTTPS request over one way: bound to the leg's address and interface (behaviour 1.5)."""

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from weakref import WeakKeyDictionary

import httpx
import msgspec

from openbond.node.errors import ServerRefused, ServerUnreachable
from openbond.node.settings import ServerAddress
from openbond.wire.exchange import ErrorAnswer

from .budget import octets_moved
from .ways import Way

CONNECT_S = 5.0
WRITE_S = 15.0
# A connection whose packets nobody acknowledges for this long is given up by the kernel.
UNHEARD_MS = 20_000

_SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    answer_within_s: float = 20.0


class WayClient:
    """Connections to the server over one way, kept open between requests.

    `moved` is told after each answer how many octets were moved for it.
    """

    def __init__(
        self,
        way: Way,
        server: ServerAddress,
        context: ssl.SSLContext,
        *,
        moved: Callable[[int], None] | None = None,
    ) -> None:
        self._server = server
        self._moved = moved
        self._counted: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._under_way = 0
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=context,
                local_address=way.source,
                socket_options=_socket_options(way),
                limits=httpx.Limits(max_connections=4, keepalive_expiry=90),
            ),
            # The operator's proxy variables are for other programs: the channel is bound to a leg.
            trust_env=False,
        )

    async def send(self, request: Request, *, address: str) -> httpx.Response:
        """Send to one resolved address of the server, with its name checked in TLS.

        Raises httpx.TransportError when no answer came.
        """
        self._under_way += 1
        try:
            response = await self._send(request, address)
        finally:
            self._under_way -= 1
        self._count(response)
        return response

    def _count(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream else None
        if self._moved is None or connection is None:
            return
        with suppress(OSError):  # closed meanwhile
            total = octets_moved(connection)
            self._moved(total - self._counted.get(stream, 0))
            self._counted[stream] = total

    @property
    def is_busy(self) -> bool:
        return self._under_way > 0

    async def _send(self, request: Request, address: str) -> httpx.Response:
        host = f"[{address}]" if ":" in address else address
        return await self._client.request(
            request.method,
            f"https://{host}:{self._server.port}{request.target}",
            content=request.body,
            headers={"Host": str(self._server), **request.headers},
            timeout=httpx.Timeout(
                request.answer_within_s, connect=CONNECT_S, write=WRITE_S, pool=CONNECT_S
            ),
            extensions={"sni_hostname": self._server.host},
        )

    async def close(self) -> None:
        await self._client.aclose()


def _socket_options(way: Way) -> list[_SocketOption]:
    options: list[_SocketOption] = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS),
    ]
    if way.interface is not None:
        device = way.interface.encode() + b"\0"
        options.append((socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device))
    return options


def refusal_in(response: httpx.Response) -> ServerRefused | None:
    """Return the server's refusal, None when it answered with success."""
    if response.is_success:
        return None
    try:
        answer = msgspec.json.decode(response.content, type=ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = ErrorAnswer(code="", detail=response.reason_phrase or "no reason given")
    text = f"The server refused: {answer.detail} (HTTP {response.status_code})."
    return ServerRefused(text, status=response.status_code, code=answer.code, number=answer.number)


def unreachable(server: ServerAddress, way: Way, error: Exception) -> ServerUnreachable:
    words = str(error) or type(error).__name__
    return ServerUnreachable(
        f"No answer from {server} by {way} ({words}): check the address, the port, and that the "
        "server runs and no firewall is between."
    )

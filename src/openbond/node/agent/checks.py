"""Answers the server's checks of an aggregator on TCP 8005 (behaviour 6.1)."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

import msgspec
import structlog
from cryptography import x509

from openbond.node.errors import NodeError
from openbond.node.identity import extension_in
from openbond.node.paths import Paths
from openbond.wire import checks, exchange
from openbond.wire.checks import CheckAnswer
from openbond.wire.config import NodeContent
from openbond.wire.states import NodeKind

from .daemons import Daemons

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
RETRY_AFTER_S = 10.0
# Nobody but the server speaks here; whoever dawdles is not it.
MOST_S = 10.0
SHUTDOWN_S = 2.0
# Of the time the server waits for an answer, daemons get half: one that hangs must not make the
# whole aggregator look dead.
DAEMONS_SHARE = 0.5


class NoPort(NodeError):
    """The port for checks cannot be had."""


class CheckDoor:
    """The listener of an aggregator. A bonder, or a node out of service, has none."""

    def __init__(
        self,
        paths: Paths,
        node_id: Callable[[], int],
        content: Callable[[], NodeContent | None],
        daemons: Daemons,
        *,
        port: int = checks.PORT,
        host: str | None = None,
    ) -> None:
        self._paths = paths
        self._node_id = node_id
        self._content = content
        self._daemons = daemons
        self._host, self._port = host, port

    async def run(self) -> None:
        """Listen while this node is an aggregator in service, for ever."""
        is_told = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._is_in_service():
                continue
            try:
                async with self.listening():
                    is_told = False
                    await self._until_changed()
            except NoPort as taken:
                if not is_told:
                    log.error("the server cannot check this aggregator", why=str(taken))
                is_told = True
                await asyncio.sleep(RETRY_AFTER_S)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen for as long as the `async with` lasts. Raises NoPort."""
        try:
            server = await asyncio.start_server(
                self._serve,
                self._host,
                self._port,
                ssl=self._context(),
                limit=checks.LONGEST_LINE,
                ssl_handshake_timeout=MOST_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except OSError as error:
            raise NoPort(
                f"TCP port {self._port} cannot be had ({error.strerror or error}): end the "
                "program that uses it."
            ) from error
        try:
            yield
        finally:
            server.close()

    def _is_in_service(self) -> bool:
        content = self._content()
        is_aggregator = content is not None and content.kind is NodeKind.AGGREGATOR
        return is_aggregator and not (content is not None and content.decommission)

    async def _until_changed(self) -> None:
        """Return when the certificate was renewed, or this is no aggregator in service now."""
        began = self._stamp()
        while self._is_in_service() and self._stamp() == began:
            await asyncio.sleep(LOOK_EVERY_S)

    def _stamp(self) -> int:
        try:
            return self._paths.certificate.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self._paths.ca)
        context.load_cert_chain(self._paths.certificate, self._paths.identity_key)
        return context

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(MOST_S):
                if not _is_server(writer):
                    return
                question = checks.decode_question(await reader.readline())
                writer.write(checks.encode_line(await self._answer(question.within_ms / 1000)))
                await writer.drain()
        except (OSError, TimeoutError, ValueError, msgspec.DecodeError):
            # Lines that are too long are a ValueError. The server sees a miss; that is enough.
            return
        finally:
            writer.close()

    async def _answer(self, within_s: float) -> CheckAnswer:
        content = self._content()
        served = await self._daemons.answering(within_s=within_s * DAEMONS_SHARE)
        return CheckAnswer(
            node_id=self._node_id(), bonds=len(content.bonds) if content else 0, served=served
        )


def _is_server(writer: asyncio.StreamWriter) -> bool:
    """Report whether the other end holds the key that signs configs: other nodes do not."""
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    certificate = x509.load_der_x509_certificate(shown)
    return extension_in(certificate, exchange.CONFIG_SIGNER_OID) is not None

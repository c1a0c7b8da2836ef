"""A management server for tests: speaks wire over real HTTPS and holds state; no database.

It checks signatures and rising numbers as the real one does. Runs in a thread of its own.
"""

import base64
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from openbond.node.configs import StoredConfig
from openbond.wire import exchange
from openbond.wire.config import NodeContent
from openbond.wire.exchange import (
    EnrolAnswer,
    EnrolRequest,
    ErrorCode,
    PollAnswer,
    PollRequest,
    PollStatus,
    ReportAnswer,
    ReportRequest,
)
from openbond.wire.reports import Report

from .authority import Authority, pem

HERE = "127.0.0.1"


class Refused(Exception):
    def __init__(self, status: int, code: str, number: int = 0) -> None:
        super().__init__(code)
        self.status, self.code, self.number = status, code, number


@dataclass
class FakeNode:
    """What the server keeps of one node."""

    node_id: int
    key: Ed25519PublicKey | None = None
    config: StoredConfig | None = None
    numbers: dict[str, int] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    polls: list[PollRequest] = field(default_factory=list)
    withheld: int = 0  # revisions up to this one are not offered
    superseded: bool = False


class FakeServer:
    """Start with `start`, stop with `stop`; between, everything may be changed from outside."""

    def __init__(
        self, authority: Authority | None = None, *, clock_ahead: timedelta = timedelta()
    ) -> None:
        self.authority = authority or Authority()
        self.clock_ahead = clock_ahead
        self.nodes: dict[str, FakeNode] = {}
        self.refusals: list[Refused] = []
        self.sources: list[str] = []
        self.changed = threading.Condition()
        self._http: _QuietServer | None = None
        self.port = 0
        self.address = HERE

    def start(
        self, address: str = HERE, port: int = 0, certificate: tuple[str, str] = ("", "")
    ) -> None:
        """Listen; `certificate`: PEM of certificate and key, made by the authority if not given."""
        self.address = address
        chain, key = certificate if certificate[0] else self.authority.server_certificate(address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as place:
            chain_path, key_path = Path(place, "chain.pem"), Path(place, "key.pem")
            chain_path.write_text(chain)
            key_path.write_text(key)
            context.load_cert_chain(chain_path, key_path)
        self._http = _QuietServer((address, port), _handler_for(self))
        self._http.socket = context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            for connection in list(self._http.connections):
                connection.close()
            self._http = None

    @property
    def where(self) -> str:
        return f"{self.address}:{self.port}"

    def add_node(self, key: str, node_id: int = 7) -> FakeNode:
        self.nodes[key] = FakeNode(node_id)
        return self.nodes[key]

    def publish(
        self, node: FakeNode, content: NodeContent, *, forced: bool = False
    ) -> StoredConfig:
        """Give a node a new revision; a poll that waits is answered at once."""
        revision = node.config.envelope.revision + 1 if node.config else 1
        config = self.authority.config(
            content, node_id=node.node_id, revision=revision, forced=forced
        )
        self.offer(node, config)
        return config

    def offer(self, node: FakeNode, config: StoredConfig) -> None:
        with self.changed:
            node.config = config
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], object], *, within_s: float = 10.0) -> None:
        """Return once the condition holds; it is looked at after each exchange."""
        with self.changed:
            assert self.changed.wait_for(condition, within_s), "the server waited in vain"

    # --------------------------------------------------------------------------------- exchanges

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        if target == exchange.CA:
            return self.authority.ca_pem.encode()
        if self.refusals:
            raise self.refusals.pop(0)
        if target == exchange.ENROL:
            return self._enrol(headers, body)
        node = self._signer(method, target, headers, body)
        if target == exchange.POLL:
            return self._poll(node, msgspec.json.decode(body, type=PollRequest))
        return self._report(node, msgspec.json.decode(body, type=ReportRequest))

    def _enrol(self, headers: dict[str, str], body: bytes) -> bytes:
        node = self.nodes.get(headers.get(exchange.HEADER_NODE_KEY, ""))
        if node is None:
            raise Refused(403, ErrorCode.UNKNOWN_KEY)
        request = msgspec.json.decode(body, type=EnrolRequest)
        key = x509.load_pem_x509_csr(request.csr.encode()).public_key()
        assert isinstance(key, Ed25519PublicKey)
        node.key, node.numbers = key, {}
        certificate = self.authority.node_certificate(key, base64.b64decode(request.tunnel_key))
        return msgspec.json.encode(
            EnrolAnswer(
                node_id=node.node_id,
                certificate=pem(certificate),
                ca=self.authority.ca_pem,
                signer=self.authority.signer,
            )
        )

    def _signer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> FakeNode:
        node_id, number = int(headers[exchange.HEADER_NODE]), int(headers[exchange.HEADER_NUMBER])
        node = next((node for node in self.nodes.values() if node.node_id == node_id), None)
        if node is None or node.key is None:
            raise Refused(401, ErrorCode.NOT_ENROLLED)
        covered = exchange.signed_request(method=method, target=target, number=number, body=body)
        try:
            node.key.verify(base64.b64decode(headers[exchange.HEADER_SIGNATURE]), covered)
        except InvalidSignature as error:
            raise Refused(401, ErrorCode.BAD_SIGNATURE) from error
        highest = node.numbers.get(target, 0)
        if number <= highest:
            raise Refused(409, ErrorCode.REPLAYED_NUMBER, highest)
        node.numbers[target] = number
        return node

    def _poll(self, node: FakeNode, request: PollRequest) -> bytes:
        with self.changed:
            node.polls.append(request)
            self.changed.notify_all()
            self.changed.wait_for(lambda: _newer(node, request), request.wait_ms / 1000)
        if node.superseded:
            return msgspec.json.encode(PollAnswer(status=PollStatus.SUPERSEDED, detail="newer"))
        if node.config is None or not _newer(node, request):
            return msgspec.json.encode(PollAnswer(status=PollStatus.NOTHING))
        config = node.config
        return msgspec.json.encode(
            PollAnswer(status=PollStatus.CONFIG, envelope=config.envelope, signer=config.signer)
        )

    def _report(self, node: FakeNode, request: ReportRequest) -> bytes:
        with self.changed:
            known = {report.number for report in node.reports}
            node.reports += [report for report in request.reports if report.number not in known]
            self.changed.notify_all()
        taken = max((report.number for report in node.reports), default=0)
        return msgspec.json.encode(ReportAnswer(taken=taken))


def _newer(node: FakeNode, request: PollRequest) -> bool:
    if node.superseded:
        return True
    if node.config is None:
        return False
    revision = node.config.envelope.revision
    return revision > max(request.revision, node.withheld)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.connections: set[ssl.SSLSocket] = set()
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A node that hangs up, or does not trust us, is no news."""


def _handler_for(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.server.connections.add(self.connection)  # type: ignore[attr-defined]
            self.connection.do_handshake()

        def finish(self) -> None:
            self.server.connections.discard(self.connection)  # type: ignore[attr-defined]
            self.connection.close()

        def do_POST(self) -> None:
            fake.sources.append(self.client_address[0])
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, answer = (
                    200,
                    fake.answer(self.command, self.path, dict(self.headers.items()), body),
                )
            except Refused as refused:
                status = refused.status
                answer = json.dumps(
                    {"code": refused.code, "detail": "no", "number": refused.number}
                ).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + fake.clock_ahead.total_seconds())

        def log_message(self, format: str, *arguments: object) -> None:
            """Nobody reads it."""

    return Handler

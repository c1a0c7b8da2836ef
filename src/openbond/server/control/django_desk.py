"""Runs Django for the event loop: whole requests, in threads that keep their connection.

Django's own ASGI handler makes a thread and a database connection for each request, which costs
more than a small answer does. Here a request's body is read on the loop, so that a slow client
holds no thread; then Django handles it in one piece, as under any WSGI server. An answer that is
to wait (to a failed login) waits on the loop as well: its thread is free for others meanwhile.
"""

import asyncio
import contextvars
import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import msgspec
import structlog

from . import request_ids
from .desk import close_with_connections
from .requests import Receive, Scope, Send

THREADS = 16
# Above Django's own limit, so that Django says what is wrong with a larger body.
MAX_BODY_BYTES = 2 * 1024 * 1024

BODILESS = (204, 304)

# Where Django leaves the seconds that its answer shall wait before it is sent; such an answer is
# small and held in memory. Another WSGI server would not know it, and send at once.
ANSWER_AFTER = "openbond.answer_after"

Environ: TypeAlias = dict[str, Any]
Pause: TypeAlias = Callable[[float], Awaitable[object]]
# What comes back is iterable; Django's type of it does not say so.
Wsgi: TypeAlias = Callable[[Environ, Any], Any]

log = structlog.get_logger(__name__)

_CONTENT_HEADERS = {"content-length": "CONTENT_LENGTH", "content-type": "CONTENT_TYPE"}


class DjangoDesk:
    """An ASGI application in front of Django's WSGI handler."""

    def __init__(
        self, application: Wsgi, *, threads: int = THREADS, pause: Pause = asyncio.sleep
    ) -> None:
        self._application = application
        self._threads = threads
        self._pause = pause
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="django")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        answer = _Answer(send, asyncio.get_running_loop())
        environ = _environ(scope, body)
        given = environ.get("HTTP_X_REQUEST_ID", "")
        environ[request_ids.IN_ENVIRON] = request_ids.request_id_for(given)
        # A context of its own: what one request binds for the log must not stay in the thread.
        give = contextvars.copy_context().run
        await answer.loop.run_in_executor(self._pool, give, answer.give, self._application, environ)
        if answer.is_held:
            await self._pause(environ[ANSWER_AFTER])
            await answer.send_held()

    def close(self) -> None:
        close_with_connections(self._pool, self._threads)


class _Answer:
    """One answer on its way from a thread to the loop. A lone chunk goes in one message."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send = send
        self.loop = loop
        self._request_id = ""
        self._start: dict[str, Any] = {}
        self._has_started = False
        self._held: bytes | None = None

    @property
    def is_held(self) -> bool:
        return self._held is not None

    async def send_held(self) -> None:
        held, self._held = self._held or b"", None
        await self._put(held, more=False)

    def give(self, application: Wsgi, environ: Environ) -> None:
        self._request_id = environ[request_ids.IN_ENVIRON]
        structlog.contextvars.bind_contextvars(request_id=self._request_id)
        try:
            self._give(application, environ)
        except OSError:
            return  # the client hung up in the midst of the answer
        except Exception:
            log.exception("http.crashed", path=environ["PATH_INFO"])
            if self._has_started:
                raise  # the server cuts the connection: half an answer must not look whole
            self._pass_on(self._fault(), more=False)

    def _give(self, application: Wsgi, environ: Environ) -> None:
        chunks = application(environ, self._begin)
        try:
            if ANSWER_AFTER in environ:
                self._held = b"".join(chunks)
            else:
                self._pass_on_all(chunks)
        finally:
            getattr(chunks, "close", bool)()

    def _pass_on_all(self, chunks: Iterable[bytes]) -> None:
        waiting = b""
        for chunk in chunks:
            if waiting:
                self._pass_on(waiting, more=True)
            waiting = chunk
        self._pass_on(waiting, more=False)

    def _fault(self) -> bytes:
        """Begin an answer that says, in the shape of the API, that something broke."""
        self._begin("500 Internal Server Error", [("Content-Type", "application/json")])
        detail = f"The server failed. Its log has the reason under request id {self._request_id}."
        return msgspec.json.encode({"detail": detail, "code": "server_error"})

    def _begin(self, status: str, headers: list[tuple[str, str]], *error: object) -> None:
        # Django writes a space before each cookie, which is none of the value and no HTTP.
        encoded = [
            (name.encode("latin-1"), text.strip().encode("latin-1")) for name, text in headers
        ]
        if request_ids.HEADER.lower() not in {name.lower() for name, _ in headers}:
            encoded.append((request_ids.HEADER.encode(), self._request_id.encode()))
        code = int(status.split(" ", 1)[0])
        self._start = {"type": "http.response.start", "status": code, "headers": encoded}

    def _pass_on(self, chunk: bytes, *, more: bool) -> None:
        # Waiting for the loop is what keeps a large answer from piling up in memory.
        asyncio.run_coroutine_threadsafe(self._put(chunk, more), self.loop).result()

    async def _put(self, chunk: bytes, more: bool) -> None:
        start, self._start = self._start, {}
        if start:
            if not more:
                _add_length(start, len(chunk))
            await self._send(start)
            self._has_started = True
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})


def _add_length(start: dict[str, Any], length: int) -> None:
    names = {name.lower() for name, _ in start["headers"]}
    if b"content-length" not in names and start["status"] not in BODILESS:
        start["headers"].append((b"content-length", str(length).encode()))


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, cut above the limit; None when the client hung up."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _environ(scope: Scope, body: bytes) -> Environ:
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "https"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, text in scope["headers"]:
        key = _header_key(name.decode("latin-1"))
        value = text.decode("latin-1")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    # Also for bodies that came in chunks and said no length.
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _header_key(name: str) -> str:
    return _CONTENT_HEADERS.get(name, f"HTTP_{name.upper().replace('-', '_')}")

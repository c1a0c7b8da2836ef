"""Runs Django for the event loop: whole requests, in threads that keep their connection.

Django's own ASGI handler makes a thread and a database connection for each request, which costs
more than a small answer does. Here a request's body is read on the loop, so that a slow client
holds no thread; then Django handles it in one piece, as under any WSGI server.
"""

import asyncio
import contextvars
import io
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from .desk import close_with_connections
from .requests import Receive, Scope, Send

THREADS = 16
# Above Django's own limit, so that Django says what is wrong with a larger body.
MAX_BODY_BYTES = 2 * 1024 * 1024

BODILESS = (204, 304)

Environ: TypeAlias = dict[str, Any]
# What comes back is iterable; Django's type of it does not say so.
Wsgi: TypeAlias = Callable[[Environ, Any], Any]

_CONTENT_HEADERS = {"content-length": "CONTENT_LENGTH", "content-type": "CONTENT_TYPE"}


class DjangoDesk:
    """An ASGI application in front of Django's WSGI handler."""

    def __init__(self, application: Wsgi, *, threads: int = THREADS) -> None:
        self._application = application
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="django")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            return
        answer = _Answer(send, asyncio.get_running_loop())
        environ = _environ(scope, body)
        # A context of its own: what one request binds for the log must not stay in the thread.
        give = contextvars.copy_context().run
        await answer.loop.run_in_executor(self._pool, give, answer.give, self._application, environ)

    def close(self) -> None:
        close_with_connections(self._pool, self._threads)


class _Answer:
    """One answer on its way from a thread to the loop. A lone chunk goes in one message."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send = send
        self.loop = loop
        self._start: dict[str, Any] = {}

    def give(self, application: Wsgi, environ: Environ) -> None:
        chunks = application(environ, self._begin)
        try:
            waiting = b""
            for chunk in chunks:
                if waiting:
                    self._pass_on(waiting, more=True)
                waiting = chunk
            self._pass_on(waiting, more=False)
        except OSError:
            return  # the client hung up in the midst of the answer
        finally:
            getattr(chunks, "close", bool)()

    def _begin(self, status: str, headers: list[tuple[str, str]], *error: object) -> None:
        encoded = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers]
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

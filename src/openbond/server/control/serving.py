"""Runs the application with uvicorn: one process, HTTPS, a clean end on SIGTERM."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils.module_loading import import_string

from .application import Application
from .authority import Authority
from .clock import server_time
from .django_desk import DjangoDesk
from .http_door import HttpDoor
from .many_connections import (
    collect_garbage,
    keep_for_good,
    prepare_for_many_connections,
)
from .revocations import RevocationList
from .state_files import StateDirectory, StateError
from .web_tls import LiveTls, web_tls

# Nodes report every few seconds over a connection that is worth keeping.
KEEP_ALIVE_SECONDS = 75
# uvicorn ticks ten times a second; once a minute is soon enough for a certificate.
TICKS_BETWEEN_RENEWALS = 600
TICKS_BETWEEN_COLLECTIONS = 6000
# What a request may take after SIGTERM before it is cut off.
PATIENCE_SECONDS = 10


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """What an operator must know to reach the server."""

    url: str
    ca: Path
    fingerprint: str


def served(state: StateDirectory, *, host: str, port: int) -> Served:
    authority = Authority.open_or_create(state.authority, now=server_time())
    shown = socket.gethostname() if host in ("", "0.0.0.0", "::") else host  # noqa: S104
    return Served(
        url=f"https://{shown}:{port}/",
        ca=state.authority / "ca.pem",
        fingerprint=authority.fingerprint,
    )


def serve(state: StateDirectory, *, listener: socket.socket, names: list[str]) -> None:
    """Serve until SIGTERM or SIGINT. `names`: more names and addresses for the certificate."""
    prepare_for_many_connections()
    authority = Authority.open_or_create(state.authority, now=server_time())
    tls = web_tls(state.tls, authority, names=names, now=server_time())
    application = Application(
        django=DjangoDesk(get_wsgi_application()),
        crl=RevocationList(authority),
        live=import_string(settings.LIVE_PAGES)(),
    )
    config = uvicorn.Config(
        application,
        ssl_certfile=tls.chain,
        ssl_keyfile=str(tls.key),
        http=HttpDoor,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=PATIENCE_SECONDS,
    )
    config.load()
    if config.ssl is None:
        raise StateError(f"{tls.chain} and {tls.key} make no TLS server. Remove them.")
    live = LiveTls(tls, config.ssl)

    def renew() -> None:
        web_tls(state.tls, authority, names=names, now=server_time())
        if live.refresh():
            log.info("new web certificate", chain=str(tls.chain))

    connections.close_all()  # those of the preparations: only the desks' live on
    keep_for_good()
    _Server(config, application, renew).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, application: Application, renew: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._application = application
        self._renew = renew

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_BETWEEN_COLLECTIONS == TICKS_BETWEEN_COLLECTIONS - 1:
            collect_garbage()
        if counter % TICKS_BETWEEN_RENEWALS == 0:
            try:
                await asyncio.to_thread(self._renew)
            except (OSError, StateError):
                log.exception("the web certificate cannot be renewed")
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn waits for open requests before it ends the application's life, so held polls
        # must learn of it here.
        self._application.end_polls()
        await super().shutdown(sockets)

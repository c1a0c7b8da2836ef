"""The whole server as one ASGI application: nodes below /node/, live pages, Django for the rest."""

from typing import Protocol

from django.db import connection

from openbond.wire.exchange import PREFIX

from .background import Background
from .bell import Bell
from .channel import NodeChannel
from .clock import server_time
from .desk import Desk
from .django_desk import DjangoDesk
from .monitor import Monitor
from .requests import Receive, Scope, Send
from .revocations import RevocationList


class Live(Protocol):
    """What serves streams of events below one address, beside Django: a room above brings it."""

    path: str

    async def start(self) -> None: ...

    def end(self) -> None:
        """End every stream: the server is about to stop."""

    async def stop(self) -> None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Application:
    """Starts and stops with its server (ASGI lifespan); between, hands each request on."""

    def __init__(
        self, *, django: DjangoDesk, crl: RevocationList, live: Live | None = None
    ) -> None:
        self._django = django
        self._crl = crl
        self._live_pages = live
        self._running: _Running | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._running and scope["path"].startswith(PREFIX):
            await self._running.channel(scope, receive, send)
        elif self._live_pages and scope["path"].startswith(self._live_pages.path):
            await self._live_pages(scope, receive, send)
        else:
            await self._django(scope, receive, send)

    def end_polls(self) -> None:
        """Answer all held polls: the server is about to stop."""
        if self._running:
            self._running.bell.close()
        if self._live_pages:
            self._live_pages.end()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._running = await _Running.start(self._crl)
        if self._live_pages:
            await self._live_pages.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._live_pages:
            await self._live_pages.stop()
        await self._running.stop()
        self._django.close()
        await send({"type": "lifespan.shutdown.complete"})


class _Running:
    """What lives between start and stop."""

    def __init__(self, crl: RevocationList) -> None:
        # One file takes one writer, and a connection of SQLite reads its pages anew once another
        # has written: so few connections, one for all that every node tells each minute, and one
        # for what a change waits for, which is not to stand behind polls that just come.
        self.desk = Desk(threads=1) if connection.vendor == "sqlite" else Desk()
        self.intake = Desk(threads=1)
        self.publishing = Desk(threads=1)
        self.bell = Bell()
        self.channel = NodeChannel(
            crl=crl,
            desk=self.desk,
            intake=self.intake,
            giving=self.publishing,
            bell=self.bell,
            clock=server_time,
        )
        self.background = Background(
            desk=self.desk,
            publishing=self.publishing,
            bell=self.bell,
            contacts=self.channel.contacts,
            monitor=Monitor(context=crl.authority.context_for_nodes, clock=server_time),
            clock=server_time,
        )

    @classmethod
    async def start(cls, crl: RevocationList) -> "_Running":
        running = cls(crl)
        await running.background.start()
        return running

    async def stop(self) -> None:
        await self.background.stop()
        self.intake.close()
        self.publishing.close()
        self.desk.close()

"""All nodes of a roster on one event loop."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from openbond.lab.errors import LabError

from .changes import Changes
from .connection import Server
from .node import Pool, SimulatedNode, Surroundings
from .roster import Roster
from .seen import Seen

CONNECTING_AT_ONCE = 128
CLOSING_SECONDS = 0.1
REPORT_CONNECTIONS = 500
_DICE = random.Random()  # noqa: S311 - spreads load, guards nothing


class Fleet:
    """Plays a roster against one server; see `running`."""

    def __init__(self, roster: Roster, server: Server, *, interval: float) -> None:
        self.roster = roster
        self.server = server
        self.seen = Seen()
        self.changes = Changes()
        self._around = Surroundings(
            server=server,
            pool=Pool(server, REPORT_CONNECTIONS),
            gate=asyncio.Semaphore(CONNECTING_AT_ONCE),
            seen=self.seen,
            interval=interval,
            on_config=self.changes.on_config,
        )

    @property
    def is_whole(self) -> bool:
        """Report whether every node holds a poll."""
        return self.seen.held == len(self.roster.members)

    @asynccontextmanager
    async def running(self, *, ramp: float) -> AsyncIterator[None]:
        """Start all nodes within `ramp` seconds; end them afterwards."""
        tasks = [
            asyncio.create_task(_after(_DICE.random() * ramp, node))
            for node in (
                SimulatedNode(member, self.roster.seed, self._around)
                for member in self.roster.members
            )
        ]
        broken = asyncio.gather(*tasks)
        try:
            yield
            if broken.done():
                await broken  # a fault of ours must not look like a quiet fleet
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(broken, return_exceptions=True)
            self._around.pool.close()
            await asyncio.sleep(CLOSING_SECONDS)  # the loop ends what was closed

    async def change(self, *, pause: float) -> None:
        """Change bonds by the API for ever, `pause` s apart."""
        await self.changes.make(self.server, self.roster.token, self.roster.bond_ids, pause=pause)


def server_at(url: str, ca: Path) -> Server:
    """Read https://HOST:PORT, trusting the authority in `ca`. Raises LabError."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise LabError(f"The server's address reads https://HOST:PORT, not {url!r}.")
    try:
        context = ssl.create_default_context(cafile=str(ca))
    except OSError as error:
        raise LabError(f"{ca}: {error.strerror or error}. Is it the server's CA?") from error
    return Server(parts.hostname, parts.port or 443, context)


async def _after(seconds: float, node: SimulatedNode) -> None:
    await asyncio.sleep(seconds)
    await asyncio.gather(node.poll_for_ever(), node.report_for_ever())

"""The tunnel daemons of a node: settings go in, states and sizes come out (daemon_messages.py)."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from openbond.node import daemon_messages as messages
from openbond.node.daemon_messages import DaemonEvent, DaemonSettings, StatusAnswer
from openbond.node.lines import NoAnswer, ask
from openbond.node.plan.numbers import is_trunk

log = structlog.get_logger()

ANSWER_WITHIN_S = 2.0
LEAST_PAUSE_S, MOST_PAUSE_S = 0.2, 2.0

OnEvent: TypeAlias = Callable[[int, DaemonEvent], None]
OnStatus: TypeAlias = Callable[[int, StatusAnswer], None]


class DaemonLink:
    """One bond's daemon: a connection that listens, and one per request."""

    def __init__(self, path: Path, bond_id: int, on_event: OnEvent, on_status: OnStatus) -> None:
        self._path = path
        self.bond_id = bond_id
        self._on_event = on_event
        self._on_status = on_status
        self.settings: DaemonSettings | None = None
        self.attached = asyncio.Event()

    async def listen(self) -> None:
        """Listen for events for ever; the daemon may come and go."""
        pause = LEAST_PAUSE_S
        while True:
            try:
                await self._listen_once()
                pause = LEAST_PAUSE_S
            except (NoAnswer, OSError):
                pause = min(pause * 2, MOST_PAUSE_S)
            self.attached.clear()
            await asyncio.sleep(pause)

    async def _listen_once(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(messages.encode_line(messages.Subscribe()))
            await writer.drain()
            # A daemon that was started anew, or missed a change, gets it with the first contact.
            await self.tell_settings()
            self._on_status(self.bond_id, await self.status())
            self.attached.set()
            while line := await reader.readline():
                self._take(line)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, line: bytes) -> None:
        try:
            message = messages.decode_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a tunnel daemon's line is unreadable", bond=self.bond_id, why=str(error))
            return
        if not isinstance(message, messages.Done | messages.Refused | StatusAnswer):
            self._on_event(self.bond_id, message)

    async def tell_settings(self) -> None:
        """Give the daemon the settings it shall have. Raises NoAnswer."""
        if self.settings is not None:
            await self.ask(messages.Reload(settings=self.settings))

    async def status(self) -> StatusAnswer:
        """Raises NoAnswer."""
        answer = await self.ask(messages.Status())
        if not isinstance(answer, StatusAnswer):
            raise NoAnswer(f"the daemon of bond {self.bond_id} gave no status")
        return answer

    async def ask(self, request: messages.Request) -> messages.Line:
        """Return the daemon's answer. Raises NoAnswer."""
        line = await ask(self._path, messages.encode_line(request), within_s=ANSWER_WITHIN_S)
        try:
            answer = messages.decode_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoAnswer(f"the daemon of bond {self.bond_id}: {error}") from error
        if isinstance(answer, messages.Refused):
            log.warning("a tunnel daemon refused", bond=self.bond_id, why=answer.why)
        return answer


class Daemons:
    """All daemons of the node, and what is known of their legs. `heard` counts their events."""

    def __init__(self, root: Path, on_event: OnEvent, on_status: OnStatus) -> None:
        self.heard = 0
        self._root = root
        self._take_event = on_event
        self._on_status = on_status
        self.links: dict[int, DaemonLink] = {}
        self._listening: dict[int, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()

    def _on_event(self, bond_id: int, event: DaemonEvent) -> None:
        self.heard += 1
        self._take_event(bond_id, event)

    def attach(self, bond_ids: Iterable[int]) -> None:
        """Listen to exactly these bonds' daemons from now on."""
        wanted = set(bond_ids)
        for bond_id in set(self.links) - wanted:
            self._listening.pop(bond_id).cancel()
            del self.links[bond_id]
        for bond_id in sorted(wanted - set(self.links)):
            path = messages.socket_path(self._root, bond_id)
            link = DaemonLink(path, bond_id, self._on_event, self._on_status)
            self.links[bond_id] = link
            self._listening[bond_id] = asyncio.create_task(link.listen())

    def give_settings(self, bond_id: int, settings: DaemonSettings, *, changed: bool) -> None:
        """Remember the settings a daemon shall have, and tell it when they changed."""
        link = self.links[bond_id]
        link.settings = settings
        if changed:
            self.in_background(link.tell_settings())

    def tell(self, bond_id: int, request: messages.Request) -> None:
        """Tell a daemon something; one that does not run learns it from its settings."""
        link = self.links.get(bond_id)
        if link is not None:
            self.in_background(_ignoring_the_answer(link, request))

    async def statuses(self) -> dict[int, StatusAnswer]:
        """Ask all daemons at once; those that do not answer are left out."""
        links = list(self.links.values())
        answers = await asyncio.gather(*(link.status() for link in links), return_exceptions=True)
        return {
            link.bond_id: answer
            for link, answer in zip(links, answers, strict=True)
            if isinstance(answer, StatusAnswer)
        }

    async def answering(self, *, within_s: float) -> int:
        """Return how many daemons of bonds answer within that time."""
        bonds = [link for link in self.links.values() if not is_trunk(link.bond_id)]
        pings = [asyncio.create_task(link.ask(messages.Ping())) for link in bonds]
        if not pings:
            return 0
        done, late = await asyncio.wait(pings, timeout=within_s)
        for ping in late:
            ping.cancel()
        await asyncio.gather(*pings, return_exceptions=True)
        return sum(ping.exception() is None for ping in done)

    async def wait_attached(self, *, within_s: float) -> None:
        """Return once the daemons that already run have told their states, or the time is over."""
        running = [
            link.attached.wait()
            for link in self.links.values()
            if messages.socket_path(self._root, link.bond_id).exists()
        ]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*running), within_s)

    def in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(_forgiving(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        tasks = [*self._listening.values(), *self._background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forgiving(work: Coroutine[None, None, None]) -> None:
    # A daemon that does not answer now is told everything when it comes back.
    with contextlib.suppress(NoAnswer):
        await work


async def _ignoring_the_answer(link: DaemonLink, request: messages.Request) -> None:
    await link.ask(request)

"""The hook runner's program: one object after the other (behaviour 1.11).

It remembers on disk what it started, so that a stop undoes exactly that, and what lay in the
folders when a bond was started: a new hook first runs at the next restart of its bond.
"""

import asyncio
import signal
from collections.abc import Coroutine
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from openbond.node import clock, store
from openbond.node.notes import leave_note
from openbond.node.paths import Paths
from openbond.node.plan.hooks import VARIABLES

from .folders import ROOT, Folders, distrust, hooks_of, read_folders
from .messages import Answer, HookObject, Request, Start, Stop, decode_request, encode_line
from .starting import PATIENCE_S, start_hook

log = structlog.get_logger()


class Started(Struct, frozen=True, kw_only=True):
    """An object whose hooks were started: these, in this order."""

    object: HookObject
    hooks: list[str]


class Memory(Struct, kw_only=True):
    """What outlives the runner, but not a reboot."""

    started: list[Started] = []
    folders: dict[int, Folders] = {}  # by bond, as they were at its start


class HookRunner:
    """Takes requests at any time and does them in their order."""

    def __init__(self, paths: Paths, *, patience_s: float = PATIENCE_S, owner: int = ROOT) -> None:
        self._paths = paths
        self._place = paths.settings.parent
        self._patience_s = patience_s
        self._owner = owner
        self._memory = _remembered(paths.hook_memory)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a hook that runs then is waited for."""
        asked = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        path = self._paths.hook_socket
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path)
        path.chmod(0o600)
        await asked.wait()
        server.close()
        path.unlink(missing_ok=True)
        async with self._turn:
            return

    @property
    def started(self) -> list[HookObject]:
        return [entry.object for entry in self._memory.started]

    def start(self, item: HookObject) -> None:
        """Note an object as started, and start its hooks in their turn."""
        if item in self.started:
            return
        if all(other.bond_id != item.bond_id for other in self.started):
            self._memory.folders[item.bond_id] = read_folders(self._place)
        hooks = hooks_of(self._memory.folders.get(item.bond_id, {}), item.kind, item.id)
        self._memory.started.append(Started(object=item, hooks=hooks))
        self._write()
        self._begin(self._start_hooks(item, hooks))

    async def stop(self, item: HookObject) -> None:
        """Stop what was started of an object, last first; return when that is over."""
        await self._begin(self._stop_hooks(item))

    async def wait_idle(self) -> None:
        await asyncio.gather(*self._tasks)

    # ------------------------------------------------------------------------------------- hooks

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Put work in line: tasks begin in the order in which they are made, and take turns so."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _start_hooks(self, item: HookObject, hooks: list[str]) -> None:
        async with self._turn:
            await self._run(item, hooks, "start")

    async def _stop_hooks(self, item: HookObject) -> None:
        async with self._turn:
            for entry in [entry for entry in self._memory.started if entry.object == item]:
                await self._run(item, list(reversed(entry.hooks)), "stop")
                self._memory.started.remove(entry)
            if all(other.bond_id != item.bond_id for other in self.started):
                self._memory.folders.pop(item.bond_id, None)
            self._write()

    async def _run(self, item: HookObject, hooks: list[str], argument: str) -> None:
        for hook in hooks:
            trouble = await self._run_one(item, hook, argument)
            if trouble:
                self._tell(item, f"hook {self._place / hook} {argument}: {trouble}")

    async def _run_one(self, item: HookObject, hook: str, argument: str) -> str:
        why = distrust(self._place, hook, owner=self._owner)
        if why:
            return f"not started: {why}"
        log.info("hook", path=hook, argument=argument, about=item.name)
        path = self._place / hook
        return await start_hook(path, argument, item.environment, patience_s=self._patience_s)

    def _tell(self, item: HookObject, text: str) -> None:
        log.warning("hook failed", about=item.name, why=text)
        leave_note(self._paths.notes, about=item.name, text=text, now_ms=clock.wall_ms())

    def _write(self) -> None:
        store.write_value(self._paths.hook_memory, self._memory, mode=store.PRIVATE)

    # ------------------------------------------------------------------------- the Unix socket

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(encode_line(await self.answer(line)))
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async def answer(self, line: bytes) -> Answer:
        """Do what one line asks for."""
        refused = ""
        try:
            refused = await self._do(decode_request(line))
        except msgspec.DecodeError as error:
            refused = f"This is no request: {error}."
        return Answer(started=self.started, refused=refused)

    async def _do(self, request: Request) -> str:
        if isinstance(request, Start | Stop):
            strange = set(request.object.environment) - set(VARIABLES[request.object.kind])
            if strange:
                return f"Variables {sorted(strange)} are none of {request.object.kind}'s."
        if isinstance(request, Start):
            self.start(request.object)
        elif isinstance(request, Stop):
            await self.stop(request.object)
        return ""


def _remembered(path: Path) -> Memory:
    try:
        return store.read_value(path, Memory) or Memory()
    except store.Damaged:
        return Memory()

"""The supervisor's loop: program files in, running processes out (behaviour 1.2)."""

import asyncio
import signal
from pathlib import Path

import msgspec
import structlog

from openbond.node import clock, store
from openbond.node.paths import Paths
from openbond.node.programs import (
    Program,
    ProgramsAnswer,
    ProgramStatus,
    Reload,
    Request,
    Restart,
    Signal,
    decode_request,
    encode_line,
    read_programs,
)

from .children import Child, Mark, find_again, start
from .restarts import Restarts

log = structlog.get_logger()

PATIENCE_S = 5.0


class Supervisor:
    """Keeps the programs of one root running. Its own death harms none of them."""

    def __init__(self, paths: Paths, own: list[Program], log_directory: Path) -> None:
        self._paths = paths
        self._own = {program.name: program for program in own}
        self._logs = log_directory
        self._children: dict[str, Child] = {}
        self._restarts: dict[str, Restarts] = {}
        self._reasons: dict[str, str] = {}
        self._asked: dict[str, str] = {}  # why somebody wants a program killed
        self._ending: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ended = asyncio.Event()
        self._stopping = False
        self._leaving = False

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT (programs are ended too) or SIGUSR1 (they are left alone)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGUSR1, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        self._find_again()
        self.reload()
        socket_path = self._paths.supervisor_socket
        socket_path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, socket_path)
        socket_path.chmod(0o600)
        await self._ended.wait()
        server.close()
        if not self._leaving:
            await self._end_all()

    def reload(self) -> None:
        """Start what is wanted and does not run; end what runs and is not wanted."""
        if self._stopping:
            return
        wanted = self._wanted()
        for name, child in self._children.items():
            program = wanted.get(name)
            if program is None or program.argv != child.mark.argv:
                self._end(name, child)
        for name in wanted:
            if name not in self._children and name not in self._timers:
                self._start(name)

    def status(self) -> list[ProgramStatus]:
        names = sorted({*self._wanted(), *self._children})
        return [self._status_of(name) for name in names]

    def _status_of(self, name: str) -> ProgramStatus:
        child = self._children.get(name)
        return ProgramStatus(
            name=name,
            pid=child.mark.pid if child else 0,
            restarts=self._restarts.get(name, Restarts()).total,
            reason=self._reasons.get(name, ""),
        )

    def _wanted(self) -> dict[str, Program]:
        return {**read_programs(self._paths.programs), **self._own}

    def _start(self, name: str) -> None:
        self._timers.pop(name, None)
        program = self._wanted().get(name)
        if program is None or self._stopping or name in self._children:
            return
        try:
            child = start(program, self._logs / f"{name}.log", now=clock.monotonic())
        except OSError as refused:
            log.error("a program cannot be started", program=name, why=str(refused))
            self._start_later(name, ran_s=0.0, reason=f"cannot be started: {refused}")
            return
        log.info("program started", program=name, pid=child.mark.pid)
        self._watch(name, child)

    def _watch(self, name: str, child: Child) -> None:
        self._children[name] = child
        asyncio.get_running_loop().add_reader(child.descriptor, self._on_end, name)
        self._write_marks()

    def _on_end(self, name: str) -> None:
        child = self._children.pop(name)
        asyncio.get_running_loop().remove_reader(child.descriptor)
        how = child.reap()
        self._write_marks()
        if self._stopping:
            return
        if name in self._ending:
            # Ended by us, on purpose: if it is wanted again, that is no restart.
            self._ending.discard(name)
            self._start(name)
            return
        ran_s = clock.monotonic() - child.started_at
        self._start_later(name, ran_s=ran_s, reason=self._asked.pop(name, how))

    def _start_later(self, name: str, *, ran_s: float, reason: str) -> None:
        restarts = self._restarts.get(name, Restarts()).ended(ran_s=ran_s)
        self._restarts[name], self._reasons[name] = restarts, reason
        log.warning("program ended", program=name, reason=reason, again_in_s=restarts.delay_s)
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(restarts.delay_s, self._start, name)

    def _end(self, name: str, child: Child) -> None:
        if name in self._ending:
            return
        self._ending.add(name)
        child.send(signal.SIGTERM)
        asyncio.get_running_loop().call_later(PATIENCE_S, self._kill, name, child)

    def _kill(self, name: str, child: Child) -> None:
        if self._children.get(name) is child:
            child.send(signal.SIGKILL)

    def _find_again(self) -> None:
        try:
            marks = store.read_value(self._paths.supervised, dict[str, Mark]) or {}
        except store.Damaged:
            marks = {}
        for name, mark in marks.items():
            child = find_again(mark, now=clock.monotonic())
            if child is not None:
                log.info("program found running", program=name, pid=mark.pid)
                self._watch(name, child)

    def _write_marks(self) -> None:
        marks = {name: child.mark for name, child in self._children.items()}
        store.write_value(self._paths.supervised, marks)

    def _stop(self) -> None:
        self._stopping = True
        self._ended.set()

    def _leave(self) -> None:
        self._leaving = True
        self._stop()

    async def _end_all(self) -> None:
        for child in self._children.values():
            child.send(signal.SIGTERM)
        for _ in range(int(PATIENCE_S * 20)):
            if not self._children:
                return
            await asyncio.sleep(0.05)
        for child in self._children.values():
            child.send(signal.SIGKILL)
        await asyncio.sleep(0.2)

    # ------------------------------------------------------------------------- the Unix socket

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(encode_line(self._answer(line)))
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def _answer(self, line: bytes) -> ProgramsAnswer:
        try:
            refused = self._do(decode_request(line))
        except msgspec.DecodeError as error:
            refused = f"This is no request: {error}."
        return ProgramsAnswer(programs=self.status(), refused=refused)

    def _do(self, request: Request) -> str:
        if isinstance(request, Reload):
            self.reload()
            return ""
        if not isinstance(request, Restart | Signal):
            return ""
        child = self._children.get(request.name)
        if child is None:
            return f"No program {request.name!r} runs here."
        if isinstance(request, Restart):
            self._asked[request.name] = request.reason
            child.send(signal.SIGKILL)
        else:
            child.send(request.number)
        return ""

"""The dialer's program: one pppd after the other, and what is so in DIR/run/bonding/lines/<leg>."""

import asyncio
import contextlib
import random
import re
import signal
from pathlib import Path

import structlog

from openbond.node import clock, store
from openbond.node.notes import leave_note
from openbond.node.paths import Paths
from openbond.node.plan.facts import Line

from .redial import REFUSED_LOGIN, Redial, in_words

log = structlog.get_logger()

PPP_DEVICE = Path("/dev/ppp")
PLUGINS = Path("/usr/lib/pppd")
LOOK_AGAIN_S = 30.0
LOOK_AT_OPTIONS_S = 1.0
PATIENCE_S = 8.0
# pppd goes when the dialer goes, however it goes: two of them would fight for the line.
_BOUND_TO_US = ("setpriv", "--pdeathsig", "TERM", "--")


class Dialer:
    """Keeps one line up. `command` and `device` are pppd's own, but in tests."""

    def __init__(
        self,
        paths: Paths,
        leg_id: int,
        *,
        command: tuple[str, ...] = ("pppd",),
        device: Path = PPP_DEVICE,
        plugins: Path = PLUGINS,
    ) -> None:
        self._paths = paths
        self._leg_id = leg_id
        self._command = command
        self._device = device
        self._plugins = plugins
        self._options = paths.ppp / f"{leg_id}.options"
        self._line = paths.lines / f"{leg_id}.json"
        self._ending = asyncio.Event()
        self._told = ""

    async def run(self) -> None:
        """Dial for ever, until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        await self.dial()

    def end(self) -> None:
        self._ending.set()

    async def dial(self) -> None:
        redial = Redial()
        while not self._ending.is_set():
            missing = self._missing()
            if missing:
                self._tell(missing)
                await self._pause(LOOK_AGAIN_S)
                continue
            began = clock.monotonic()
            options = store.read(self._options)
            code = await self._session(options)
            if self._ending.is_set():
                break
            if code is None:
                continue  # other options: at once
            self._tell(in_words(code, _interface(options)), is_refusal=code == REFUSED_LOGIN)
            redial = redial.ended(lasted_s=clock.monotonic() - began)
            dice = random.random()  # noqa: S311 - spreads load, guards nothing
            await self._pause(redial.delay_s(dice))
        store.remove(self._line)

    def _missing(self) -> str:
        """Return what this machine lacks, "" if nothing."""
        if not self._device.exists():
            return (
                f"the kernel has no PPP ({self._device} is missing): `modprobe ppp_generic pppoe`"
            )
        if not list(self._plugins.glob("*/pppoe.so")):
            return "pppd or its PPPoE plugin is missing: install the Debian package ppp"
        if not self._options.exists():
            return "the dialer has no settings yet"
        return ""

    async def _session(self, options: bytes | None) -> int | None:
        """Run pppd to its end; return its exit code, None when it was ended for new options."""
        argv = (*_BOUND_TO_US, *self._command, "file", str(self._options))
        try:
            running = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.DEVNULL)
        except OSError as refused:
            log.error("pppd cannot be started", leg=self._leg_id, why=str(refused))
            return 1
        log.info("dialling", leg=self._leg_id, pid=running.pid)
        ended = asyncio.create_task(running.wait())
        while not ended.done():
            asked = asyncio.create_task(self._ending.wait())
            await asyncio.wait(
                {ended, asked}, timeout=LOOK_AT_OPTIONS_S, return_when=asyncio.FIRST_COMPLETED
            )
            asked.cancel()
            is_old = store.read(self._options) != options
            if not ended.done() and (self._ending.is_set() or is_old):
                await _hang_up(running, ended)
                return None
        return ended.result()

    async def _pause(self, seconds: float) -> None:
        await clock.wait_at_most(seconds, self._ending)

    def _tell(self, trouble: str, *, is_refusal: bool = False) -> None:
        store.write_value(self._line, Line(trouble=trouble))
        if trouble != self._told:
            # Said once, not at every attempt.
            log.warning("no session", leg=self._leg_id, why=trouble)
            self._told = trouble
            if is_refusal:
                about = f"leg {self._leg_id}"
                leave_note(self._paths.notes, about=about, text=trouble, now_ms=clock.wall_ms())


async def _hang_up(running: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        running.terminate()
    await asyncio.wait({ended}, timeout=PATIENCE_S)
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await ended


def _interface(options: bytes | None) -> str:
    found = re.search(r"^nic-(\S+)$", (options or b"").decode(errors="replace"), re.MULTILINE)
    return found[1] if found else "its interface"

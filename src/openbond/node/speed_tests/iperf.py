"""The traffic of a speed test: iperf3 at both ends, between the tunnel addresses.

It runs as `nobody` without capabilities and dies with the agent (__main__.py). Its text is
read and not its JSON: version 3.12, Debian's, gives JSON only at the end, and we must know when the
traffic begins. What it measures is not used: what counts are outer packets, which it does not see.
"""

import asyncio
import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from signal import SIGKILL

from openbond.wire.speed_tests import Direction, Protocol, SpeedTestOrder

IPERF = "iperf3"
MISSING = "iperf3 is not installed on this node: apt-get install iperf3."
_PROGRAM = (sys.executable, "-m", "openbond.node.speed_tests", IPERF)
# Seconds: what is counted begins a moment after the traffic, and must not outlast it.
LONGER_BY = 1
_BEGINS = " connected to "
_ERROR = "error - "
# Headers inside: IPv4 and UDP; IPv4 and TCP with time stamps.
UDP_HEADERS, TCP_HEADERS = 28, 52
# What was missed, at the beginning or on a busy machine, is made up for: below the limit, there is
# room for it. TCP begins slowly and has more of it.
UDP_SHARE, TCP_SHARE = 0.995, 0.99
WRITES_PER_SECOND = 1000
WRITE_MOST = 128 * 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a full packet of the tunnel device, and of the outer packet that carries it."""

    inner: int
    outer: int


def server_argv(order: SpeedTestOrder, *, address: str) -> list[str]:
    """Serve one test and end."""
    return [*_PROGRAM, "-s", "-1", "-B", address, "-p", str(order.port), *_TALKS]


def client_argv(order: SpeedTestOrder, *, address: str, server: str, sizes: Sizes) -> list[str]:
    found = [*_PROGRAM, "-c", server, "-B", address, "-p", str(order.port), *_TALKS]
    found += ["-t", str(order.length_seconds + LONGER_BY), "-P", str(order.concurrency)]
    found += ["--connect-timeout", "3000"]
    found += ["-R"] if order.direction is Direction.DOWNLOAD else []
    if order.protocol is Protocol.UDP:
        found += ["-u", "-l", str(sizes.inner - UDP_HEADERS)]
    return found + _rate(order, sizes)


_TALKS = ["-i", "0.1", "--forceflush"]


def _rate(order: SpeedTestOrder, sizes: Sizes) -> list[str]:
    """Return what each stream may send: payload, so that the outer packets keep the limit."""
    is_udp = order.protocol is Protocol.UDP
    limit = order.rate_limit_kbps
    if limit is None:
        return ["-b", "0"]
    payload = sizes.inner - (UDP_HEADERS if is_udp else TCP_HEADERS)
    share = payload / sizes.outer * (UDP_SHARE if is_udp else TCP_SHARE)
    bits = max(1, int(limit * 1000 * share / order.concurrency))
    if is_udp:
        return ["-b", str(bits)]
    # Small writes, so that what is written at once does not wait for itself; of full packets.
    packets = max(1, min(WRITE_MOST, bits // 8 // WRITES_PER_SECOND) // payload)
    return ["-b", str(bits), "-l", str(packets * payload), "-N"]


def is_installed() -> bool:
    return shutil.which(IPERF) is not None


class Iperf:
    """One running iperf3. `begun` is set when its streams are connected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.begun = asyncio.Event()
        self._errors: list[str] = []
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, argv: list[str]) -> "Iperf":
        """Raises OSError when it cannot be started."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        )
        return cls(process)

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None and self._reading.done()

    @property
    def trouble(self) -> str:
        """Return why it ended badly, in words; "" when it did not."""
        code = self._process.returncode
        if self._errors:
            return f"iperf3: {self._errors[-1]}"
        if code is None or code == 0:
            return ""
        return f"iperf3 was killed by signal {-code}" if code < 0 else f"iperf3 ended with {code}"

    async def wait(self, within_s: float) -> bool:
        """Report whether it ended within the time."""
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
                await self._reading
        except TimeoutError:
            return False
        return True

    async def kill(self) -> None:
        """End it, whatever it does; to one that has ended it is harmless."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(SIGKILL)
        await self._process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        if self._process.stdout is None:
            return
        async for raw in self._process.stdout:
            line = raw.decode(errors="replace").strip()
            if _BEGINS in line:
                self.begun.set()
            if _ERROR in line:
                self._errors.append(line.partition(_ERROR)[2])

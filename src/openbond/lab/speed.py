"""Measure what a customer gets: one TCP flow across the bond, and over the best single leg."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import LabError
from .layout import INTERNET, AccessLine
from .life import Lab
from .netns import Namespace
from .waiting import wait_until

PORT = 5201
WARM_UP_S = 2
ATTEMPTS = 3

# "[  5]   1.00-2.00   sec  11.9 MBytes  99.8 Mbits/sec ..."
INTERVAL = re.compile(r"\]\s+[\d.]+-[\d.]+\s+sec\s+\S+ \S+\s+([\d.]+) Mbits/sec(.*)")

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Speed:
    """Mbit/s of TCP payload."""

    down: float
    up: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """One measurement to make: from where, which way, for how long."""

    words: str
    host: Namespace
    bind: str
    is_down: bool
    seconds: int


class SpeedTest:
    """Runs an iperf3 server on the internet side for as long as the `with` lasts."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def __enter__(self) -> "SpeedTest":
        server = ["iperf3", "-s", "-B", INTERNET, "-p", str(PORT)]
        self._lab.programs.start("iperf3", self._lab.host("internet").argv(server))
        wait_until(self._listens, what="iperf3 listens on the internet side", patience=5)
        return self

    def __exit__(self, *_: object) -> None:
        self._lab.programs.end("iperf3")

    def bond(self, *, seconds: int, watch: Progress | None = None) -> Speed:
        """Measure across the bond, from the customer's host. Raises LabError."""
        customer = self._lab.host("customer")
        down, up = (
            measure(Stretch("bond", customer, "", is_down, seconds), watch)
            for is_down in (True, False)
        )
        return Speed(down=down, up=up)

    def leg(self, line: AccessLine, *, seconds: int, watch: Progress | None = None) -> Speed:
        """Measure one leg bare, from the bonder, beside the tunnel. Raises LabError."""
        bonder = self._lab.host("bonder")
        bind = f"{line.ip}%{line.interface}"
        down, up = (
            measure(Stretch(line.word, bonder, bind, is_down, seconds), watch)
            for is_down in (True, False)
        )
        return Speed(down=down, up=up)

    def _listens(self) -> bool:
        return f":{PORT}" in self._lab.host("internet").run(["ss", "-Hltn"])


def best_of(speeds: dict[int, Speed]) -> Speed:
    """Return the best leg of each direction."""
    return Speed(
        down=max(speed.down for speed in speeds.values()),
        up=max(speed.up for speed in speeds.values()),
    )


def measure(stretch: Stretch, watch: Progress | None = None) -> float:
    """Run iperf3 and return Mbit/s at the receiver; `watch` hears of every second's rate.

    The first seconds, in which TCP finds the rate, do not count. Raises LabError.
    """
    for attempt in range(ATTEMPTS):
        said = _run_iperf(stretch, watch)
        for rate, rest in INTERVAL.findall(said):
            if "receiver" in rest:
                return float(rate)
        # An iperf3 server serves one client, and may not yet be done with the one before.
        time.sleep(0.5 + attempt)
    raise LabError(f"iperf3 over {stretch.words} failed: {said.strip()[-300:]}")


def _run_iperf(stretch: Stretch, watch: Progress | None) -> str:
    words = ["iperf3", "-c", INTERNET, "-p", str(PORT), "-f", "m", "-i", "1", "--forceflush"]
    words += ["-t", str(stretch.seconds), "-O", str(WARM_UP_S)]
    words += ["-R"] if stretch.is_down else []
    words += ["-B", stretch.bind] if stretch.bind else []
    said: list[str] = []
    with subprocess.Popen(
        stretch.host.argv(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None  # noqa: S101  # asked for with PIPE
        for line in running.stdout:
            said.append(line)
            found = INTERVAL.search(line)
            if found and watch and "receiver" not in line and "sender" not in line:
                watch(float(found[1]))
    return "".join(said)

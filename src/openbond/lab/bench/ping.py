"""Ping through a full bond: how long it takes idle, under the load of one TCP flow, and what that
flow reaches at the same time. Both count: a queue that is short because the lines stand idle is no
gain (behaviour 2.9).
"""

import re
import time
from pathlib import Path
from statistics import mean, quantiles

import msgspec
from msgspec import Struct

from openbond.lab.errors import LabError
from openbond.lab.waiting import wait_until

from .pair import FAR_IP, Pair
from .traffic import CONGESTION, PATIENCE, Iperf

ECHOES, INTERVAL = 80, 0.05
WARM_UP = 5.0
# The flow starts before the echoes and ends after them.
LOAD_SECONDS = 2.0 + ECHOES * INTERVAL
_TIME = re.compile(r"time=([0-9.]+) ms")


class PingUnderLoad(Struct, frozen=True, kw_only=True):
    """Round trips in milliseconds, and the flow's payload in Mbit/s meanwhile."""

    idle: list[float]
    loaded: list[float]
    mbps: float

    @property
    def added(self) -> float:
        """Milliseconds that the load adds to the mean round trip."""
        return mean(self.loaded) - mean(self.idle)

    @property
    def words(self) -> str:
        late = quantiles(self.loaded, n=20)[-1]
        lost = ECHOES - len(self.loaded)
        means = f"mean {mean(self.idle):.1f} ms idle, {mean(self.loaded):.1f} ms loaded"
        return f"{means} (19 of 20 within {late:.1f} ms, {lost} lost)"


def ping_under_load(pair: Pair, directory: Path, *, is_down: bool) -> PingUnderLoad:
    """Ping the far end idle, then under one TCP flow; an iperf3 server runs there."""
    idle = _ping(pair)
    report = directory / "ping-load.json"
    report.unlink(missing_ok=True)
    words = ["-t", f"{LOAD_SECONDS:g}", "-O", f"{WARM_UP:g}", "-J", "-C", CONGESTION]
    words += ["--logfile", str(report), *(["-R"] if is_down else [])]
    pair.programs.start("load", pair.site.namespace.argv(["iperf3", "-c", FAR_IP, *words]))
    time.sleep(WARM_UP + 1.0)
    loaded = _ping(pair)
    wait_until(lambda: pair.programs.find("load") is None, what="iperf3 ended", patience=PATIENCE)
    found = msgspec.json.decode(report.read_bytes(), type=Iperf)
    if found.error:
        raise LabError(f"iperf3 failed: {found.error}")
    return PingUnderLoad(
        idle=idle, loaded=loaded, mbps=found.end.sum_received.bits_per_second / 1e6
    )


def _ping(pair: Pair) -> list[float]:
    argv = ["ping", "-n", "-c", str(ECHOES), "-i", str(INTERVAL), "-W", "1", FAR_IP]
    answer = pair.site.namespace.run(argv, patience=ECHOES * INTERVAL + PATIENCE)
    times = [float(found) for found in _TIME.findall(answer)]
    if len(times) < 2:
        raise LabError("the far end answered no ping through the bond")
    return times

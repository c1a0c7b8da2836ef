"""10,000 bonds as one bare list: how far the process grows beyond its size after a page."""

import gc
from pathlib import Path

from openbond.lab.bench.rows import Row, Say

from .asking import Asking
from .rows_in import fill_bonds

SPACES, EACH = 10, 1000


def fill(say: Say) -> None:
    say(f"memory: {SPACES * EACH:,} bonds")
    fill_bonds([SPACES], EACH)


def measure(say: Say) -> list[Row]:
    client = Asking()
    client.get("bonds/?page_size=100")  # modules, connections and statements are there from now on
    gc.collect()
    # From here the kernel counts the peak anew (proc(5), clear_refs).
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_kilobytes()
    say(f"memory: GET of {SPACES * EACH:,} bonds")
    size = len(client.get("bonds/"))
    grown = (_peak_kilobytes() - before) * 1024
    return [
        Row(
            name=f"{SPACES * EACH:,} bonds as one list, memory",
            value=grown / size,
            unit="x body",
            most=5.0,
            detail=f"{grown / 1e6:.0f} MB for {size / 1e6:.0f} MB",
        )
    ]


def _peak_kilobytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

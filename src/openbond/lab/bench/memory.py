"""What programs cost in memory, from /proc/PID/smaps_rollup (proc(5)). Figures in MB of 10^6 bytes.

Pages of files (interpreter, libraries) are shared by all programs of a machine, so they count once;
what a program wrote is its own.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct


class Memory(Struct, frozen=True, kw_only=True):
    """`own`: pages of no file; `files`: resident pages of files; `pss`: shares counted."""

    own: float
    files: float
    pss: float

    @property
    def resident(self) -> float:
        return self.own + self.files


def memory_of(pid: int) -> Memory | None:
    """Return what one program costs; None when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return None
    sizes = {name: int(rest.split()[0]) * 1024 / 1e6 for name, _, rest in map(_parted, lines)}
    own = sizes["Anonymous"]
    return Memory(own=own, files=sizes["Rss"] - own, pss=sizes["Pss"])


def memory_together(pids: Iterable[int]) -> Memory:
    """Return what programs cost together on a machine that runs nothing else: files count once."""
    found = [each for pid in pids if (each := memory_of(pid)) is not None]
    return Memory(
        own=sum(each.own for each in found),
        files=max((each.files for each in found), default=0.0),
        pss=sum(each.pss for each in found),
    )


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")

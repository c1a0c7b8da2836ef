"""How the machine is: load, processors, memory, disk, heat; from /proc and /sys."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC, THERMAL = Path("/proc"), Path("/sys/class/thermal")


@dataclass(frozen=True, slots=True)
class Health:
    """What the machine says at one moment; None: it does not say.

    Load in 1/100, shares in 1/1000, temperature in 1/10 °C, uptime in s; the times of all
    processors together in ticks since the start.
    """

    loads: tuple[int, int, int] | None = None
    busy_ticks: int | None = None
    all_ticks: int | None = None
    memory: int | None = None
    disk: int | None = None
    temperature: int | None = None
    uptime: int | None = None


def read_health(state: Path, *, proc: Path = PROC, thermal: Path = THERMAL) -> Health:
    """Return how the machine is now. `state`: the directory whose disk counts."""
    busy, ticks = _ticks(_text(proc / "stat"))
    return Health(
        loads=_loads(_text(proc / "loadavg")),
        busy_ticks=busy,
        all_ticks=ticks,
        memory=_memory(_text(proc / "meminfo")),
        disk=_disk(state),
        temperature=_temperature(thermal),
        uptime=_uptime(_text(proc / "uptime")),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _loads(text: str) -> tuple[int, int, int] | None:
    with suppress(ValueError):
        one, five, fifteen = (round(float(word) * 100) for word in text.split()[:3])
        return one, five, fifteen
    return None


def _ticks(text: str) -> tuple[int | None, int | None]:
    """Return busy and all ticks; guests are counted in user time already (proc(5))."""
    words = text.partition("\n")[0].split()
    with suppress(ValueError):
        ticks = [int(word) for word in words[1:9]]
        if words[:1] == ["cpu"] and len(ticks) >= 5:
            idle = ticks[3] + ticks[4]
            return sum(ticks) - idle, sum(ticks)
    return None, None


def _memory(text: str) -> int | None:
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdecimal():
            sizes[name] = int(number[0])
    if "MemAvailable" not in sizes or not sizes.get("MemTotal"):
        return None
    return round(1000 * (1 - sizes["MemAvailable"] / sizes["MemTotal"]))


def _disk(place: Path) -> int | None:
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    # As df does: what is reserved for root is no room.
    used = found.f_blocks - found.f_bfree
    whole = used + found.f_bavail
    return round(1000 * used / whole) if whole else None


def _temperature(thermal: Path) -> int | None:
    """Return the temperature of the hottest zone; the kernel tells 1/1000 °C."""
    found = []
    for zone in thermal.glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):
            found.append(int(zone.read_text()) // 100)
    return max(found, default=None)


def _uptime(text: str) -> int | None:
    with suppress(ValueError, IndexError):
        return int(float(text.split()[0]))
    return None

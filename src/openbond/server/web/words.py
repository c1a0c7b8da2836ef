"""How numbers, times and states are said to people."""

from dataclasses import dataclass
from datetime import datetime

STEPS = ((86_400 * 365, "year"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class ShownState:
    """A state as it is shown: never by colour alone."""

    word: str
    colour: str
    shape: str


GOOD, WARN, BAD, QUIET, BUSY = "green", "yellow", "red", "secondary", "blue"
FULL, HALF, CROSS, RING, DOTS = (
    "state-full",
    "state-half",
    "state-cross",
    "state-ring",
    "state-dots",
)

# Of legs, bonds, nodes, config updates, speed tests and tunings.
STATES = {
    "up": (GOOD, FULL),
    "active": (GOOD, FULL),
    "adjusted": (GOOD, HALF),
    "failover": (WARN, HALF),
    "unhealthy": (WARN, HALF),
    "handshaking": (BUSY, DOTS),
    "testing": (BUSY, DOTS),
    "idle": (QUIET, RING),
    "offline": (QUIET, RING),
    "unknown": (QUIET, RING),
    "down": (BAD, CROSS),
    "removed": (BAD, CROSS),
    "failed": (BAD, CROSS),
    "finished": (GOOD, FULL),
    "succeeded": (GOOD, FULL),
    "completed": (GOOD, FULL),
    "applied": (GOOD, FULL),
    "accepted": (GOOD, FULL),
    "declined": (QUIET, RING),
    "cancelled": (QUIET, RING),
    "pending": (BUSY, DOTS),
    "queued": (BUSY, DOTS),
    "running": (BUSY, DOTS),
    "sent": (BUSY, HALF),
}


def shown_state(of: object, words: str = "") -> ShownState:
    """Return how a state is shown; `of` is its word, or an object or dictionary that has one."""
    word = _word(of)
    colour, shape = STATES.get(word, (QUIET, RING))
    return ShownState(word=words or word.replace("_", " "), colour=colour, shape=shape)


def relative(moment: datetime, *, now: datetime) -> str:
    """Return how far a time lies from now, in its largest unit: "3 minutes ago"."""
    seconds = int((now - moment).total_seconds())
    if abs(seconds) < 5:
        return "just now"
    length = next(length for length, _ in STEPS if abs(seconds) >= length)
    unit = dict(STEPS)[length]
    count = abs(seconds) // length
    words = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def bits(number: int | float) -> str:
    """Return a number of bits with its prefix, three digits: "12.4 M"."""
    return _scaled(number, 1000, ("", "k", "M", "G", "T"))


def bytes_of(number: int) -> str:
    """Return a number of bytes with its prefix, by thousands: "3.1 MB"."""
    return f"{_scaled(number, 1000, ('', 'k', 'M', 'G', 'T'))}B"


def duration(seconds: int) -> str:
    """Return a length of time in its two largest units: "2 h 5 min"."""
    parts = []
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _scaled(number: int | float, step: int, prefixes: tuple[str, ...]) -> str:
    value, used = float(number), 0
    while abs(value) >= step - 0.5 and used + 1 < len(prefixes):
        value, used = value / step, used + 1
    digits = f"{value:.3g}" if value and abs(value) < 100 else f"{value:.0f}"
    return f"{digits} {prefixes[used]}"


def _word(of: object) -> str:
    if isinstance(of, str):
        return of
    for name in ("state", "status"):
        found = of.get(name) if isinstance(of, dict) else getattr(of, name, None)
        if found:
            return str(found)
    return "unknown"

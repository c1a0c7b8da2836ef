"""How often a bond's daemon was started: the number that handshakes rise by (behaviour 2.4).

It must rise across reboots and without a right clock. So it is kept on disk, and taken from the
clock when that is ahead: either one alone suffices. It is written once, before the first handshake;
within a start the tunnel counts by itself.
"""

from pathlib import Path

from openbond.node import store


def starts_path(state: Path, bond_id: int) -> Path:
    return state / f"tun{bond_id}.start"


def next_start(path: Path, wall_seconds: int) -> int:
    """Return a number greater than every one before it, and remember it. Raises OSError."""
    number = max(_last(path) + 1, wall_seconds)
    store.write(path, f"{number}\n".encode())
    return number


def _last(path: Path) -> int:
    text = (store.read(path) or b"").strip()
    # A damaged file must not stop the bond: the clock is right more often than not.
    return int(text) if text.isdigit() else 0

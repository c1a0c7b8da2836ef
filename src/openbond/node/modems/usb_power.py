"""Switches the power of the USB port a modem hangs on, where its hub can (Linux 6.0 and later).

Documentation/ABI/testing/sysfs-bus-usb: `<port>/disable`. A hub without switches for its ports
takes the write and changes nothing; that, nobody can see from here.
"""

import asyncio
from pathlib import Path

from openbond.node.errors import NodeError

OFF_FOR_S = 5.0


class NoSwitch(NodeError):
    """This machine cannot switch the port's power."""


def switch_of(place: str) -> Path:
    """Return the file that switches the port of a device. `place`: its directory in /sys.

    Raises NoSwitch.
    """
    switch = Path(place) / "port" / "disable"
    if not place or not switch.exists():
        raise NoSwitch("this machine cannot switch the power of the modem's USB port")
    return switch


async def switch_off_and_on(place: str, *, off_for_s: float = OFF_FOR_S) -> None:
    """Take the power away for a moment. Raises NoSwitch."""
    switch = switch_of(place).resolve()
    try:
        switch.write_text("1")
        await asyncio.sleep(off_for_s)
    except OSError as refused:
        raise NoSwitch(
            f"the power of the USB port is not switched: {refused.strerror}"
        ) from refused
    finally:
        # Whatever happens: a port must not stay off.
        _on(switch)


def _on(switch: Path) -> None:
    try:
        switch.write_text("0")
    except OSError as refused:
        raise NoSwitch(f"the USB port stays off: {refused.strerror}") from refused

"""Kernel settings below /proc/sys/net."""

from collections.abc import Iterable
from pathlib import Path

from openbond.node.errors import NotPrivileged
from openbond.node.plan.values import Sysctl

from .netlink import Refused

PLACE = Path("/proc/sys")


def path_of(item: Sysctl) -> Path:
    """Return the file of a setting. An interface may have dots in its name: `eth3.3`."""
    if item.interface is None:
        return PLACE.joinpath(*item.key.split("."))
    before, _, after = item.key.partition(f".{item.interface}.")
    return PLACE.joinpath(*before.split("."), item.interface, after)


def observe_sysctls(wanted: Iterable[Sysctl]) -> dict[str, str]:
    """Return the values of the wanted settings, by key.

    One that this kernel lacks counts as reached; one of an interface not there yet does not.
    """
    return {item.key: _value(item) for item in wanted}


def _value(item: Sysctl) -> str:
    try:
        return path_of(item).read_text().strip()
    except OSError:
        return item.value if _has_place(item) else ""


def _has_place(item: Sysctl) -> bool:
    return item.interface is None or PLACE.joinpath("net/ipv4/conf", item.interface).exists()


def set_sysctl(item: Sysctl) -> None:
    """Raises Refused, NotPrivileged."""
    try:
        path_of(item).write_text(item.value)
    except PermissionError as error:
        raise NotPrivileged(
            f"{item.key} may not be set: run the agent as root, or give it CAP_NET_ADMIN."
        ) from error
    except OSError as error:
        raise Refused(f"{item.key} cannot be set: {error.strerror}") from error

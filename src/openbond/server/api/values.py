"""How values look in JSON (00-general.md, 4.7)."""

import json
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any


def time(value: datetime) -> str:
    """Return a time in UTC, cut to whole seconds."""
    # Every request writes hundreds of these; strftime takes five times as long.
    return value.astimezone(UTC).isoformat()[:19] + "Z"


def time_or_null(value: datetime | None) -> str | None:
    return None if value is None else time(value)


def stored(text: str) -> list[dict[str, Any]]:
    """Return a list of objects that a row keeps as JSON; empty text is an empty list."""
    objects: list[dict[str, Any]] = json.loads(text) if text else []
    return objects


def mbit(kbps: int) -> int | float:
    """Return a speed in Mbit/s, without a point where it is whole."""
    return kbps / 1000 if kbps % 1000 else kbps // 1000


def mbit_or_null(kbps: int | None) -> int | float | None:
    return None if kbps is None else mbit(kbps)


def percent(permille: int) -> int | float:
    whole, rest = divmod(permille, 10)
    return permille / 10 if rest else whole


NETMASKS = [str(IPv4Network(f"0.0.0.0/{prefix}").netmask) for prefix in range(33)]


def netmask(prefix: int, *, is_ipv6: bool = False) -> str:
    """Return the netmask as it is shown: dotted for IPv4, a number for IPv6."""
    return str(prefix) if is_ipv6 else NETMASKS[prefix]


def netmask_or_null(prefix: int | None) -> str | None:
    return None if prefix is None else NETMASKS[prefix]


def ipv4(number: int) -> str:
    """Return the address that a number is: `ipaddress` takes five times as long."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

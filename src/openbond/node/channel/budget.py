"""What the channel may cost on mobile legs in a calendar month, and what it did (behaviour 4.7).

Counted are the octets that the kernel moved for each connection, headers of TCP and IP included.
"""

import socket
import struct
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from openbond.node import store

MEGABYTE = 1_000_000
MOST_MB = 50
# Written so rarely: a restart forgets less than this, and flash wears out by writing.
WRITE_EVERY_OCTETS = 100_000
# struct tcp_info (linux/tcp.h): bytes acked and received, segments out and in.
_TCP_INFO = struct.Struct("@120x2Q2I")
IP_AND_TCP_HEADERS = 20 + 32  # with time stamps


class Spent(Struct, frozen=True, kw_only=True):
    month: str  # "2026-11", UTC
    octets: int


class MobileBudget:
    """`path` keeps what was spent over restarts; a file that is damaged begins anew."""

    def __init__(self, path: Path, *, most_mb: int = MOST_MB) -> None:
        self._path = path
        self._most = most_mb * MEGABYTE
        self._spent = _read(path)
        self._written = self._spent.octets

    def spend(self, octets: int, *, now_ms: int) -> None:
        """Count octets that crossed a mobile leg."""
        month = month_of(now_ms)
        before = self._spent.octets if self._spent.month == month else 0
        is_new = self._spent.month != month
        self._spent = Spent(month=month, octets=before + octets)
        if is_new or self._spent.octets >= self._written + WRITE_EVERY_OCTETS:
            self._written = self._spent.octets
            with suppress(OSError):  # a full disk: counted in memory
                store.write(self._path, store.encoded(self._spent))

    def is_spent(self, *, now_ms: int) -> bool:
        return self._spent.month == month_of(now_ms) and self._spent.octets > self._most


def month_of(now_ms: int) -> str:
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m}"


def _read(path: Path) -> Spent:
    try:
        return store.read_value(path, Spent) or Spent(month="", octets=0)
    except store.Damaged:
        return Spent(month="", octets=0)


def octets_moved(connection: socket.socket) -> int:
    """Return how many octets of IP packets a TCP connection has moved, both ways.

    Raises OSError when it is closed.
    """
    found = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    acked, received, out, into = _TCP_INFO.unpack(found)
    return int(acked + received + (out + into) * IP_AND_TCP_HEADERS)

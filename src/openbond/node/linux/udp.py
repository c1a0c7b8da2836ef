"""The UDP socket of one leg: many datagrams a system call where the kernel can (udp(7)).

Bonder: tied to the leg's interface and source address. Aggregator: listens on the leg's port. All
set "don't fragment" and ignore what the kernel believes of the path MTU (behaviour 3.7: ICMP is a
hint, never a proof).
"""

import errno
import socket
import struct
from contextlib import suppress
from enum import Enum, auto

from openbond.tunnel.runs import Run

Address = tuple[str, int]

_UDP_SEGMENT, _UDP_GRO = 103, 104
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_BUFFER = 8 * 2**20
_OCTETS_MOST = 65535
_ANCILLARY = socket.CMSG_SPACE(4)
_SIZE = struct.Struct("=i")

_BLOCKED = {errno.EAGAIN, errno.ENOBUFS}
_LOST = {
    errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV,
    errno.ENXIO,
}  # fmt: skip


class LegSocketError(Exception):
    """The socket of a leg cannot be had now; the text says why and what to do."""


class SendOutcome(Enum):
    SENT = auto()
    BLOCKED = auto()  # try again when the socket is writable
    TOO_BIG = auto()  # larger than the interface takes: dropped
    LOST = auto()  # no way out: interface, address or route are gone


class LegSocket:
    """One leg's open socket. `offloads` names those in use."""

    def __init__(self, opened: socket.socket, *, plain: bool) -> None:
        self._socket = opened
        self._segments = not plain
        self.offloads: tuple[str, ...] = ()
        if not plain:
            self._segments = _has(opened, _UDP_SEGMENT, 0)
            receives = _has(opened, _UDP_GRO, 1)
            self.offloads = ("udp_segment",) * self._segments + ("udp_gro",) * receives
        self.address: Address = opened.getsockname()

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> tuple[bytes, int, Address] | None:
        """Return octets, the size of each datagram in them but the last, and the source.

        None when nothing waits.
        """
        try:
            octets, ancillary, _, source = self._socket.recvmsg(_OCTETS_MOST, _ANCILLARY)
        except OSError:
            return None
        size = _SIZE.unpack(ancillary[0][2])[0] if ancillary else len(octets)
        return octets, size or 1, source

    def send(self, run: Run) -> SendOutcome:
        """Send a run; a part of it may be gone when the outcome is not SENT."""
        try:
            if run.count == 1:
                self._socket.sendmsg(run.buffers, (), 0, run.address)
            elif self._segments:
                size = (socket.SOL_UDP, _UDP_SEGMENT, struct.pack("=H", run.size))
                self._socket.sendmsg(run.buffers, (size,), 0, run.address)
            else:
                self._send_one_by_one(run)
        except OSError as trouble:
            return self._outcome(trouble, run)
        return SendOutcome.SENT

    def close(self) -> None:
        self._socket.close()

    def _outcome(self, trouble: OSError, run: Run) -> SendOutcome:
        if trouble.errno in _BLOCKED:
            return SendOutcome.BLOCKED
        if trouble.errno in _LOST:
            return SendOutcome.LOST
        if self._segments and run.count > 1 and trouble.errno != errno.EMSGSIZE:
            # The interface cannot cut datagrams (EIO, EINVAL): from now on we do.
            self._segments = False
            self.offloads = tuple(name for name in self.offloads if name != "udp_segment")
            return self.send(run)
        return SendOutcome.TOO_BIG if trouble.errno == errno.EMSGSIZE else SendOutcome.LOST

    def _send_one_by_one(self, run: Run) -> None:
        for datagram in run.datagrams():
            self._socket.sendto(datagram, run.address)


def open_leg_socket(
    *, interface: str = "", source: str = "", port: int = 0, plain: bool = False
) -> LegSocket:
    """Open the socket of a leg. `interface` "" ties it to none, `source` "" to no address.

    Needs no privileges beyond a port above 1023 (Linux 5.7 and later for the interface).
    Raises LegSocketError.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if interface:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
        _enlarge(opened)
        opened.bind((source, port))
    except OSError as trouble:
        opened.close()
        raise LegSocketError(_refusal(trouble, interface, source, port)) from trouble
    return LegSocket(opened, plain=plain)


def _enlarge(opened: socket.socket) -> None:
    """Give the kernel room for a burst; beyond the system's limit only with CAP_NET_ADMIN."""
    ways = (
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
    )
    for force, ask in ways:
        try:
            opened.setsockopt(socket.SOL_SOCKET, force, _BUFFER)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, ask, _BUFFER)


def _has(opened: socket.socket, option: int, value: int) -> bool:
    with suppress(OSError):
        opened.setsockopt(socket.SOL_UDP, option, value)
        return True
    return False


def _refusal(trouble: OSError, interface: str, source: str, port: int) -> str:
    if trouble.errno == errno.ENODEV:
        return f"interface {interface} does not exist"
    if trouble.errno == errno.EADDRNOTAVAIL:
        return f"address {source} is not on this machine"
    if trouble.errno == errno.EADDRINUSE:
        return (
            f"UDP port {port} is taken by another program: stop it (see `ss -lunp`), "
            "or give the leg another tunnel port"
        )
    if trouble.errno in (errno.EPERM, errno.EACCES):
        return f"no right to bind to {interface or port}: Linux 5.7 or later, or root, is needed"
    return f"cannot open the socket: {trouble.strerror}"

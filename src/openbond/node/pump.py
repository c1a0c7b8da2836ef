"""The loop of a tunnel daemon: TUN and UDP into the bond, and what it says out again.

One turn: wait, read what is there in batches, let the bond do what is due, write to the TUN device,
send on the legs. It owns the clock; the bond owns every decision. Other files (the control socket)
are watched in the same loop.
"""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from openbond.node.linux.tun import TunDevice
from openbond.node.linux.udp import LegSocket, SendOutcome
from openbond.tunnel.bond import Bond
from openbond.tunnel.runs import Run

# Per turn and source, so that none starves the others.
READS_MOST = 256
READ_OCTETS_MOST = 512 * 1024
RECEIVES_MOST = 16
WAIT_MOST = 1.0


class Watched(Protocol):
    def fileno(self) -> int: ...


class Pump:
    """Moves packets between one TUN device and the sockets of the legs.

    Counters: `unwritten`, packets that the
    TUN device would not take; `too_big`, datagrams larger than a leg's interface takes.
    """

    def __init__(
        self,
        tun: TunDevice,
        bond: Bond,
        *,
        on_leg_lost: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bond = bond
        self.unwritten = 0
        self.too_big = 0
        self._tun = tun
        self._on_leg_lost = on_leg_lost
        self._clock = clock
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[float], bool]] = {}
        self._sockets: dict[int, LegSocket] = {}
        self._blocked: dict[int, list[Run]] = {}
        self._was_busy = False
        self.watch(tun, self._read_tun)

    def watch(self, source: Watched, on_readable: Callable[[float], bool]) -> None:
        """Call `on_readable(now)` in every turn in which `source` can be read.

        It reads once and says whether there may be more to read in this turn.
        """
        self._readers[source.fileno()] = on_readable
        self._epoll.register(source.fileno(), select.EPOLLIN)

    def forget(self, source: Watched) -> None:
        """Stop watching; before the file is closed."""
        self._readers.pop(source.fileno(), None)
        with suppress(OSError):
            self._epoll.unregister(source.fileno())

    def set_leg_socket(self, leg_id: int, leg_socket: LegSocket | None) -> None:
        """Use this socket for a leg from now on, or none; the old one is closed."""
        old = self._sockets.pop(leg_id, None)
        if old is not None:
            self.forget(old)
            old.close()
        self._unblock(leg_id)
        if leg_socket is not None:
            self._sockets[leg_id] = leg_socket
            self.watch(leg_socket, self._reader_of(leg_id, leg_socket))

    def offloads(self) -> list[str]:
        """Return the names of the kernel offloads in use, of the TUN device and of any leg."""
        of_legs = {name for one in self._sockets.values() for name in one.offloads}
        return [*(f"tun_{name}" for name in self._tun.offloads), *sorted(of_legs)]

    def turn(self) -> None:
        """Wait until something happens, and do all that follows from it."""
        ready = self._wait(self.bond.get_timer() - self._clock())
        # One time for the whole turn: what is read in it had come by then, and no hold may end
        # while the missing packet waits in another leg's socket.
        now = self._clock()
        self._read(ready, now)
        self.bond.handle_timer(now)
        self._write_tun()
        self._send(now)

    def close(self) -> None:
        for leg_id in list(self._sockets):
            self.set_leg_socket(leg_id, None)
        self._epoll.close()
        self._tun.close()

    def _wait(self, seconds: float) -> list[int]:
        """Return the files that can be read. epoll waits whole milliseconds, select does not."""
        if seconds > 0 and not self._was_busy:
            patience = min(seconds, WAIT_MOST)
            if not select.select((self._epoll,), (), (), patience)[0]:
                return []
        ready = []
        events = self._epoll.poll(0)
        # Under load something is always there: ask for it at once, wait only when nothing is.
        self._was_busy = bool(events)
        for fileno, event in events:
            if event & select.EPOLLOUT:
                self._on_writable(fileno)
            if event & ~select.EPOLLOUT:
                ready.append(fileno)
        return ready

    # -- in ---------------------------------------------------------------------------------------

    def _read_tun(self, now: float) -> bool:
        reads = self._tun.read_packets(READS_MOST, READ_OCTETS_MOST)
        if reads:
            self.bond.receive_packets(reads, now)
        return False

    def _read(self, ready: list[int], now: float) -> None:
        """Read what is there, one read of each source after the other, so that legs stay level."""
        for _ in range(RECEIVES_MOST):
            ready = [fileno for fileno in ready if self._read_one(fileno, now)]
            if not ready:
                return

    def _read_one(self, fileno: int, now: float) -> bool:
        """Read once; say whether there may be more."""
        reader = self._readers.get(fileno)
        return reader is not None and reader(now)

    def _reader_of(self, leg_id: int, leg_socket: LegSocket) -> Callable[[float], bool]:
        def read(now: float) -> bool:
            received = leg_socket.receive()
            if received is None:
                return False
            octets, size, source = received
            self.bond.receive_datagrams(leg_id, octets, size, source, now)
            return True

        return read

    # -- out --------------------------------------------------------------------------------------

    def _write_tun(self) -> None:
        write = self._tun.write_packet
        for buffers in self.bond.packets_to_write():
            if not write(buffers):
                self.unwritten += 1

    def _send(self, now: float) -> None:
        for run in self.bond.runs_to_send(now):
            if run.leg_id in self._blocked:
                self._blocked[run.leg_id].append(run)
            else:
                self._send_run(run)

    def _send_run(self, run: Run) -> None:
        leg_socket = self._sockets.get(run.leg_id)
        if leg_socket is None:
            return
        outcome = leg_socket.send(run)
        if outcome is SendOutcome.SENT:
            return
        if outcome is SendOutcome.BLOCKED:
            self._blocked[run.leg_id] = [run]
            self.bond.on_leg_blocked(run.leg_id, is_blocked=True)
            self._epoll.modify(leg_socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        elif outcome is SendOutcome.TOO_BIG:
            self.too_big += run.count
        else:
            self._on_leg_lost(run.leg_id)

    def _on_writable(self, fileno: int) -> None:
        for leg_id, leg_socket in self._sockets.items():
            if leg_socket.fileno() == fileno:
                self._epoll.modify(fileno, select.EPOLLIN)
                for run in self._unblock(leg_id):
                    if leg_id in self._blocked:
                        self._blocked[leg_id].append(run)
                    else:
                        self._send_run(run)

    def _unblock(self, leg_id: int) -> list[Run]:
        runs = self._blocked.pop(leg_id, [])
        self.bond.on_leg_blocked(leg_id, is_blocked=False)
        return runs

"""The relay: two interfaces joined to one access line that has delay, jitter, loss and a path MTU.

It stands in a namespace of its own between a site and an ISP, and does what netem would do, because
not every kernel has that. It copies Ethernet frames between two packet sockets with virtio-net
headers, so a super-packet of 64 KB costs as much as a packet. Run as

    python -m openbond.lab.relay --customer IFACE --isp IFACE --control SOCKET

and ask or alter it with `RelayClient`.
"""

import argparse
import contextlib
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from openbond.node.linux.priority import go_before_others

from .errors import LabError
from .line import Counters, Line, Shape

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33

FRAME_MOST = 66_000
FRAMES_PER_TURN = 64
RECEIVE_BUFFER = 8 * 2**20
CONTROL_PATIENCE = 2.0


class Shapes(Struct, frozen=True, kw_only=True):
    """The shapes of both directions; `up` is from the site to the ISP."""

    up: Shape = Shape()
    down: Shape = Shape()


class RelayRequest(Struct, frozen=True, kw_only=True):
    """`shapes` are taken when given; either way the relay answers what it does."""

    shapes: Shapes | None = None


class RelayStatus(Struct, frozen=True, kw_only=True):
    shapes: Shapes
    up: Counters
    down: Counters


class RelayClient:
    """Asks and alters a running relay over its control socket."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def status(self) -> RelayStatus:
        """Return shapes and counters. Raises LabError when no relay answers."""
        return self._ask(RelayRequest())

    def set_shapes(self, shapes: Shapes) -> RelayStatus:
        """Put shapes in force. Raises LabError when no relay answers."""
        return self._ask(RelayRequest(shapes=shapes))

    def _ask(self, request: RelayRequest) -> RelayStatus:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
                channel.settimeout(CONTROL_PATIENCE)
                channel.connect(str(self._control))
                channel.sendall(msgspec.json.encode(request) + b"\n")
                with channel.makefile("rb") as answers:
                    line = answers.readline()
            return msgspec.json.decode(line, type=RelayStatus)
        except (OSError, msgspec.DecodeError) as trouble:
            raise LabError(
                f"no relay answers at {self._control} ({trouble}); see `openbond lab list`"
            ) from trouble


class Relay:
    """The loop: frames in, frames out, and now and then a request on the control socket."""

    def __init__(self, *, customer: str, isp: str, control: Path, dice: Random) -> None:
        self._customer = open_packet_socket(customer)
        self._isp = open_packet_socket(isp)
        self._up = Line(shape=Shape(), dice=dice)
        self._down = Line(shape=Shape(), dice=dice)
        self._ways = (
            (self._customer, self._up, self._isp),
            (self._isp, self._down, self._customer),
        )
        self._control = _listen(control)

    def serve(self) -> None:
        """Run until the program is ended by a signal."""
        sources = [self._customer, self._isp, self._control]
        while True:
            ready, _, _ = select.select(sources, [], [], self._time_to_next())
            if self._control in ready:
                self._answer()
            self._turn(ready)

    def _turn(self, ready: list[socket.socket]) -> None:
        now = time.monotonic()
        for source, line, far_end in self._ways:
            if source in ready:
                for frame in _frames_waiting(source):
                    line.receive_frame(frame, now)
            _send_all(far_end, line.frames_to_send(now))

    def _time_to_next(self) -> float | None:
        timers = [timer for _, line, _ in self._ways if (timer := line.get_timer()) is not None]
        return max(0.0, min(timers) - time.monotonic()) if timers else None

    def _answer(self) -> None:
        channel, _ = self._control.accept()
        with channel, contextlib.suppress(OSError, msgspec.DecodeError):
            channel.settimeout(CONTROL_PATIENCE)
            with channel.makefile("rb") as requests:
                request = msgspec.json.decode(requests.readline(), type=RelayRequest)
            if request.shapes is not None:
                self._up.set_shape(request.shapes.up)
                self._down.set_shape(request.shapes.down)
            channel.sendall(msgspec.json.encode(self._status()) + b"\n")

    def _status(self) -> RelayStatus:
        return RelayStatus(
            shapes=Shapes(up=self._up.shape, down=self._down.shape),
            up=self._up.counters,
            down=self._down.counters,
        )


def open_packet_socket(interface: str) -> socket.socket:
    """Return a socket that takes and gives whole frames of an interface, super-packets uncut.

    Raises LabError when the interface is missing or the right to do so is.
    """
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        opened.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        _enlarge_receive_buffer(opened)
        opened.setblocking(False)
        opened.bind((interface, ETH_P_ALL))
    except OSError as trouble:
        raise LabError(
            f"cannot open a packet socket on {interface}: {trouble.strerror}"
        ) from trouble
    return opened


def _enlarge_receive_buffer(opened: socket.socket) -> None:
    try:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:  # in a user namespace the system's limit holds
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _listen(control: Path) -> socket.socket:
    control.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(control))
    listener.listen(8)
    return listener


def _frames_waiting(source: socket.socket) -> list[bytes]:
    frames: list[bytes] = []
    receive = source.recv
    with contextlib.suppress(BlockingIOError, OSError):
        while len(frames) < FRAMES_PER_TURN:
            frames.append(receive(FRAME_MOST))
    return frames


def _send_all(far_end: socket.socket, frames: list[bytes]) -> None:
    send = far_end.send
    for frame in frames:
        try:
            send(frame)
        except OSError:  # a full queue, an interface that is down: lost, as on any line
            continue


def main() -> None:
    parser = argparse.ArgumentParser(prog="openbond.lab.relay", description=__doc__)
    parser.add_argument("--customer", required=True, help="interface towards the site")
    parser.add_argument("--isp", required=True, help="interface towards the ISP's router")
    parser.add_argument("--control", required=True, type=Path, help="path of the control socket")
    parser.add_argument("--seed", type=int, default=None, help="dice that fall alike in every run")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A line is not slow because a program beside it is busy.
    go_before_others()
    try:
        relay = Relay(
            customer=chosen.customer,
            isp=chosen.isp,
            control=chosen.control,
            dice=Random(chosen.seed),  # noqa: S311  # no secret hangs on which frame is lost
        )
    except LabError as trouble:
        sys.exit(str(trouble))
    _go_first()
    relay.serve()


def _go_first() -> None:
    """A real line does not slow down because the machine is busy: run before all other programs."""
    with contextlib.suppress(OSError):  # not allowed in a user namespace; then without
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


if __name__ == "__main__":
    main()

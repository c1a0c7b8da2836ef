"""The Unix socket through which the agent speaks: requests in, answers and events out.

It lives in the pump's loop, so nothing here may wait: who does not read what it is sent is let go
and may come again.
"""

import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from openbond.node.daemon_messages import (
    Answer,
    DaemonEvent,
    Done,
    Refused,
    Request,
    Subscribe,
    decode_request,
    encode_line,
)
from openbond.node.errors import NodeError
from openbond.node.pump import Pump

LINE_MOST = 1 << 20
READ_SIZE = 1 << 16


class Door:
    """`answer` says what follows from a request."""

    def __init__(self, path: Path, pump: Pump, answer: Callable[[Request], Answer]) -> None:
        """Raises NodeError when the socket cannot be made."""
        self._pump = pump
        self._answer = answer
        self._visitors: dict[socket.socket, bytearray] = {}
        self._subscribers: list[socket.socket] = []
        self._listener = _listen(path)
        pump.watch(self._listener, self._accept)

    def tell(self, event: DaemonEvent) -> None:
        """Send an event to whoever asked for events."""
        for visitor in list(self._subscribers):
            self._send(visitor, encode_line(event))

    def close(self) -> None:
        for visitor in list(self._visitors):
            self._let_go(visitor)
        self._pump.forget(self._listener)
        self._listener.close()

    def _accept(self, now: float) -> bool:
        try:
            visitor, _ = self._listener.accept()
        except OSError:
            return False
        visitor.setblocking(False)
        self._visitors[visitor] = bytearray()
        self._pump.watch(visitor, lambda now: self._read(visitor))
        return False

    def _read(self, visitor: socket.socket) -> bool:
        try:
            octets = visitor.recv(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            octets = b""
        if not octets or len(self._visitors[visitor]) > LINE_MOST:
            self._let_go(visitor)
            return False
        waiting = self._visitors[visitor]
        waiting += octets
        *lines, rest = waiting.split(b"\n")
        self._visitors[visitor] = bytearray(rest)
        for line in lines:
            self._send(visitor, encode_line(self._answer_to(visitor, bytes(line))))
        return False

    def _answer_to(self, visitor: socket.socket, line: bytes) -> Answer:
        try:
            request = decode_request(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as damage:
            return Refused(why=f"This is no request: {damage}.")
        if isinstance(request, Subscribe):
            if visitor not in self._subscribers:
                self._subscribers.append(visitor)
            return Done()
        try:
            return self._answer(request)
        except NodeError as refusal:
            return Refused(why=str(refusal))

    def _send(self, visitor: socket.socket, line: bytes) -> None:
        if visitor not in self._visitors:
            return
        try:
            if visitor.send(line) == len(line):
                return
        except OSError:
            pass
        self._let_go(visitor)

    def _let_go(self, visitor: socket.socket) -> None:
        if self._visitors.pop(visitor, None) is None:
            return
        if visitor in self._subscribers:
            self._subscribers.remove(visitor)
        self._pump.forget(visitor)
        visitor.close()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The lock of this daemon is ours, so whoever made this socket is gone.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(8)
    except OSError as trouble:
        listener.close()
        why = trouble.strerror or str(trouble)
        raise NodeError(f"The control socket {path} cannot be made: {why}.") from trouble
    return listener

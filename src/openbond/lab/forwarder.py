"""Carry TCP connections from the machine's loopback into a namespace: curl reaches the server.

The listening sockets are made outside and inherited; this program itself runs inside the namespace,
so whatever it connects to is inside. Neither routes nor rules of the machine are touched. Run as

    python -m openbond.lab.forwarder --listen FD --listen FD --to HOST:PORT
"""

import argparse
import asyncio
import contextlib
import signal
import socket
from pathlib import Path

CHUNK = 65_536


def listen_on_loopback(preferred: int = 0) -> socket.socket:
    """Return a listening socket of 127.0.0.1 that a child may inherit.

    The port is the preferred one, or any free one when another program has that.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", preferred))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    return _inheritable(listener)


def listen_on_path(path: Path) -> socket.socket:
    """Return a listening Unix socket that a child may inherit; a stale file is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    return _inheritable(listener)


def inherited(number: int) -> socket.socket:
    """Return the listening socket that our parent left us under a file number."""
    return socket.socket(fileno=number)


def _inheritable(listener: socket.socket) -> socket.socket:
    listener.listen(64)
    listener.set_inheritable(True)
    return listener


class Forwarder:
    """Joins each connection that comes in with one to `host`:`port`."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def serve(self, listeners: list[socket.socket]) -> None:
        """Carry connections until SIGTERM."""
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        for listener in listeners:
            listener.setblocking(False)
            if listener.family == socket.AF_UNIX:
                await asyncio.start_unix_server(self._carry, sock=listener)
            else:
                await asyncio.start_server(self._carry, sock=listener)
        await ended.wait()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:  # the server is down: the caller sees a connection that ends
            writer.close()
            return
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="openbond.lab.forwarder", description=__doc__)
    parser.add_argument("--listen", type=int, action="append", required=True, metavar="FD")
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    chosen = parser.parse_args()
    host, _, port = chosen.to.rpartition(":")
    listeners = [inherited(number) for number in chosen.listen]
    asyncio.run(Forwarder(host, int(port)).serve(listeners))


if __name__ == "__main__":
    main()

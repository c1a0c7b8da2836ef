"""A steady stream of small UDP packets between two hosts, and what became of it (behaviour 7.1).

One 100-byte packet every 20 ms, both ways at once; the gap is the longest silence. Run as

    python -m openbond.lab.stream --from IP:PORT --to IP:PORT --report FILE

on both hosts. SIGUSR1 writes a report and goes on, SIGTERM writes the last one and ends.
"""

import argparse
import contextlib
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

PACKET = struct.Struct(">Q92x")
INTERVAL = 0.020


class StreamReport(Struct, frozen=True, kw_only=True):
    """What one end heard so far; seconds. `number`: the how manieth report this is. `longest_gap`:
    since the report before, a silence that lasts included. `missing`, only in the last report:
    numbers never heard although a later one was.
    """

    sent: int
    received: int
    missing: list[int]
    longest_gap: float
    twice: int = 0
    number: int = 0


class StreamEnd:
    """One end: sends on the beat, notes what arrives."""

    def __init__(self, own: tuple[str, int], far: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(own)
        self._socket.setblocking(False)
        self._far = far
        self._sent = 0
        self._heard: set[int] = set()
        self._twice = 0
        self._last_at: float | None = None
        self._longest_gap = 0.0
        self._reports = 0
        self.is_asked = False
        self.is_ended = False

    def run(self, tell: Callable[[StreamReport], None]) -> None:
        """Send and listen until `is_ended`; tell a report whenever `is_asked`, and at the end."""
        beat = time.monotonic()
        while not self.is_ended:
            beat = max(beat + INTERVAL, time.monotonic() - 1.0)
            self._send()
            self._listen_until(beat)
            if self.is_asked:
                self.is_asked = False
                tell(self._report())
        tell(self._report(is_last=True))

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # unreachable for now: this packet is lost
            self._socket.sendto(PACKET.pack(self._sent), self._far)
        self._sent += 1

    def _listen_until(self, beat: float) -> None:
        while (left := beat - time.monotonic()) > 0:
            ready, _, _ = select.select([self._socket], [], [], left)
            if ready:
                self._take()

    def _take(self) -> None:
        try:
            packet = self._socket.recv(2048)
        except OSError:  # an ICMP error of something sent before
            return
        if len(packet) != PACKET.size:
            return
        (number,) = PACKET.unpack(packet)
        self._twice += number in self._heard
        self._heard.add(number)
        self._note_gap(time.monotonic())
        self._last_at = time.monotonic()

    def _note_gap(self, now: float) -> None:
        if self._last_at is not None:
            self._longest_gap = max(self._longest_gap, now - self._last_at)

    def _report(self, *, is_last: bool = False) -> StreamReport:
        self._note_gap(time.monotonic())  # the silence that lasts counts as well
        longest, self._longest_gap = self._longest_gap, 0.0
        self._reports += 1
        return StreamReport(
            sent=self._sent,
            received=len(self._heard),
            missing=self._missing() if is_last else [],
            longest_gap=longest,
            twice=self._twice,
            number=self._reports,
        )

    def _missing(self) -> list[int]:
        whole = range(min(self._heard, default=0), max(self._heard, default=-1) + 1)
        return [number for number in whole if number not in self._heard]


def main() -> None:
    parser = argparse.ArgumentParser(prog="openbond.lab.stream", description=__doc__)
    parser.add_argument("--from", dest="own", required=True, metavar="IP:PORT")
    parser.add_argument("--to", required=True, metavar="IP:PORT")
    parser.add_argument("--report", required=True, type=Path)
    chosen = parser.parse_args()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # nobody who asks too early shall end us
    end = StreamEnd(_address(chosen.own), _address(chosen.to))

    def stop(*_: object) -> None:
        end.is_ended = True

    def ask(*_: object) -> None:
        end.is_asked = True

    def tell(report: StreamReport) -> None:
        partial = chosen.report.with_suffix(".new")
        partial.write_bytes(msgspec.json.encode(report))
        partial.replace(chosen.report)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, ask)
    end.run(tell)


def _address(words: str) -> tuple[str, int]:
    host, _, port = words.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    main()

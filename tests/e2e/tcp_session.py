"""One TCP connection from the customer to the internet host, and what it noticed."""

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from openbond.lab.layout import INTERNET

from .site import Site

PORT = 7001
PROGRAM = Path(__file__).with_name("tcp_echo.py")


class TcpSession:
    """Runs for as long as the `with` lasts; answers questions afterwards."""

    def __init__(self, site: Site, directory: Path) -> None:
        self._lab = site.lab
        self._report = directory / "tcp.json"

    def __enter__(self) -> Self:
        here, where = [sys.executable, str(PROGRAM)], [INTERNET, str(PORT)]
        internet, customer = self._lab.host("internet"), self._lab.host("customer")
        self._lab.programs.start("tcp-serve", internet.argv([*here, "serve", *where]))
        time.sleep(0.3)
        speak = [*here, "speak", *where, str(self._report)]
        self._lab.programs.start("tcp-speak", customer.argv(speak))
        time.sleep(1.0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lab.programs.end("tcp-speak")
        self._lab.programs.end("tcp-serve")

    def connections(self) -> int:
        return int(json.loads(self._report.read_text())["connections"])

    def longest_silence(self) -> float:
        """Return the longest wait for an echo, in seconds."""
        return float(json.loads(self._report.read_text())["longest_silence"])

"""The steady stream across the bond of a lab, between customer and internet host, both ways."""

import signal
import sys
from functools import partial
from pathlib import Path

import msgspec

from .layout import INTERNET, SITE
from .life import Lab
from .netns import kill_programs
from .stream import StreamReport
from .waiting import wait_until

STREAM_PORT = 7000
ENDS = ("customer", "internet")
REPORT_WITHIN = 10.0


class Streams:
    """`up` and `down` are what each far end heard, once the streams have ended."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        """`directory` takes the reports."""
        self._lab = lab
        self._reports = {host: directory / f"{host}.json" for host in ENDS}
        self._asked = 0

    def start(self) -> None:
        customer, internet = (f"{ip}:{STREAM_PORT}" for ip in (SITE.customer_ip, INTERNET))
        self._start("customer", customer, internet)
        self._start("internet", internet, customer)
        for host in ENDS:
            wait_until(
                partial(self._runs, host),
                what=f"the stream of the {host} runs",
                patience=REPORT_WITHIN,
            )

    def end(self) -> None:
        for host in ENDS:
            self._lab.programs.end(_name(host))

    def ask(self) -> tuple[StreamReport, StreamReport]:
        """Return what was heard up and down since it was asked last. Raises LabError."""
        for host in ENDS:
            record = self._lab.programs.find(_name(host))
            kill_programs([record.pid] if record else [], signal.SIGUSR1)
        self._asked += 1
        wait_until(
            lambda: all(self._number(host) >= self._asked for host in ENDS),
            what="both ends of the stream report",
            patience=REPORT_WITHIN,
            pause=0.01,
        )
        return self.up, self.down

    @property
    def up(self) -> StreamReport:
        return self._report("internet")

    @property
    def down(self) -> StreamReport:
        return self._report("customer")

    def longest_gap(self) -> float:
        return max(self.up.longest_gap, self.down.longest_gap)

    def missing(self) -> int:
        return len(self.up.missing) + len(self.down.missing)

    def _start(self, host: str, own: str, far: str) -> None:
        report = self._reports[host]
        report.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "openbond.lab.stream", "--from", own, "--to", far]
        inside = self._lab.host(host).argv([*argv, "--report", str(report)])
        self._lab.programs.start(_name(host), inside)

    def _runs(self, host: str) -> bool:
        return f":{STREAM_PORT}" in self._lab.host(host).run(["ss", "-Hlun"])

    def _number(self, host: str) -> int:
        return self._report(host).number if self._reports[host].exists() else 0

    def _report(self, host: str) -> StreamReport:
        return msgspec.json.decode(self._reports[host].read_bytes(), type=StreamReport)


def _name(host: str) -> str:
    return f"stream-{host}"

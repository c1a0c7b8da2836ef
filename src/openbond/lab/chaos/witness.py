"""What is seen of a lab while its lines are in trouble: gaps, states, processes, config updates."""

import time
from pathlib import Path

from openbond.lab.api import ApiClient, ConfigUpdateCounts
from openbond.lab.layout import LINES, NODES
from openbond.lab.life import Lab
from openbond.lab.programs import start_time_of
from openbond.lab.streams import Streams
from openbond.lab.waiting import wait_until

# One of these words is in the command line of every program whose death would matter.
KEPT_PROGRAMS = ("agent", "supervisor", "openbond.node.tunnel_daemon")
UNDER_WAY = ("pending", "sent")
HEARD_WITHIN = 30.0


class Witness:
    """Watches one lab; `directory` takes the reports of the streams."""

    def __init__(self, lab: Lab, api: ApiClient, directory: Path) -> None:
        self._lab = lab
        self._api = api
        self._streams = Streams(lab, directory)
        self.heard_twice = 0  # packets that came out of the bond more than once

    def begin(self) -> None:
        self._streams.start()
        self.time_until_heard(time.monotonic())

    def end(self) -> None:
        self._streams.end()

    # -- traffic ----------------------------------------------------------------------------------

    def longest_gap(self) -> float:
        """Return the longest silence of either way since asked last, in seconds."""
        reports = self._streams.ask()
        self.heard_twice = sum(report.twice for report in reports)
        return max(report.longest_gap for report in reports)

    def time_until_heard(self, since: float) -> float:
        """Return how many seconds after `since` (monotonic) something was heard both ways; forgets
        the silence before. Raises LabError when nothing is heard at all.
        """
        before = [report.received for report in self._streams.ask()]
        wait_until(
            lambda: all(
                report.received > earlier
                for report, earlier in zip(self._streams.ask(), before, strict=True)
            ),
            what="traffic flows both ways",
            patience=HEARD_WITHIN,
        )
        return time.monotonic() - since

    # -- what the API shows -----------------------------------------------------------------------

    def states(self) -> dict[int, str]:
        """Return the states of the legs by line number."""
        legs = self._api.bond(self._lab.record.bond_id).leg_list
        by_interface = {leg.interface: leg.state for leg in legs}
        return {line.number: by_interface[line.interface] for line in LINES}

    def updates_under_way(self) -> int:
        counts = self._updates()
        return sum(counts.status.get(name, 0) for name in UNDER_WAY)

    def failed_updates(self) -> int:
        return self._updates().failures

    def _updates(self) -> ConfigUpdateCounts:
        return self._api.get("/api/v3/system/status/configupdates/", ConfigUpdateCounts)

    # -- processes --------------------------------------------------------------------------------

    def processes(self) -> dict[str, list[tuple[int, int | None]]]:
        """Return pid and start time of server, supervisors, agents and daemons, by host."""
        server = self._lab.programs.find("server")
        found = {host: self._kept(host) for host in NODES}
        return {**found, "server": [(server.pid, server.started)] if server else []}

    def _kept(self, host: str) -> list[tuple[int, int | None]]:
        pids = [pid for pid in self._lab.host(host).pids() if _is_kept(pid)]
        return [(pid, start_time_of(pid)) for pid in sorted(pids)]


def _is_kept(pid: int) -> bool:
    argv = _argv(pid)
    if not any(word in argv for word in KEPT_PROGRAMS):
        return False
    # A child that has forked and not yet become the program it starts looks like its parent.
    return argv != _argv(_parent(pid))


def _argv(pid: int) -> list[str]:
    """Return a process's words; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    """Return the process that started another; 0 when that is gone."""
    try:
        # The name in parentheses may hold anything, so what follows the last of them counts.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0

"""Simulated nodes on one server process: lag, processor time, memory, changes (issue 5)."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from openbond.lab.errors import LabError
from openbond.lab.simulated.connection import Server
from openbond.lab.simulated.fleet import Fleet, server_at
from openbond.lab.simulated.run import Plan, make_fleet, play
from openbond.lab.simulated.seen import at_share

from .rows import Row, Say
from .server.children import own_database

SIZES = (100, 1_000, 10_000)
PLAN = Plan(interval=60.0, ramp=60.0, settle=20.0, watch=60.0, change=60.0, change_every=0.3)
IDLE_SECONDS = 10.0
PATIENCE = 120.0
MOST_CHANGE_SECONDS = 1.0
MOST_GROWTH = 1.2
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Figures:
    """What one size of fleet cost. Seconds of processor; `idle` per second, without any node."""

    nodes: int
    idle: float = 0.0
    seconds: float = 0.0
    server: float = 0.0
    database: float = 0.0
    simulator: float = 0.0  # of this process, which plays the nodes on the same processors
    megabytes: float = 0.0
    _began: float = 0.0
    _server: float = 0.0
    _database: dict[int, float] = field(default_factory=dict)
    _simulator: float = 0.0

    def begin(self, spent: tuple[float, dict[int, float]]) -> None:
        self._began, self._simulator = time.monotonic(), time.process_time()
        self._server, self._database = spent

    def end(self, spent: tuple[float, dict[int, float]]) -> None:
        self.seconds = time.monotonic() - self._began
        self.simulator = time.process_time() - self._simulator
        self.server = spent[0] - self._server
        # What ended in between is not known any more.
        self.database = sum(now - self._database.get(pid, 0.0) for pid, now in spent[1].items())

    @property
    def per_node(self) -> float:
        """Milliseconds of the server's processor time per node and minute, above an idle one's."""
        return (self.server / self.seconds - self.idle) * 60_000 / self.nodes


class FleetBench:
    """Measures sizes in turn; each has a server and a database of its own."""

    def __init__(self, *, url: str, say: Say, plan: Plan = PLAN) -> None:
        self._url = url
        self._say = say
        self._plan = plan
        self._first: Figures | None = None

    def rows(self, nodes: int) -> list[Row]:
        """Measure a fleet of so many nodes. Raises LabError."""
        with (
            tempfile.TemporaryDirectory(prefix="openbond-fleet-") as place,
            own_database(self._url) as database,
            _served(Path(place), database) as (process, server),
        ):
            return self._measured(nodes, Path(place), database, process, server)

    def _measured(
        self, nodes: int, state: Path, database: str, process: int, server: Server
    ) -> list[Row]:
        figures = Figures(nodes)
        self._say(f"{nodes:,} nodes: the server idle")
        figures.idle = _idle(process)
        self._say(f"{nodes:,} nodes: making them")
        with _environment(OPENBOND_DATABASE_URL=database):
            roster = make_fleet(state, nodes)
        rows: list[Row] = []
        played: list[Fleet] = []

        def end(fleet: Fleet) -> None:
            figures.end((_spent(process), _spent_by_database(database)))
            figures.megabytes = _megabytes(process)
            rows.append(_telemetry(figures, fleet, self._plan))
            played.append(fleet)

        play(
            roster,
            server,
            self._plan,
            tell=lambda fleet: self._say(f"{nodes:,} nodes: {fleet.seen.held:,} polls held"),
            begin=lambda fleet: figures.begin((_spent(process), _spent_by_database(database))),
            end=end,
        )
        self._first = self._first or figures
        return [*rows, *self._costs(figures), _change(played[0])]

    def _costs(self, figures: Figures) -> list[Row]:
        share = figures.server / figures.seconds
        first = self._first or figures
        idle = f"idle {figures.idle:.3f}; the simulator {figures.simulator / figures.seconds:.2f}"
        if figures.database:
            idle += f"; the database's own processes {figures.database / figures.seconds:.2f}"
        rows = [
            Row(
                name=f"{figures.nodes:,} nodes, server",
                value=share,
                unit="of one processor",
                most=1.0,
                detail=idle,
            ),
            Row(
                name=f"{figures.nodes:,} nodes, memory of the server",
                value=figures.megabytes,
                unit="MB",
            ),
            Row(
                name=f"{figures.nodes:,} nodes, per node and minute",
                value=figures.per_node,
                unit="ms of processor, above idle",
            ),
        ]
        if figures is not first:
            growth = figures.per_node / first.per_node
            rows.append(
                Row(
                    name=f"the same, against {first.nodes:,} nodes",
                    value=growth,
                    unit="x",
                    most=MOST_GROWTH,
                )
            )
        return rows


def _telemetry(figures: Figures, fleet: Fleet, plan: Plan) -> Row:
    seen = fleet.seen
    offered = 2 * figures.nodes * figures.seconds / plan.interval
    failed = sum(seen.failures.values())
    return Row(
        name=f"{figures.nodes:,} nodes, lag of telemetry at most",
        value=max(seen.lags, default=plan.interval),
        unit="s",
        most=plan.interval,
        detail=f"half within {at_share(seen.lags, 0.5):.2f} s, 99 % within "
        f"{at_share(seen.lags, 0.99):.2f}; {seen.reports:,} of some {offered:,.0f} stored, "
        f"{seen.waiting} waiting; {seen.polls:,} polls answered; {failed} failures",
    )


def _change(fleet: Fleet) -> Row:
    taken, under_way = fleet.changes.taken, fleet.changes.under_way
    return Row(
        name=f"{len(fleet.roster.members):,} nodes, change → node, 99 %",
        value=at_share(taken, 0.99) if taken else float("inf"),
        unit="s",
        most=MOST_CHANGE_SECONDS,
        detail=f"half within {at_share(taken, 0.5):.2f} s; {len(taken)} changes by the API, "
        f"{under_way} under way, {fleet.changes.failures} failed",
    )


@contextmanager
def _served(state: Path, database: str) -> Iterator[tuple[int, Server]]:
    """Run a server of its own on a free port; yield its process id and address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = ["--state", str(state), "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "OPENBOND_ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "OPENBOND_DATABASE_URL": database,
        "OPENBOND_LOG_LEVEL": "ERROR",
    }
    log = state / "server.log"
    with (
        log.open("w") as sink,
        subprocess.Popen(
            [sys.executable, "-m", "openbond.cli", "server", *where],
            env=environment,
            stdout=sink,
            stderr=sink,
        ) as process,
    ):
        try:
            _wait_for(process, port, log)
            yield process.pid, server_at(f"https://127.0.0.1:{port}", state / "ca" / "ca.pem")
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until the server has said where it serves, which is after its tables are made."""
    until = time.monotonic() + PATIENCE
    while "openbond server at" not in log.read_text():
        if process.poll() is not None or time.monotonic() > until:
            last = log.read_text().strip().splitlines()[-1:]
            raise LabError(f"the server did not start: {' '.join(last)}")
        time.sleep(0.2)


def _idle(process: int) -> float:
    time.sleep(2.0)
    before, began = _spent(process), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return (_spent(process) - before) / (time.monotonic() - began)


def _spent(process: int) -> float:
    """Return the seconds of processor that a process has used (proc(5), utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _spent_by_database(url: str) -> dict[int, float]:
    """Return the seconds of processor of PostgreSQL's processes that run now; none of SQLite."""
    if not url:
        return {}
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
    spent = {}
    for (process,) in found:
        with suppress(OSError):  # another machine's, or ended meanwhile
            spent[process] = _spent(process)
    return spent


def _megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

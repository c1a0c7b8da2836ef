"""A node in a namespace, with its real programs, and a server that holds state beside it.

server ── eth1 ── node ── lan0
   └───── eth2 ────┘
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from openbond.node.paths import Paths
from openbond.node.supervisor.children import Mark
from openbond.wire.config import NodeContent
from openbond.wire.reports import ConfigApplied, NodeState, Report
from tests.netns.place import Namespace, cable, namespaces
from tests.node.fake_server import FakeServer

R = TypeVar("R", bound=Report)
KEY = "NODE-KEY"
SERVER, PORT = "192.0.2.1", 8443
COMMAND = (sys.executable, "-m", "openbond.cli", "node")


class Machine:
    """The node's programs run under its supervisor, as on a machine without systemd."""

    def __init__(self, here: Namespace, neighbour: Namespace, root: Path) -> None:
        self.here = here
        self.neighbour = neighbour
        self.root = root
        self.paths = Paths(root)
        self.server = FakeServer()
        self.node = self.server.add_node(KEY)
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start_server(self) -> None:
        self.neighbour.inside(lambda: self.server.start(SERVER, PORT))

    def enrol(self) -> None:
        ca = self.root / "given-ca.pem"
        ca.write_text(self.server.authority.ca_pem)
        where = ("--server", f"{SERVER}:{PORT}", "--ca", str(ca))
        self.command("enroll", *where, "--key", KEY)

    def command(self, *words: str, check: bool = True) -> str:
        return self.here.run(*COMMAND, *words, "--root", str(self.root), check=check)

    def boot(self) -> None:
        log = self.root / "supervisor.log"
        self._supervisor = self.here.start(
            *COMMAND, "supervisor", "--root", str(self.root), log=log
        )

    def stop(self) -> None:
        """End all programs, as a shutdown does."""
        if self._supervisor is not None:
            self._supervisor.terminate()
            self._supervisor.wait(20)
            self._supervisor = None

    def lose_power(self) -> None:
        """Kill everything at once, and forget what only lives until a reboot."""
        supervisor, self._supervisor = self._supervisor, None
        assert supervisor is not None
        supervisor.kill()
        supervisor.wait()
        for mark in self.marks().values():
            os.kill(mark.pid, signal.SIGKILL)
        subprocess.run(["rm", "-rf", str(self.paths.run)], check=True)

    def marks(self) -> dict[str, Mark]:
        return msgspec.json.decode(self.paths.supervised.read_bytes(), type=dict[str, Mark])

    def pid(self, program: str) -> int:
        return self.marks()[program].pid

    # ----------------------------------------------------------------------------------- waiting

    def apply(self, content: NodeContent, *, within_s: float = 30.0) -> ConfigApplied:
        """Publish a config and wait until the node reports it as applied."""
        revision = self.server.publish(self.node, content).envelope.revision

        def applied() -> list[ConfigApplied]:
            return [report for report in self.told(ConfigApplied) if report.revision == revision]

        self.server.wait_for(applied, within_s=within_s)
        return applied()[0]

    def told(self, kind: type[R]) -> list[R]:
        return [report for report in self.node.reports if isinstance(report, kind)]

    def wait(self, condition: Callable[[], bool], *, within_s: float = 15.0) -> float:
        """Return the seconds until the condition held."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < within_s, f"waited in vain\n{self.logs()}"
            time.sleep(0.05)
        return time.monotonic() - began

    def wait_for_states(self) -> None:
        """Wait for what an agent tells right after its start."""
        count = len(self.told(NodeState))
        self.server.wait_for(lambda: len(self.told(NodeState)) > count, within_s=30)

    def logs(self) -> str:
        found = sorted(self.root.glob("var/log/bonding/*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in found)


@contextmanager
def machine(root: Path) -> Iterator[Machine]:
    """Build it all; end and remove it all."""
    with namespaces("node", "server") as (here, neighbour):
        for interface in ("eth1", "eth2", "lan0"):
            cable(here, interface, neighbour, f"far-{interface}")
        neighbour.ip(f"address add {SERVER}/24 dev far-eth1")
        built = Machine(here, neighbour, root)
        built.start_server()
        try:
            yield built
        finally:
            built.stop()
            built.server.stop()

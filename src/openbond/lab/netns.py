"""Network namespaces, the cables between them, and their rates, by iproute2 argument lists.

A `Namespace` is a name below /run/netns; every name begins with the prefix of its lab, so that two
labs never meet and `remove_all` leaves nothing of one behind. Cables (veth pairs) are made inside
the namespaces: nothing of ours ever appears among the machine's own interfaces.
"""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from .commands import run
from .errors import LabError

NETNS_DIRECTORY = Path("/run/netns")
NAME_MOST = 60

# A modem's queue: what arrives while this much time's worth is waiting is dropped.
QUEUE_MS = 100
BURST_MS = 2
BURST_LEAST = 3 * 1514

KILL_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Namespace:
    """One host of a lab. `name` is the full name below /run/netns."""

    name: str

    def create(self) -> None:
        """Make the namespace with its loopback up and IPv6 autoconfiguration off."""
        if len(self.name) > NAME_MOST:
            raise LabError(
                f"the namespace name {self.name!r} is longer than {NAME_MOST} characters"
            )
        run(["ip", "netns", "add", self.name])
        self.ip("link", "set", "lo", "up")
        for which in ("all", "default"):
            self.set_sysctl(f"net/ipv6/conf/{which}/accept_ra", "0")
            self.set_sysctl(f"net/ipv6/conf/{which}/accept_dad", "0")

    def exists(self) -> bool:
        return (NETNS_DIRECTORY / self.name).exists()

    def remove(self) -> None:
        """End every program inside and drop the namespace; nothing happens when it is gone."""
        if not self.exists():
            return
        end_programs(self.pids())
        run(["ip", "netns", "delete", self.name])

    def argv(self, command: Sequence[str]) -> list[str]:
        """Return the argument list that runs `command` inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(
        self, command: Sequence[str], *, given: str | None = None, patience: float = 60.0
    ) -> str:
        """Run a program inside and return what it printed. Raises LabError when it fails."""
        return run(self.argv(command), given=given, patience=patience)

    def ip(self, *words: str) -> str:
        """Run `ip` on this namespace. Raises LabError when it fails."""
        return run(["ip", "-n", self.name, *words])

    def tc(self, *words: str) -> str:
        """Run `tc` on this namespace. Raises LabError when it fails."""
        return run(["tc", "-n", self.name, *words])

    def pids(self) -> list[int]:
        """Return the programs that live inside."""
        if not self.exists():
            return []
        return [int(pid) for pid in run(["ip", "netns", "pids", self.name]).split()]

    def set_sysctl(self, key: str, value: str) -> None:
        """Set a kernel variable below /proc/sys; `key` is written with slashes."""
        self.run(["sh", "-c", 'printf %s "$2" > "/proc/sys/$1"', "sysctl", key, value])

    def forward_packets(self) -> None:
        """Make the namespace a router."""
        self.set_sysctl("net/ipv4/ip_forward", "1")
        self.set_sysctl("net/ipv6/conf/all/forwarding", "1")

    def add_address(self, interface: str, address: str, *, peer: str | None = None) -> None:
        """Give an interface an address in CIDR form, or a point-to-point pair, and set it up."""
        words = [address, "peer", peer] if peer else [address]
        self.ip("address", "add", *words, "dev", interface)
        self.ip("link", "set", interface, "up")

    def add_route(
        self, network: str, *, via: str | None = None, interface: str | None = None
    ) -> None:
        """Add a route; twice is harmless."""
        words = ["via", via] if via else []
        words += ["dev", interface] if interface else []
        self.ip("route", "replace", network, *words)

    def rate(self, interface: str) -> float | None:
        """Return the limit of what leaves an interface, in Mbit/s; None: no limit."""
        shown = run(["tc", "-n", self.name, "-j", "qdisc", "show", "dev", interface])
        for qdisc in msgspec.json.decode(shown, type=list[_Qdisc]):
            if qdisc.kind == "tbf":
                return qdisc.options.rate / 125_000
        return None

    def set_rate(self, interface: str, mbps: float | None, *, queue_ms: float = QUEUE_MS) -> None:
        """Limit what leaves an interface to `mbps`, with a queue of `queue_ms`; None: no limit."""
        if mbps is None:
            if self.rate(interface) is not None:
                self.tc("qdisc", "delete", "dev", interface, "root")
            return
        bytes_per_ms = mbps * 125.0
        burst = max(BURST_LEAST, int(bytes_per_ms * BURST_MS))
        limit = burst + max(2 * 1514, int(bytes_per_ms * queue_ms))
        words = ["rate", f"{round(mbps * 1000)}kbit", "burst", str(burst), "limit", str(limit)]
        self.tc("qdisc", "replace", "dev", interface, "root", "handle", "1:", "tbf", *words)


class _TbfOptions(Struct, frozen=True):
    rate: int = 0  # bytes per second


class _Qdisc(Struct, frozen=True):
    kind: str
    options: _TbfOptions = _TbfOptions()


def add_cable(one: Namespace, interface: str, other: Namespace, far_interface: str) -> None:
    """Join two namespaces by a veth pair; both ends are left down and without address."""
    words = ["type", "veth", "peer", "name", far_interface, "netns", other.name]
    run(["ip", "link", "add", interface, "netns", one.name, *words])


def namespaces_of(prefix: str) -> list[Namespace]:
    """Return the namespaces whose name begins with `prefix`, sorted."""
    if not NETNS_DIRECTORY.is_dir():
        return []
    names = (entry.name for entry in NETNS_DIRECTORY.iterdir())
    return [Namespace(name) for name in sorted(names) if name.startswith(prefix)]


def remove_all(prefix: str) -> None:
    """Remove every namespace of a lab with all that runs inside; twice is harmless."""
    found = namespaces_of(prefix)
    end_programs([pid for namespace in found for pid in namespace.pids()])
    for namespace in found:
        namespace.remove()


def end_programs(pids: Sequence[int], *, patience: float = KILL_PATIENCE) -> None:
    """Ask programs to end, then kill those that still live after `patience` seconds."""
    kill_programs(pids, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while (living := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    kill_programs(living, signal.SIGKILL)
    while any(is_alive(pid) for pid in living) and time.monotonic() < deadline + patience:
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Say whether a program runs; one that ended and was not yet collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def kill_programs(pids: Sequence[int], number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to each; those that are gone are left out."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue

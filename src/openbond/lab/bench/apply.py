"""How long a bonder takes to apply many connected IPs, and what a second apply does.

Runs itself in a namespace of its own: `python -m openbond.lab.bench.apply ROOT ADDRESSES`.
"""

import os
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from openbond.lab.netns import Namespace
from openbond.node.linux.host import LinuxHost
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import Plan, plan
from openbond.node.plan.facts import Facts, Machine
from openbond.wire.config import ConnectedIpConfig, NodeContent
from openbond.wire.states import NodeKind

from .bonds import bond_config
from .rows import Row

LAN = "lo"  # any interface that is there
APPLY_MOST_S = 1.0
FACTS = Facts(Machine("/nowhere/key", "/nowhere/hook", "/nowhere/leases", ("true",)))


class Found(Struct, frozen=True):
    """Seconds and steps: of the first apply, of one address more, and of the same again."""

    seconds: float
    steps: int
    more_seconds: float
    more_steps: int
    again_steps: int
    failed: int


def measure(directory: Path, addresses: int) -> list[Row]:
    """Apply so many connected IPs in a namespace. Raises LabError."""
    here = Namespace(f"obb{os.getpid()}-apply")
    here.create()
    try:
        words = [sys.executable, "-m", "openbond.lab.bench.apply", str(directory), str(addresses)]
        found = msgspec.json.decode(here.run(words), type=Found)
    finally:
        here.remove()
    return [
        Row(
            name=f"{addresses} connected IPs are applied",
            value=found.seconds,
            unit="s",
            most=APPLY_MOST_S,
            detail=f"{found.steps} steps, {found.failed} failed; one more: "
            f"{found.more_steps} steps in {found.more_seconds:.2f} s",
        ),
        Row(name="the same again", value=found.again_steps, unit="steps", most=0),
    ]


def main() -> None:
    root, addresses = Path(sys.argv[1]), int(sys.argv[2])
    host = LinuxHost(Paths(root))
    first, failed, seconds = _applied(host, _content(addresses))
    more, more_failed, more_seconds = _applied(host, _content(addresses + 1))
    again = _planned(host, _content(addresses + 1))
    found = Found(
        seconds=seconds,
        steps=len(first.steps),
        more_seconds=more_seconds,
        more_steps=len(more.steps),
        again_steps=len(again.steps),
        failed=failed + more_failed,
    )
    sys.stdout.buffer.write(msgspec.json.encode(found))


def _applied(host: LinuxHost, content: NodeContent) -> tuple[Plan, int, float]:
    began = time.perf_counter()
    planned = _planned(host, content)
    outcome = host.apply(planned.steps)
    return planned, len(outcome.failed), time.perf_counter() - began


def _planned(host: LinuxHost, content: NodeContent) -> Plan:
    desired = desired_for(content, FACTS)
    return plan(desired=desired, observed=host.observe(desired))


def _content(addresses: int) -> NodeContent:
    connected = [
        ConnectedIpConfig(id=n + 1, interface=LAN, ip=f"10.{n // 250}.{n % 250}.1", prefix=24)
        for n in range(addresses)
    ]
    bond = bond_config(7, tunnel_subnet="240.0.0.14/31", peer_public_key="", secret="", legs=[])
    return NodeContent(
        kind=NodeKind.BONDER,
        name="bench",
        hostname="bench",
        debug=False,
        metric_collection_interval_ms=10_000,
        metric_reporting_interval_ms=60_000,
        bonds=[structs.replace(bond, connected_ips=connected)],
    )


if __name__ == "__main__":
    main()

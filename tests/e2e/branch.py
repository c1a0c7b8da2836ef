"""A branch of the operator that nobody has told the server of: machines, cables, one more lab host.

            ┌─ eth1 ─┐                    203.0.113.16/28 lies behind agg3: the core has a
branch ── bonder4 ─ eth2 ── core ── agg3  static route there, as agg3 runs no routing daemon
            └─ eth3 ─┘
"""

import shlex
from dataclasses import dataclass

from openbond.lab.layout import CORE, SERVER, SERVER_PORT
from openbond.lab.life import Lab
from openbond.lab.netns import add_cable
from openbond.lab.programs import OPENBOND

AGGREGATOR, AGGREGATOR_IP = "agg3", "198.51.100.13"
BONDER, CUSTOMER = "bonder4", "branch"
NETWORK, BONDER_IP, CUSTOMER_IP = "203.0.113.16/28", "203.0.113.17", "203.0.113.18"
# Where a browser that is in the lab finds the site, and nodes find the server.
URL = f"https://{SERVER}:{SERVER_PORT}"


@dataclass(frozen=True)
class BranchLine:
    """A line of the branch: a /30 of its own, straight to the core."""

    interface: str
    gateway: str
    ip: str
    mbps: int


BRANCH_LINES = (
    BranchLine("eth1", "192.0.2.145", "192.0.2.146", 20),
    BranchLine("eth2", "192.0.2.149", "192.0.2.150", 50),
    BranchLine("eth3", "192.0.2.153", "192.0.2.154", 30),
)


def build(lab: Lab) -> None:
    """Put the machines there, cable them, and do what an installer does before the first config."""
    core, aggregator = lab.host("core"), lab.topology.host(AGGREGATOR)
    bonder, customer = lab.topology.host(BONDER), lab.topology.host(CUSTOMER)
    for host in (aggregator, bonder, customer):
        host.create()
    add_cable(aggregator, "eth0", core, AGGREGATOR)
    core.add_address(AGGREGATOR, CORE, peer=AGGREGATOR_IP)
    lab.topology.set_own_address(AGGREGATOR, AGGREGATOR_IP)
    core.add_route(NETWORK, via=AGGREGATOR_IP)
    for line in BRANCH_LINES:
        far = f"branch-{line.interface}"
        add_cable(bonder, line.interface, core, far)
        core.add_address(far, f"{line.gateway}/30")
    bonder.add_address("eth1", f"{BRANCH_LINES[0].ip}/30")
    bonder.add_route("default", via=BRANCH_LINES[0].gateway)
    add_cable(customer, "eth0", bonder, "eth0")
    customer.add_address("eth0", f"{CUSTOMER_IP}/28")
    customer.add_route("default", via=BONDER_IP)


def provision(lab: Lab, host: str, command: str) -> None:
    """Type at a machine what the site shows: `openbond node enroll …`, `openbond node supervisor`.

    Only the directories of the lab are added, and the way to our own program.
    """
    enroll, supervisor = (shlex.split(line) for line in command.splitlines())
    assert supervisor == ["openbond", "node", "supervisor"]
    assert enroll[0] == "openbond"
    root = lab.directory.node_root(host)
    root.mkdir(exist_ok=True)
    lab.host(host).run([*OPENBOND, *enroll[1:], "--root", str(root)], patience=120)
    lab.start_node(host)


def remove(lab: Lab) -> None:
    """Take the machines away, and with them their cables and the core's routes."""
    for name in (AGGREGATOR, BONDER):
        lab.programs.end(f"supervisor-{name}")
    for name in (AGGREGATOR, BONDER, CUSTOMER):
        lab.topology.host(name).remove()

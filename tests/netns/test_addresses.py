"""The server's name asked of each leg's own name servers, from the leg's address.

node ── eth1 ── name server 1 (192.0.2.1)
   └─── eth2 ── name server 2 (198.51.100.1)
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from openbond.node.channel.addresses import ServerAddresses
from openbond.node.channel.ways import Way
from tests.netns.place import Namespace, cable, namespaces

pytestmark = pytest.mark.netns

NAME = "server.example"
ONE = Way(1, source="192.0.2.2", interface="eth1", name_servers=("192.0.2.1",))
TWO = Way(2, source="198.51.100.2", interface="eth2", name_servers=("198.51.100.1",))
NOBODY = Way(3, source="192.0.2.2", interface="eth1", name_servers=("192.0.2.99",))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Namespace]:
    with namespaces("node", "far") as (here, far):
        servers = []
        for number, network in ((1, "192.0.2"), (2, "198.51.100")):
            cable(here, f"eth{number}", far, f"far{number}", up=True)
            here.ip(f"address add {network}.2/24 dev eth{number}")
            far.ip(f"address add {network}.1/24 dev far{number}")
            # Each knows the server by another address, as behind a split view.
            name_server = far.start(
                *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv"),
                *("--bind-interfaces", "--user=root", "--pid-file="),
                f"--listen-address={network}.1",
                f"--address=/{NAME}/203.0.113.{number}",
                log=tmp_path / f"dns{number}.log",
            )
            servers.append(name_server)
        yield here
        for name_server in servers:
            name_server.terminate()
            name_server.wait(10)


def ask(node: Namespace, addresses: ServerAddresses, way: Way, *, tries: int = 20) -> list[str]:
    """Ask until somebody answers: the name servers may still be starting."""
    for _ in range(tries):
        found = node.inside(lambda: asyncio.run(addresses.of(NAME, way)))
        if found:
            return found
    return []


def test_each_leg_asks_its_own_name_servers(node: Namespace, tmp_path: Path) -> None:
    addresses = ServerAddresses(tmp_path / "addresses.json")

    assert ask(node, addresses, ONE) == ["203.0.113.1"]
    assert ask(node, addresses, TWO) == ["203.0.113.2"]


def test_an_address_that_worked_serves_when_nobody_resolves(
    node: Namespace, tmp_path: Path
) -> None:
    ServerAddresses(tmp_path / "addresses.json").worked(NAME, "203.0.113.7")

    restarted = ServerAddresses(tmp_path / "addresses.json")

    assert ask(node, restarted, NOBODY, tries=1) == ["203.0.113.7"]
    assert ask(node, restarted, ONE) == ["203.0.113.1", "203.0.113.7"]

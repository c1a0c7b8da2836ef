"""What an applied config does to single packets.

tunnel ══ tun7 ─ node ─ eth1 ── neighbour
"""

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openbond.node.linux.host import LinuxHost
from openbond.node.linux.nft import read_counters
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import plan
from openbond.node.plan.facts import Facts, Machine
from openbond.wire.config import CpeNatIpConfig, NodeContent
from tests.netns.packets import caught, far_end, mss_in, source_in, tcp_syn
from tests.netns.place import Namespace, cable, namespaces
from tests.node.samples import aggregator, bond, bonder, connected_ip, far_leg, static_leg

pytestmark = pytest.mark.netns

FACTS = Facts(Machine("/nowhere/key", "/nowhere/hook", "/nowhere/leases", ("true",)))
CUSTOMER, INTERNET = "10.1.0.5", "198.51.100.80"


@dataclass
class Node:
    here: Namespace
    neighbour: Namespace
    paths: Paths

    def apply(self, content: NodeContent) -> None:
        desired = desired_for(content, FACTS)

        def work() -> None:
            host = LinuxHost(self.paths)
            outcome = host.apply(plan(desired=desired, observed=host.observe(desired)).steps)
            assert outcome.failed == ()

        self.here.inside(work)

    def out_of_the_tunnel(self, *packets: bytes, towards: str = "far-eth1") -> list[bytes]:
        """Let packets come out of the tunnel; return those of them that reach the neighbour."""

        def listen() -> list[bytes]:
            with caught(towards) as heard:
                self.here.inside(lambda: self._write(packets))
                return [packet for packet in heard() if packet[9] == 6]

        return self.neighbour.inside(listen)

    def _write(self, packets: tuple[bytes, ...]) -> None:
        with far_end("tun7") as tunnel:
            for packet in packets:
                os.write(tunnel, packet)

    def into_the_tunnel(self, packet: bytes, *, by: str = "far-lan0") -> list[bytes]:
        """Send a packet from the neighbour; return what the tunnel gets."""

        def work() -> list[bytes]:
            with far_end("tun7") as tunnel:
                os.set_blocking(tunnel, False)
                self.neighbour.inside(lambda: _send(by, packet, self.mac("lan0")))
                return _read(tunnel)

        return self.here.inside(work)

    def mac(self, interface: str) -> bytes:
        text = self.here.run("cat", f"/sys/class/net/{interface}/address").strip()
        return bytes.fromhex(text.replace(":", ""))


def _send(interface: str, packet: bytes, mac: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as out:
        out.sendto(packet, (interface, 0x0800, 0, 0, mac))


def _read(tunnel: int) -> list[bytes]:
    time.sleep(0.2)
    found: list[bytes] = []
    while True:
        try:
            packet = os.read(tunnel, 65536)
        except BlockingIOError:
            return found
        if packet[0] >> 4 == 4:
            found.append(packet)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with namespaces("node", "neighbour") as (here, neighbour):
        for interface in ("eth1", "lan0"):
            cable(here, interface, neighbour, f"far-{interface}", up=True)
        yield Node(here, neighbour, Paths(tmp_path))


@pytest.fixture
def far(node: Node) -> Node:
    """An aggregator whose bond may send from 10.1.0.0/24."""
    node.here.ip("address add 198.51.100.1/24 dev eth1")
    node.neighbour.ip(f"address add {INTERNET}/24 dev far-eth1")
    node.apply(aggregator(bond(legs=[far_leg()], sources=["10.1.0.0/24"])))
    return node


def test_a_source_of_the_bond_reaches_the_core(far: Node) -> None:
    (packet,) = far.out_of_the_tunnel(tcp_syn(CUSTOMER, INTERNET))

    assert source_in(packet) == CUSTOMER


@pytest.mark.parametrize("source", ["10.2.0.5", "240.0.0.0", "198.51.100.7"])
def test_a_source_that_is_not_the_bonds_is_dropped_and_counted(far: Node, source: str) -> None:
    assert far.out_of_the_tunnel(tcp_syn(source, INTERNET)) == []

    assert far.here.inside(read_counters) == {"source_not_allowed_7": 1}


@pytest.mark.parametrize(
    ("offered", "mss"),
    [pytest.param(1460, 1396, id="lowered"), pytest.param(536, 536, id="never raised")],
)
def test_the_mss_is_clamped_to_the_inner_mtu(far: Node, offered: int, mss: int) -> None:
    (packet,) = far.out_of_the_tunnel(tcp_syn(CUSTOMER, INTERNET, mss=offered))

    assert mss_in(packet) == mss


@pytest.fixture
def near(node: Node) -> Node:
    """A bonder with a leg on eth1 and a customer on lan0, of whom one has a public address."""
    public = CpeNatIpConfig(
        id=3, ip="203.0.113.9", dest_nat_ip=CUSTOMER, dest_nat_network="10.1.0.0/24"
    )
    node.neighbour.ip(f"address add {CUSTOMER}/24 dev far-lan0")
    node.apply(
        bonder(
            bond(
                legs=[static_leg(21, "eth1", ip="192.0.2.2")],
                connected_ips=[connected_ip(), connected_ip(6, ip="10.2.0.1")],
                cpe_nat_ips=[public],
            )
        )
    )
    return node


def test_what_a_customer_sends_leaves_by_the_tunnel_with_the_public_source(near: Node) -> None:
    (packet,) = near.into_the_tunnel(tcp_syn(CUSTOMER, INTERNET))

    assert source_in(packet) == "203.0.113.9"
    assert mss_in(packet) == 1396


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        pytest.param("10.1.0.77", "203.0.113.9", id="another host of its network"),
        pytest.param("10.2.0.5", "10.2.0.5", id="a host of another private network"),
    ],
)
def test_a_whole_private_network_leaves_with_the_public_source_and_no_other(
    near: Node, source: str, shown: str
) -> None:
    (packet,) = near.into_the_tunnel(tcp_syn(source, INTERNET))

    assert source_in(packet) == shown


def test_what_comes_for_the_public_address_reaches_the_customer(near: Node) -> None:
    packets = near.out_of_the_tunnel(tcp_syn(INTERNET, "203.0.113.9"), towards="far-lan0")

    assert [packet[16:20] for packet in packets] == [bytes([10, 1, 0, 5])]


def test_nothing_goes_from_the_tunnel_out_by_a_leg(near: Node) -> None:
    assert near.out_of_the_tunnel(tcp_syn(INTERNET, "192.0.2.1"), towards="far-eth1") == []
    assert near.out_of_the_tunnel(tcp_syn(INTERNET, "8.8.8.8"), towards="far-eth1") == []

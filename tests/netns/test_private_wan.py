"""Private WANs on real kernels: tables, VXLAN, and trunks by the real tunnel daemon.

bonds ══ one ── eth0 ── core ── eth1 ── two ══ bonds

A bond is its TUN device alone: what is written to it is what its bonder sent.
"""

import errno
import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pyroute2.netlink.exceptions import NetlinkError

from openbond.node import store
from openbond.node.linux.host import LinuxHost, Outcome
from openbond.node.linux.netlink import Kernel, NotNow
from openbond.node.linux.vxlan import add_vxlan
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import plan
from openbond.node.plan.facts import Facts, Machine
from openbond.node.plan.values import Vxlan
from openbond.wire.config import (
    BondConfig,
    NodeContent,
    PrivateNetworkConfig,
    PrivateWanConfig,
    TrunkConfig,
)
from tests.netns.packets import caught, far_end, tcp_syn
from tests.netns.place import Namespace, cable, namespaces
from tests.node.samples import SECRET, aggregator, bond, far_leg

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

ADDRESSES = {1: "198.51.100.11", 2: "198.51.100.12"}
CORE = "198.51.100.1"
SPACE, OTHER_SPACE = 5, 6
LEFT, RIGHT, OUTSIDE = "10.1.0.0/24", "10.2.0.0/24", "10.9.0.0/24"
LEFT_HOST, RIGHT_HOST, OUTSIDE_HOST = "10.1.0.5", "10.2.0.5", "10.9.0.5"


@dataclass
class Place:
    """An aggregator: a namespace with its files and key."""

    node_id: int
    here: Namespace
    paths: Paths
    key: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    trunk_daemon: "subprocess.Popen[bytes] | None" = None

    @property
    def facts(self) -> Facts:
        machine = Machine(
            str(self.paths.tunnel_key), "/nowhere/hook", "/nowhere/leases", ("tunnel", "--bond")
        )
        return Facts(machine, own_addresses=frozenset({ADDRESSES[self.node_id]}))

    def apply(self, content: NodeContent) -> Outcome:
        desired = desired_for(content, self.facts)

        def work() -> Outcome:
            host = LinuxHost(self.paths)
            return host.apply(plan(desired=desired, observed=host.observe(desired)).steps)

        return self.here.inside(work)

    def steps(self, content: NodeContent) -> list[str]:
        desired = desired_for(content, self.facts)
        observed = self.here.inside(lambda: LinuxHost(self.paths).observe(desired))
        return [str(step) for step in plan(desired=desired, observed=observed).steps]

    def start_trunk(self, directory: Path) -> None:
        argv = (sys.executable, "-m", "openbond.node.tunnel_daemon", "--root")
        log = directory / f"trunk-{self.node_id}.log"
        self.trunk_daemon = self.here.start(
            *argv, str(self.paths.root), "--bond", "4000000001", log=log
        )

    def end(self) -> None:
        if self.trunk_daemon is not None:
            self.trunk_daemon.terminate()
            self.trunk_daemon.wait(10)
            self.trunk_daemon = None


@dataclass
class Centre:
    """Two aggregators and the core between them."""

    core: Namespace
    one: Place
    two: Place
    directory: Path

    def join(self) -> None:
        """Start both ends of the trunk."""
        for place in (self.one, self.two):
            place.start_trunk(self.directory)


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    with namespaces("core", "one", "two") as (core, one, two):
        places = []
        for number, here in ((1, one), (2, two)):
            cable(here, "eth0", core, f"eth{number}", up=True)
            here.ip(f"address add {ADDRESSES[number]}/32 peer {CORE} dev eth0")
            here.ip(f"route add default via {CORE}")
            core.ip(f"address add {CORE}/32 peer {ADDRESSES[number]} dev eth{number}")
            place = Place(number, here, Paths(tmp_path / str(number)))
            store.write(place.paths.tunnel_key, place.key.private_bytes_raw(), mode=store.PRIVATE)
            places.append(place)
        core.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        made = Centre(core, places[0], places[1], tmp_path)
        try:
            yield made
        finally:
            for place in places:
                place.end()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def member(bond_id: int, network: str, *others: str, space: int = SPACE) -> BondConfig:
    """A bond with one network in the private WAN of a space, and others outside."""
    return bond(
        bond_id,
        legs=[far_leg(20 + bond_id)],
        tunnel_subnet=f"240.0.0.{2 * bond_id}/31",
        networks=list(others),
        sources=[network, *others],
        private_wan=space,
        private_sources=[network],
    )


def wan(node_id: int, *places: tuple[str, int, int], space: int = SPACE) -> PrivateWanConfig:
    """Return a private WAN of (network, bond, aggregator)."""
    networks = [
        PrivateNetworkConfig(network=network, bond_id=bond_id, node_id=node)
        for network, bond_id, node in places
    ]
    return PrivateWanConfig(
        space_id=space, space_key=f"space-{space}", node_id=node_id, networks=networks
    )


def trunk(place: Place, other: Place) -> TrunkConfig:
    return TrunkConfig(
        id=1,
        node_id=other.node_id,
        subnet="255.254.0.2/31",
        dials=place.node_id > other.node_id,
        own_ip=ADDRESSES[place.node_id],
        peer_ip=ADDRESSES[other.node_id],
        port=1999,
        peer_public_key=b64encode(other.key.public_key().public_bytes_raw()).decode(),
        secret=SECRET,
    )


def on_one(place: Place) -> NodeContent:
    """Three bonds on one aggregator; bond 9 is another space's, with the same networks."""
    return aggregator(
        member(7, LEFT, OUTSIDE),
        member(8, RIGHT),
        member(9, RIGHT, space=OTHER_SPACE),
        private_wans=[
            wan(1, (LEFT, 7, 1), (RIGHT, 8, 1)),
            wan(1, (RIGHT, 9, 1), space=OTHER_SPACE),
        ],
    )


def joined(centre: Centre) -> tuple[NodeContent, NodeContent]:
    """Bond 7 on one, 8 on two: of one space; on two also bond 9, of another space."""
    places = [(LEFT, 7, 1), (RIGHT, 8, 2)]
    one = aggregator(
        member(7, LEFT), private_wans=[wan(1, *places)], trunks=[trunk(centre.one, centre.two)]
    )
    two = aggregator(
        member(8, RIGHT),
        member(9, RIGHT, space=OTHER_SPACE),
        private_wans=[wan(2, *places), wan(2, (RIGHT, 9, 2), space=OTHER_SPACE)],
        trunks=[trunk(centre.two, centre.one)],
    )
    return one, two


# ------------------------------------------------------------------------------ packets of bonds


class Tunnels:
    """The TUN devices of bonds, held open: what is read is what their bonders would get."""

    def __init__(self, stack: ExitStack, places: dict[int, Namespace]) -> None:
        self._open = {
            bond_id: stack.enter_context(held(here, f"tun{bond_id}"))
            for bond_id, here in places.items()
        }

    def send(self, bond_id: int, packet: bytes) -> None:
        os.write(self._open[bond_id], packet)

    def got(self, bond_id: int, *, within_s: float = 0.3) -> list[bytes]:
        """Return the IPv4 packets that come; waits only as long as there are none."""
        until = time.monotonic() + within_s
        found: list[bytes] = []
        while not found and time.monotonic() < until:
            time.sleep(0.05)
            found = list(self._read(self._open[bond_id]))
        return found

    def _read(self, descriptor: int) -> Iterator[bytes]:
        while True:
            try:
                packet = os.read(descriptor, 65536)
            except BlockingIOError:
                return
            if packet[0] >> 4 == 4:
                yield packet


@contextmanager
def held(here: Namespace, device: str) -> Iterator[int]:
    stack = ExitStack()
    descriptor = here.inside(lambda: stack.enter_context(far_end(device)))
    os.set_blocking(descriptor, False)
    # Until the kernel has seen that somebody holds the device, it drops what is sent to it.
    wait_until(lambda: "state UP" in here.ip(f"link show dev {device}"), 10)
    with stack:
        yield descriptor


def is_unreachable(packet: bytes) -> bool:
    """ICMP destination unreachable."""
    return packet[9] == 1 and packet[20] == 3


def targets(packets: list[bytes]) -> list[str]:
    return [socket.inet_ntoa(packet[16:20]) for packet in packets]


# ------------------------------------------------------------------------------------- one place


def test_two_bonds_of_a_space_reach_each_other_and_another_space_stays_apart(
    centre: Centre,
) -> None:
    place = centre.one
    assert place.apply(on_one(place)).failed == ()
    assert place.steps(on_one(place)) == []

    with ExitStack() as stack:
        bonds = Tunnels(stack, dict.fromkeys((7, 8, 9), place.here))
        bonds.send(7, tcp_syn(LEFT_HOST, RIGHT_HOST))
        assert targets(bonds.got(8, within_s=3)) == [RIGHT_HOST]
        assert bonds.got(9) == []

        # The other space has no such network as the first one's.
        bonds.send(9, tcp_syn(RIGHT_HOST, LEFT_HOST))
        assert [is_unreachable(packet) for packet in bonds.got(9, within_s=3)] == [True]
        assert bonds.got(7) == []


def test_what_takes_part_never_falls_through_to_the_core_and_the_rest_goes_there(
    centre: Centre,
) -> None:
    place = centre.one
    place.apply(on_one(place))

    with ExitStack() as stack:
        bonds = Tunnels(stack, dict.fromkeys((7, 8), place.here))

        def at_the_core() -> list[str]:
            with caught("eth1") as heard:
                bonds.send(7, tcp_syn(LEFT_HOST, "198.18.0.2"))
                bonds.send(7, tcp_syn(OUTSIDE_HOST, "198.18.0.2"))
                # Even towards a network of the private WAN: its own network is not in it.
                bonds.send(7, tcp_syn(OUTSIDE_HOST, RIGHT_HOST))
                return [socket.inet_ntoa(packet[12:16]) for packet in heard() if packet[9] == 6]

        assert centre.core.inside(at_the_core) == [OUTSIDE_HOST, OUTSIDE_HOST]
        assert [is_unreachable(packet) for packet in bonds.got(7, within_s=3)] == [True]
        assert bonds.got(8) == []


def test_no_packet_of_the_core_enters(centre: Centre) -> None:
    place = centre.one
    place.apply(on_one(place))
    for network in (RIGHT, OUTSIDE):
        centre.core.ip(f"route add {network} via {ADDRESSES[1]}")

    with ExitStack() as stack:
        bonds = Tunnels(stack, dict.fromkeys((7, 8), place.here))
        centre.core.run("ping", "-c1", "-W1", RIGHT_HOST, check=False)
        centre.core.run("ping", "-c1", "-W1", OUTSIDE_HOST, check=False)

        assert bonds.got(8) == []
        assert targets(bonds.got(7, within_s=3)) == [OUTSIDE_HOST]


def test_a_site_whose_tunnel_is_down_is_unreachable(centre: Centre) -> None:
    place = centre.one
    content = on_one(place)
    desired = desired_for(content, replace(place.facts, withdrawn=frozenset({8})))

    routes = [str(route) for route in desired.routes if route.table == 300_000_005]

    assert "route 10.2.0.0/24 unreachable metric 4278198272 table 300000005" in routes
    assert not [route for route in routes if "tun8" in route]


# ------------------------------------------------------------------------------------- two places


def test_over_two_aggregators_sites_reach_each_other_and_all_is_encrypted(
    centre: Centre,
) -> None:
    one, two = joined(centre)
    for place, content in ((centre.one, one), (centre.two, two)):
        assert place.apply(content).failed == ()
        assert place.steps(content) == []
    centre.join()

    with ExitStack() as stack:
        places = {7: centre.one.here, 8: centre.two.here, 9: centre.two.here}
        bonds = Tunnels(stack, places)
        packet = tcp_syn(LEFT_HOST, RIGHT_HOST)

        def on_the_wire() -> list[bytes]:
            with caught("eth1") as heard:
                assert targets(until_there(bonds, packet)) == [RIGHT_HOST]
                return heard()

        seen = centre.core.inside(on_the_wire)
        assert bonds.got(9) == []
    # What crossed the core came from the trunk's port, and the packet is nowhere in it.
    assert {source_port(each) for each in seen if each[9] == 17} == {1999}
    assert not [each for each in seen if packet[20:40] in each]


def until_there(bonds: Tunnels, packet: bytes) -> list[bytes]:
    """Send a packet from bond 7 until it is at bond 8: the trunk takes a moment to come up."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        bonds.send(7, packet)
        if found := bonds.got(8):
            return found[:1]
    return []


def source_port(packet: bytes) -> int:
    return int.from_bytes(packet[20:22])


def test_without_the_trunk_nothing_leaves_in_the_clear_and_nothing_enters(
    centre: Centre,
) -> None:
    one, two = joined(centre)
    centre.one.apply(one)
    centre.two.apply(two)
    # No daemon runs; the device is gone, so what is sent to its address would go to the core.
    centre.one.here.ip("link del tun4000000001")

    with ExitStack() as stack:
        bonds = Tunnels(stack, {7: centre.one.here, 8: centre.two.here})

        def on_the_wire() -> list[bytes]:
            with caught("eth1") as heard:
                bonds.send(7, tcp_syn(LEFT_HOST, RIGHT_HOST))
                time.sleep(1.2)  # looks for the neighbour are repeated each second
                return [packet for packet in heard() if packet[9] == 17]

        assert centre.core.inside(on_the_wire) == []

        # A frame that somebody at the core puts into a VXLAN for us is dropped.
        frame = bytes(12) + b"\x08\x00" + tcp_syn(LEFT_HOST, RIGHT_HOST)
        vxlan = b"\x08\0\0\0" + SPACE.to_bytes(3) + b"\0" + frame

        def forge() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
                forger.sendto(vxlan, (ADDRESSES[2], 1998))

        centre.core.inside(forge)
        assert bonds.got(8) == []


def test_a_site_that_moves_to_the_other_aggregator_is_reached_there(centre: Centre) -> None:
    one, two = joined(centre)
    centre.one.apply(one)
    centre.two.apply(two)
    places = [(LEFT, 7, 1), (RIGHT, 8, 1)]

    both = aggregator(member(7, LEFT), member(8, RIGHT), private_wans=[wan(1, *places)])
    assert centre.one.apply(both).failed == ()
    assert centre.two.apply(aggregator()).failed == ()

    with ExitStack() as stack:
        bonds = Tunnels(stack, dict.fromkeys((7, 8), centre.one.here))
        bonds.send(7, tcp_syn(LEFT_HOST, RIGHT_HOST))
        assert targets(bonds.got(8, within_s=3)) == [RIGHT_HOST]


def test_a_private_wan_that_ends_leaves_nothing_of_ours(centre: Centre) -> None:
    def kernel() -> list[str]:
        here = centre.one.here
        return [
            here.ip("rule show"), here.ip("-6 rule show"), here.ip("route show table all"),
            here.ip("-o link show type vxlan"), here.ip("-o link show type tun"),
            here.ip("-4 -o address show"), here.run("nft", "list", "ruleset"),
        ]  # fmt: skip

    before = kernel()
    one, _ = joined(centre)
    centre.one.apply(one)
    assert kernel() != before

    centre.one.apply(aggregator())

    assert kernel() == before


def refusal(code: int) -> Exception:
    make: Callable[[int], Exception] = NetlinkError
    return make(code)


class OldKernel:
    """Netlink of a kernel that knows no VXLAN."""

    def link_lookup(self, *, ifname: str) -> list[int]:
        return []

    def link(self, command: str, /, **arguments: object) -> object:
        raise refusal(errno.EOPNOTSUPP)


def test_a_kernel_without_vxlan_is_a_warning_that_says_what_to_load() -> None:
    with pytest.raises(NotNow, match="modprobe vxlan"):
        add_vxlan(cast("Kernel", OldKernel()), Vxlan("pwan5"))

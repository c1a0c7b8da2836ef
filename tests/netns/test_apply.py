"""A config on a real kernel, in a namespace:

┌── isp1 ── eth1 ┐
│                ├ node ── lan0 ── customer
└── isp2 ── eth2 ┘
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from openbond.node.linux.host import LinuxHost, Outcome
from openbond.node.linux.nft import read_counters
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import Step, plan
from openbond.node.plan.facts import Facts, Machine
from openbond.wire.config import NodeContent, RouteConfig
from tests.netns.place import Namespace, cable, namespaces
from tests.node.samples import aggregator, bond, bonder, connected_ip, far_leg, static_leg

pytestmark = pytest.mark.netns

FACTS = Facts(Machine("/nowhere/key", "/nowhere/hook", "/nowhere/leases", ("true",)))


@dataclass
class Node:
    """A namespace with the node's files, and its neighbours."""

    here: Namespace
    isp: Namespace
    paths: Paths

    def steps(self, content: NodeContent, facts: Facts = FACTS) -> list[str]:
        return [str(step) for step in self._plan(content, facts)]

    def apply(self, content: NodeContent, facts: Facts = FACTS) -> Outcome:
        steps = self._plan(content, facts)
        return self.here.inside(lambda: LinuxHost(self.paths).apply(steps))

    def _plan(self, content: NodeContent, facts: Facts) -> tuple[Step, ...]:
        desired = desired_for(content, facts)
        observed = self.here.inside(lambda: LinuxHost(self.paths).observe(desired))
        return plan(desired=desired, observed=observed).steps


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with namespaces("node", "isp") as (here, isp):
        for interface in ("eth1", "eth2", "lan0"):
            cable(here, interface, isp, f"far-{interface}")
        yield Node(here, isp, Paths(tmp_path))


SITE = bond(
    legs=[static_leg(21, "eth1"), static_leg(22, "eth2")],
    connected_ips=[connected_ip()],
    routes=[RouteConfig(id=9, network="10.5.0.0/16", gateway="10.1.0.254")],
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bonder(SITE), id="bonder"),
        pytest.param(
            bonder(msgspec.structs.replace(SITE, connected_ips=[connected_ip(ip="2001:db8::1")])),
            id="bonder with IPv6",
        ),
        pytest.param(
            aggregator(
                bond(legs=[far_leg()], networks=["10.1.0.0/24"], sources=["10.1.0.0/24"]),
                bond(
                    8, legs=[far_leg(22)], tunnel_subnet="240.0.0.2/31", sources=["2001:db8::/64"]
                ),
            ),
            id="aggregator of two bonds",
        ),
    ],
)
def test_applying_a_config_twice_takes_no_steps(node: Node, content: NodeContent) -> None:
    first = node.apply(content)

    assert first.reached
    assert first.failed == ()
    assert node.steps(content) == []


def test_a_config_without_bonds_leaves_nothing_of_ours(node: Node) -> None:
    before = _kernel(node)
    node.apply(bonder(SITE))

    outcome = node.apply(bonder())

    assert outcome.failed == ()
    assert _kernel(node) == before


def _kernel(node: Node) -> list[str]:
    """Return what a node changes; links stay up, and their own IPv6 addresses come and go."""
    return [
        node.here.ip("rule show"),
        node.here.ip("-6 rule show"),
        node.here.ip("-4 -o address show scope global"),
        node.here.run("nft", "list", "ruleset"),
        node.here.ip("-d -o link show type tun"),
    ]


@pytest.mark.parametrize("done", [1, 5, 12, 20, 30])
def test_a_plan_cut_off_anywhere_is_finished_by_the_next_one(node: Node, done: int) -> None:
    desired = desired_for(bonder(SITE), FACTS)
    host = LinuxHost(node.paths)

    def cut_off() -> None:
        steps = plan(desired=desired, observed=host.observe(desired)).steps
        host.apply(steps[:done])

    node.here.inside(cut_off)

    assert node.apply(bonder(SITE)).failed == ()
    assert node.steps(bonder(SITE)) == []


def test_what_others_put_into_the_kernel_stays(node: Node) -> None:
    node.here.ip("link set eth1 up")
    node.here.ip("address add 198.51.100.9/24 dev eth1")
    node.here.ip("route add 198.18.0.0/15 via 198.51.100.1")
    node.here.ip("rule add from 198.18.0.1 lookup 55 priority 10200")
    node.here.run("nft", "add", "table", "inet", "operator")

    node.apply(bonder(SITE))
    node.apply(bonder())

    assert "198.51.100.9/24" in node.here.ip("address show dev eth1")
    assert "198.18.0.0/15 via 198.51.100.1" in node.here.ip("route show")
    assert "from 198.18.0.1 lookup 55" in node.here.ip("rule show")
    assert node.here.run("nft", "list", "tables").split() == ["table", "inet", "operator"]


def test_tear_down_leaves_the_host_as_it_was(node: Node) -> None:
    for words in (
        "link set lan0 up",
        "link set eth1 up",
        "link set eth2 up",
        "address add 198.51.100.9/24 dev eth1",
        "address add 10.9.0.1/24 dev lan0",
        "route add 198.18.0.0/15 via 198.51.100.1",
        "route add 198.18.0.0/15 via 198.51.100.1 table 77",
        "route add unreachable 192.0.2.128/25 table 100000021",
        "rule add from 198.18.0.1 lookup 77 priority 10200",
        "-6 rule add from 2001:db8::1 lookup 77 priority 10300",
    ):
        node.here.ip(words)
    node.here.run("nft", "add table inet operator; add chain inet operator mine")
    before = _everything(node)
    for content in (
        bonder(SITE),
        aggregator(bond(legs=[far_leg()], networks=["10.1.0.0/24"], sources=["10.1.0.0/24"])),
    ):
        assert node.apply(content).failed == ()
        assert _everything(node) != before

        assert node.apply(msgspec.structs.replace(content, bonds=[])).failed == ()

        assert _everything(node) == before


def _everything(node: Node) -> dict[str, list[str]]:
    """Return addresses, rules, routes of all tables, devices and packet filter tables."""
    asked = {
        "addresses": "-4 -o address show",
        "rules": "rule show",
        "rules of IPv6": "-6 rule show",
        "routes": "-4 route show table all",
        "devices": "-o link show type tun",
    }
    found = {what: sorted(node.here.ip(words).splitlines()) for what, words in asked.items()}
    return {**found, "filter": node.here.run("nft", "list", "ruleset").splitlines()}


def test_two_hundred_addresses_are_applied_once_and_a_change_touches_what_changed(
    node: Node,
) -> None:
    def site(count: int) -> NodeContent:
        addresses = [
            connected_ip(n + 1, "lan0", f"10.{n // 250}.{n % 250}.1", 24) for n in range(count)
        ]
        return bonder(bond(legs=[static_leg(21, "eth1")], connected_ips=addresses))

    assert node.apply(site(200)).failed == ()
    assert node.steps(site(200)) == []

    assert node.steps(site(201)) == [
        "add address 10.0.200.1/24 dev lan0",
        "add route 10.0.200.0/24 dev lan0 src 10.0.200.1 table 200000007",
        "add rule 10500: from 10.0.200.1/32 lookup 200000007",
        "add settings of bond 7",
    ]


def test_an_address_somebody_else_set_is_used_and_left(node: Node) -> None:
    node.here.ip("address add 192.0.2.2/24 dev eth1")

    outcome = node.apply(bonder(SITE))
    node.apply(bonder())

    assert outcome.failed == ()
    assert "192.0.2.2/24" in node.here.ip("address show dev eth1")


def test_a_changed_packet_filter_is_put_right(node: Node) -> None:
    node.apply(bonder(SITE))

    node.here.run("nft", "flush", "chain", "inet", "openbond", "leg_forward")

    assert node.steps(bonder(SITE)) == ["set packet filter"]
    node.apply(bonder(SITE))
    assert node.steps(bonder(SITE)) == []


def test_one_bond_that_fails_does_not_stop_the_other(node: Node) -> None:
    node.here.ip("tuntap add dev tun7 mode tun")  # of another program: no alias of ours
    content = aggregator(
        bond(7, legs=[far_leg()], networks=["10.7.0.0/24"]),
        bond(8, legs=[far_leg(22)], tunnel_subnet="240.0.0.2/31", networks=["10.8.0.0/24"]),
    )

    outcome = node.apply(content)

    assert {failure.step.about for failure in outcome.failed} == {"bond 7"}
    assert "10.8.0.0/24 dev tun8" in node.here.ip("route show")


def test_a_new_gateway_replaces_the_old_one_without_a_gap(node: Node) -> None:
    node.apply(bonder(SITE))
    moved = msgspec.structs.replace(
        SITE, legs=[static_leg(21, "eth1", gateway="192.0.2.254"), SITE.legs[1]]
    )

    steps = node.steps(bonder(moved))

    assert "replace route 0.0.0.0/0 via 192.0.2.254 dev eth1 src 192.0.2.2 table 100000021" in steps
    node.apply(bonder(moved))
    assert node.steps(bonder(moved)) == []


def test_a_leg_of_the_same_network_as_another_uses_its_own_interface(node: Node) -> None:
    node.apply(bonder(SITE))

    by_first = node.here.ip("route get 203.0.113.1 from 192.0.2.2 oif eth1")
    by_second = node.here.ip("route get 203.0.113.1 from 192.0.2.2 oif eth2")

    assert "via 192.0.2.1 dev eth1" in by_first
    assert "via 192.0.2.1 dev eth2" in by_second


def test_customer_packets_go_into_the_tunnel_or_nowhere(node: Node) -> None:
    node.here.ip("link set eth1 up")
    node.here.ip("address add 198.51.100.9/24 dev eth1")
    node.here.ip("route add default via 198.51.100.1")
    node.apply(bonder(SITE))

    way = node.here.ip("route get 8.8.8.8 from 10.1.0.5 iif lan0")
    node.here.ip("link set tun7 down")
    refused = node.here.run(
        "ip", "route", "get", "8.8.8.8", "from", "10.1.0.5", "iif", "lan0", check=False
    )

    assert "dev tun7" in way
    assert "dev" not in refused


def test_an_interface_that_is_missing_is_a_warning_and_comes_up_when_it_appears(
    node: Node,
) -> None:
    content = bonder(bond(legs=[static_leg(21, "eth1"), static_leg(23, "usb0", ip="192.0.2.9")]))
    assert node.apply(content).failed == ()

    cable(node.here, "usb0", node.isp, "far-usb0")

    assert "add address 192.0.2.9/24 dev usb0 noprefixroute" in node.steps(content)
    assert node.apply(content).failed == ()
    assert node.steps(content) == []


def test_the_networks_of_a_withdrawn_bond_are_unreachable(node: Node) -> None:
    content = aggregator(bond(legs=[far_leg()], networks=["10.1.0.0/24"]))
    node.apply(content)
    assert "10.1.0.0/24 dev tun7 proto 201" in node.here.ip("route show")

    node.apply(content, replace(FACTS, withdrawn=frozenset({7})))

    routes = node.here.ip("route show")
    assert "10.1.0.0/24 dev tun7" not in routes
    assert "unreachable 10.1.0.0/24 proto 202" in routes


def test_the_count_of_dropped_packets_survives_a_new_ruleset(node: Node) -> None:
    content = aggregator(bond(legs=[far_leg()], sources=["10.1.0.0/24"]))
    node.apply(content)
    node.here.run("nft", "add rule inet openbond clamp_out counter name source_not_allowed_7")
    node.here.run("ping", "-c1", "-W1", "127.0.0.1")
    counted = node.here.inside(read_counters)["source_not_allowed_7"]

    node.apply(content, replace(FACTS, inner_mtus={7: 1300}))

    assert counted > 0
    assert node.here.inside(read_counters)["source_not_allowed_7"] == counted


WITHOUT_TUN = """
    import sys
    from pathlib import Path
    from openbond.node.linux.host import LinuxHost
    from openbond.node.paths import Paths
    from openbond.node.plan.difference import Add
    from openbond.node.plan.values import Device

    outcome = LinuxHost(Paths(Path(sys.argv[1]))).apply([Add(Device("tun7"), "bond 7")])
    print(*(failure.text for failure in outcome.failed))
"""


def test_a_machine_without_the_tun_device_says_what_to_load(node: Node) -> None:
    work = [sys.executable, "-c", dedent(WITHOUT_TUN), str(node.paths.root)]
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "-"]

    said = node.here.run(*hidden, *work)

    assert said == (
        "/dev/net/tun cannot be opened (No such file or directory): load the module with "
        "`modprobe tun`, or pass the device into the container.\n"
    )

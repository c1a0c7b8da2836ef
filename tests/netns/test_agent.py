"""The agent, its supervisor and its clients as real programs in a namespace (machine.py)."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from openbond.wire.config import NodeContent
from openbond.wire.reports import ConfigApplied, ConfigRefused, NodeState, ProgramRestarted
from openbond.wire.states import LinkMode, RefusalReason
from tests.netns.machine import COMMAND, KEY, Machine, machine
from tests.node.samples import bond, bonder, connected_ip, dhcp_leg, static_leg

pytestmark = pytest.mark.netns


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as built:
        yield built


@pytest.fixture
def enrolled(node: Machine) -> Machine:
    """As the installer leaves a machine: one line by hand until the first config is in."""
    node.here.ip("link set eth1 up")
    node.here.ip("address add 192.0.2.2/24 dev eth1")
    node.enrol()
    return node


def content(*, mode: LinkMode = LinkMode.ACTIVE, ip: str = "10.1.0.1") -> NodeContent:
    second = static_leg(22, "eth2", ip="198.51.100.2", gateway="198.51.100.1", mode=mode)
    return bonder(bond(legs=[static_leg(21, "eth1"), second], connected_ips=[connected_ip(ip=ip)]))


def kernel(node: Machine) -> list[str]:
    """Return what the agent made. Carrier is not its work: a TUN has it while a daemon holds it."""
    return [
        node.here.ip("rule show"),
        node.here.ip("-4 route show table all proto 201").replace(" linkdown", ""),
        node.here.ip("-4 -o address show scope global"),
        node.here.run("nft", "list", "table", "inet", "openbond"),
        (node.paths.run / "tun7.json").read_text(),
    ]


def test_a_node_takes_its_first_config_and_later_ones(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content(ip="10.1.0.1"))
    enrolled.apply(content(ip="10.2.0.1"))

    assert "10.2.0.1/24" in enrolled.here.ip("address show dev lan0")
    assert "10.1.0.1/24" not in enrolled.here.ip("address show dev lan0")
    status = enrolled.command("status")
    assert "revision  2" in status
    assert "leg 21" in status
    enrolled.wait(lambda: enrolled.here.run(*COMMAND, "ping", "--root", str(enrolled.root)) == "")


def test_an_agent_killed_comes_back_and_changes_nothing(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    enrolled.wait(lambda: (enrolled.paths.run / "tun7.sock").exists())
    before, daemon = kernel(enrolled), enrolled.pid("tunnel-7")

    os.kill(enrolled.pid("agent"), signal.SIGKILL)
    states = len(enrolled.told(NodeState))
    enrolled.server.wait_for(lambda: len(enrolled.told(NodeState)) > states, within_s=30)

    assert kernel(enrolled) == before
    assert enrolled.pid("tunnel-7") == daemon


def test_a_reboot_without_the_server_brings_the_last_good_config_back(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    before = ours(enrolled)
    enrolled.server.stop()
    enrolled.lose_power()
    wipe(enrolled)

    enrolled.boot()

    enrolled.wait(lambda: ours(enrolled) == before)


def ours(node: Machine) -> list[str]:
    """Return our rules, routes and filter; a reboot may order them anew."""
    return [line for text in kernel_tables(node) for line in sorted(text.splitlines())]


def kernel_tables(node: Machine) -> list[str]:
    return [
        node.here.ip("rule show"),
        node.here.ip("-4 route show table all proto 201"),
        node.here.run("nft", "list", "table", "inet", "openbond", check=False),
    ]


def wipe(node: Machine) -> None:
    """Take away what the kernel forgets at a reboot."""
    node.here.run("nft", "flush", "ruleset")
    node.here.ip("link del tun7")
    for interface in ("eth1", "eth2", "lan0"):
        node.here.ip(f"address flush dev {interface}")
        node.here.ip(f"link set {interface} down")
    for line in node.here.ip("rule show").splitlines():
        if "proto 201" in line:
            node.here.ip(f"rule del priority {line.split(':')[0]}")


def test_a_config_update_waits_for_a_node_that_was_away(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    enrolled.here.ip("link set eth1 down")
    enrolled.server.publish(enrolled.node, content(ip="10.9.0.1"))
    enrolled.server.publish(enrolled.node, content(ip="10.8.0.1"))

    enrolled.here.ip("link set eth1 up")

    enrolled.wait(lambda: "10.8.0.1/24" in enrolled.here.ip("address show dev lan0"), within_s=60)


def test_an_interface_that_goes_down_is_put_up_again(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())

    enrolled.here.ip("link set eth2 down")

    took = enrolled.wait(
        lambda: "198.51.100.1 dev eth2" in enrolled.here.ip("route show table all")
    )
    assert took < 5


def test_link_modes_act_on_the_machine(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content(mode=LinkMode.ACTIVE))
    enrolled.apply(content(mode=LinkMode.OFFLINE))
    off = enrolled.here.ip("-o link show eth2"), enrolled.here.ip("address show dev eth2")
    enrolled.apply(content(mode=LinkMode.IDLE))

    assert "state DOWN" in off[0]
    assert "198.51.100.2" not in off[1]
    assert "198.51.100.2/24" in enrolled.here.ip("address show dev eth2")


def test_a_config_for_another_node_is_refused_and_touches_nothing(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    before = kernel(enrolled)

    foreign = enrolled.server.authority.config(content(ip="10.9.0.1"), node_id=8, revision=2)
    enrolled.server.offer(enrolled.node, foreign)
    enrolled.server.wait_for(lambda: enrolled.told(ConfigRefused), within_s=20)

    assert enrolled.told(ConfigRefused)[0].reason is RefusalReason.NOT_MINE
    assert kernel(enrolled) == before


def test_a_bond_restart_rebuilds_its_things_and_no_others(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    enrolled.wait(lambda: (enrolled.paths.run / "tun7.sock").exists())
    before, daemon = ours(enrolled), enrolled.pid("tunnel-7")
    (only,) = content().bonds

    enrolled.apply(bonder(msgspec.structs.replace(only, restart_count=1)))

    enrolled.wait(lambda: enrolled.marks().get("tunnel-7", enrolled.marks()["agent"]).pid != daemon)
    enrolled.wait(lambda: ours(enrolled) == before)


def test_a_program_that_dies_is_started_again_and_reported(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    enrolled.wait(lambda: (enrolled.paths.run / "tun7.sock").exists())
    os.kill(enrolled.pid("tunnel-7"), signal.SIGKILL)

    enrolled.server.wait_for(lambda: enrolled.told(ProgramRestarted), within_s=30)
    report = enrolled.told(ProgramRestarted)[0]
    assert (report.program, report.reason) == ("tunnel-7", "killed by SIGKILL")


def test_a_supervisor_killed_leaves_its_programs_and_finds_them_again(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())
    before = {name: mark.pid for name, mark in enrolled.marks().items()}

    supervisor = enrolled._supervisor
    assert supervisor is not None
    supervisor.kill()
    supervisor.wait()
    killed_at = time.time()
    enrolled.boot()
    enrolled.wait(lambda: enrolled.paths.supervisor_socket.stat().st_ctime > killed_at)

    assert {name: mark.pid for name, mark in enrolled.marks().items()} == before


# ------------------------------------------------------------------------------------------- DHCP


@pytest.fixture
def dhcp_server(enrolled: Machine) -> Iterator["subprocess.Popen[bytes]"]:
    far = enrolled.neighbour
    far.ip("address add 198.51.100.1/24 dev far-eth2")
    server = far.start(
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root"),
        *("--interface=far-eth2", "--bind-interfaces", "--dhcp-authoritative", "--pid-file="),
        f"--dhcp-leasefile={enrolled.root / 'dnsmasq.leases'}",
        "--dhcp-range=198.51.100.7,198.51.100.7,1h",
        "--dhcp-option=3,198.51.100.1",
        "--dhcp-option=6,198.51.100.53",
        log=enrolled.root / "dnsmasq.log",
    )
    yield server
    server.terminate()
    server.wait(10)


def with_dhcp(renew_count: int = 0) -> NodeContent:
    leg = dhcp_leg(22, "eth2", renew_count=renew_count)
    return bonder(bond(legs=[static_leg(21, "eth1"), leg]))


def test_a_dhcp_leg_gets_its_lease_its_address_and_its_table(
    enrolled: Machine, dhcp_server: "subprocess.Popen[bytes]"
) -> None:
    enrolled.boot()
    enrolled.apply(with_dhcp())

    enrolled.wait(lambda: "198.51.100.7/24" in enrolled.here.ip("address show dev eth2"))
    enrolled.wait(
        lambda: "default via 198.51.100.1" in enrolled.here.ip("route show table all dev eth2")
    )
    assert enrolled.here.ip("route show default") == ""
    enrolled.wait(lambda: dhcp_facts(enrolled) == ("198.51.100.7", "198.51.100.1"))


def dhcp_facts(node: Machine) -> tuple[str | None, str | None]:
    found = [leg for state in node.told(NodeState) for leg in state.legs if leg.leg_id == 22]
    return found[-1].ip, found[-1].dhcp_server


def test_renew_asks_for_the_lease_anew(
    enrolled: Machine, dhcp_server: "subprocess.Popen[bytes]"
) -> None:
    enrolled.boot()
    enrolled.apply(with_dhcp())
    enrolled.wait(lambda: "198.51.100.7/24" in enrolled.here.ip("address show dev eth2"))
    path = enrolled.paths.leases / "22.json"
    before = path.stat().st_mtime_ns

    enrolled.apply(with_dhcp(renew_count=1))

    enrolled.wait(lambda: path.exists() and path.stat().st_mtime_ns != before)
    assert "198.51.100.7/24" in enrolled.here.ip("address show dev eth2")
    assert "delete address 198.51.100.7" not in enrolled.logs()


def test_the_clients_survive_the_agent(
    enrolled: Machine, dhcp_server: "subprocess.Popen[bytes]"
) -> None:
    enrolled.boot()
    enrolled.apply(with_dhcp())
    enrolled.wait(lambda: "198.51.100.7/24" in enrolled.here.ip("address show dev eth2"))
    client = enrolled.pid("dhcp-22")

    os.kill(enrolled.pid("agent"), signal.SIGKILL)
    enrolled.wait_for_states()

    assert enrolled.pid("dhcp-22") == client
    assert "198.51.100.7/24" in enrolled.here.ip("address show dev eth2")


# ---------------------------------------------------------------------------------- in one sentence


def test_without_rights_the_agent_says_so(enrolled: Machine) -> None:
    words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "65534"]
    done = subprocess.run(
        [*words, "--clear-groups", *COMMAND, "agent", "--root", str(enrolled.root)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (9, "")
    assert done.stderr == (
        "The agent may not change the network: run it as root, or give it CAP_NET_ADMIN.\n"
    )


def test_a_second_agent_on_one_root_is_refused(enrolled: Machine) -> None:
    enrolled.boot()
    enrolled.apply(content())

    done = subprocess.run(
        [*COMMAND, "agent", "--root", str(enrolled.root)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 10
    assert f"already runs here (pid {enrolled.pid('agent')}" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_agent_before_enrolment_waits_and_then_serves(node: Machine) -> None:
    node.here.ip("link set eth1 up")
    node.here.ip("address add 192.0.2.2/24 dev eth1")
    node.boot()
    node.wait(lambda: "not enrolled yet" in node.logs())

    node.enrol()

    assert isinstance(node.apply(content()), ConfigApplied)
    assert KEY not in node.logs()


def test_the_capability_to_change_the_network_is_enough(enrolled: Machine) -> None:
    words = ["setpriv", "--bounding-set", "-all,+net_admin,+net_raw", "--inh-caps", "-all"]
    agent = enrolled.here.start(
        *words, *COMMAND, "agent", "--root", str(enrolled.root), log=enrolled.root / "agent.out"
    )
    try:
        applied = enrolled.apply(content())
    finally:
        agent.terminate()
        agent.wait(20)

    assert applied.failures == []
    assert "10.1.0.1/24" in enrolled.here.ip("address show dev lan0")

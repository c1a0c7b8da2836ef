"""Legs of all kinds on a real kernel: leases, hooks, what a machine lacks (machine.py)."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import msgspec
import pytest

from openbond.node.linux.arp import find_other_user
from openbond.wire.config import LegConfig, NodeContent
from openbond.wire.reports import ConfigApplied, Noted
from tests.netns.machine import Machine, machine
from tests.netns.place import cable, namespaces
from tests.node.samples import bond, bonder, connected_ip, dhcp_leg, pppoe_leg, static_leg

pytestmark = pytest.mark.netns

MAC_AND_MTU: dict[str, Any] = {"interface_mac": "02:00:00:00:00:77", "interface_mtu": 1400}
FIRST, SECOND = "198.51.100.7", "198.51.100.9"


class DhcpServer:
    """dnsmasq on the far end of eth2; it offers a classless route that no leg may take."""

    def __init__(self, node: Machine) -> None:
        self._node = node
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, address: str) -> None:
        far, root = self._node.neighbour, self._node.root
        self._running = far.start(
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0"),
            *("--interface=far-eth2", "--bind-interfaces", "--dhcp-authoritative", "--no-ping"),
            *("--user=root", "--pid-file=", f"--dhcp-leasefile={root / 'dnsmasq.leases'}"),
            f"--dhcp-range={address},{address},1h",
            "--dhcp-option=3,198.51.100.1",
            "--dhcp-option-force=121,10.99.0.0/16,198.51.100.66",
            log=root / "dnsmasq.log",
        )

    def stop(self) -> None:
        if self._running is not None:
            self._running.terminate()
            self._running.wait(10)
            self._running = None
            (self._node.root / "dnsmasq.leases").unlink(missing_ok=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Machine]:
    """As the installer leaves a machine: one line by hand until the first config is in."""
    with machine(tmp_path) as built:
        built.here.ip("link set eth1 up")
        built.here.ip("address add 192.0.2.2/24 dev eth1")
        built.enrol()
        built.boot()
        yield built


@pytest.fixture
def dhcp(node: Machine) -> Iterator[DhcpServer]:
    node.neighbour.ip("address add 198.51.100.1/24 dev far-eth2")
    server = DhcpServer(node)
    server.start(FIRST)
    yield server
    server.stop()


def with_leg(*more: LegConfig) -> NodeContent:
    return bonder(bond(legs=[static_leg(21, "eth1"), *more]))


def with_dhcp(renewals: int = 0) -> NodeContent:
    return with_leg(dhcp_leg(22, "eth2", renew_count=renewals))


def has(node: Machine, address: str, interface: str = "eth2") -> bool:
    return f" {address}/" in node.here.ip(f"address show dev {interface}")


# ------------------------------------------------------------------------------------------- DHCP


def test_renew_brings_a_new_address_to_kernel_and_tunnel_and_takes_the_old_one_away(
    node: Machine, dhcp: DhcpServer
) -> None:
    node.apply(with_dhcp())
    node.wait(lambda: has(node, FIRST))
    dhcp.stop()
    dhcp.start(SECOND)

    node.server.publish(node.node, with_dhcp(renewals=1))

    node.wait(lambda: has(node, SECOND) and not has(node, FIRST))
    node.wait(lambda: f'"{SECOND}"' in (node.paths.run / "tun7.json").read_text())
    routes = node.here.ip("route show table all dev eth2")
    default = next(line for line in routes.splitlines() if line.startswith("default"))
    assert "via 198.51.100.1 " in default
    assert f"src {SECOND}" in default
    assert FIRST not in routes
    assert "10.99." not in node.here.ip("route show table all")
    assert node.here.ip("route show default") == ""


def test_a_renewal_that_fails_keeps_the_address_until_the_lease_ends(
    node: Machine, dhcp: DhcpServer
) -> None:
    node.apply(with_dhcp())
    node.wait(lambda: has(node, FIRST))
    client = node.pid("dhcp-22")
    dhcp.stop()

    node.apply(with_dhcp(renewals=1))
    node.wait(lambda: node.pid("dhcp-22") != client)
    time.sleep(3)
    kept = has(node, FIRST)
    path = node.paths.leases / "22.json"
    lease = msgspec.json.decode(path.read_bytes())
    path.write_bytes(
        msgspec.json.encode({**lease, "seconds": int(time.time()) - lease["obtained"]})
    )

    assert kept
    node.wait(lambda: not has(node, FIRST))
    assert "no lease yet" in node.command("status")


def test_a_lease_that_the_server_takes_back_takes_the_leg_down_until_there_is_another(
    node: Machine, dhcp: DhcpServer
) -> None:
    node.apply(with_dhcp())
    node.wait(lambda: has(node, FIRST))
    dhcp.stop()
    dhcp.start(SECOND)

    os.kill(node.pid("dhcp-22"), signal.SIGUSR1)  # as at half of the lease's time

    node.wait(lambda: not has(node, FIRST) and not has(node, SECOND))
    node.wait(lambda: has(node, SECOND))


def test_a_client_whose_interface_is_unplugged_ends_and_comes_back_with_it(
    node: Machine, dhcp: DhcpServer
) -> None:
    node.apply(with_dhcp())
    node.wait(lambda: has(node, FIRST))

    node.here.ip("link set eth2 name gone2")
    node.wait(lambda: "dhcp-22" not in node.marks())
    node.here.ip("link set gone2 down")
    node.here.ip("link set gone2 name eth2")

    node.wait(lambda: has(node, FIRST))


# ------------------------------------------------------------------------------------------ hooks

HOOK = """#!/bin/sh
there=no; ip link show {device} >/dev/null 2>&1 && there=yes
address=no; ip address show | grep -q 10.1.0.1/24 && address=yes
echo {kind} $ID $1 device=$there address=$address >>{calls}
{more}
"""


def place_hooks(node: Machine, **more: str) -> Path:
    calls = node.root / "calls"
    for kind in ("tun", "leg", "connectedip", "bond"):
        path = node.root / "etc/bonding" / f"{kind}.d" / "all" / "10-note"
        path.parent.mkdir(parents=True)
        words = {"kind": kind, "calls": calls, "device": "tun7", "more": more.get(kind, "")}
        path.write_text(HOOK.format(**words))
        path.chmod(0o755)
    return calls


def test_hooks_run_around_what_they_are_for_and_at_a_restart_of_the_bond(node: Machine) -> None:
    calls = place_hooks(node)
    (site,) = with_leg().bonds
    site = msgspec.structs.replace(site, connected_ips=[connected_ip(5)])

    node.apply(bonder(site))
    node.wait(lambda: calls.exists() and len(calls.read_text().splitlines()) == 4)
    started = calls.read_text().splitlines()
    calls.unlink()
    node.apply(bonder(msgspec.structs.replace(site, restart_count=1)))
    node.wait(lambda: calls.exists() and len(calls.read_text().splitlines()) == 8)
    restarted = calls.read_text().splitlines()
    calls.unlink()
    # Forced: a bonder takes no config without its bond otherwise (behaviour 1.8).
    node.server.publish(node.node, bonder(), forced=True)
    node.wait(lambda: calls.exists() and len(calls.read_text().splitlines()) == 4)
    node.wait(lambda: "tun7" not in node.here.ip("-br link show"))

    assert started == [
        "tun 7 start device=yes address=yes",
        "leg 21 start device=yes address=yes",
        "connectedip 5 start device=yes address=yes",
        "bond 7 start device=yes address=yes",
    ]
    stopped = [line.replace("start", "stop") for line in reversed(started)]
    assert restarted == [*stopped, *started]
    assert calls.read_text().splitlines() == stopped


def test_a_hook_that_fails_is_reported_and_stops_nothing(node: Machine) -> None:
    calls = place_hooks(node, leg="exit 3")

    applied = node.apply(with_leg())

    node.server.wait_for(lambda: node.told(Noted), within_s=20)
    note = node.told(Noted)[0]
    assert note.about == "leg 21"
    assert note.text.endswith("leg.d/all/10-note start: ended with exit code 3")
    assert applied.failures == []
    node.wait(lambda: "bond 7 start" in calls.read_text())


def test_hooks_survive_the_agent_and_the_runner(node: Machine) -> None:
    calls = place_hooks(node)
    node.apply(with_leg())
    node.wait(lambda: calls.exists() and "bond 7 start" in calls.read_text())
    calls.unlink()

    for program in ("agent", "hooks"):
        os.kill(node.pid(program), signal.SIGKILL)
    node.wait_for_states()
    node.apply(with_leg(static_leg(22, "eth2", ip="198.51.100.2", gateway="198.51.100.1")))

    node.wait(calls.exists)
    assert calls.read_text().splitlines() == ["leg 22 start device=yes address=no"]


# ------------------------------------------------------------------- what a machine lacks, in words


def words_about(report: ConfigApplied, about: str) -> str:
    return " ".join(warning.text for warning in report.warnings if warning.about == about)


def test_a_kernel_without_vlans_says_so_and_serves_the_rest(node: Machine) -> None:
    leg = static_leg(22, "eth2.3", ip="198.51.100.2", gateway="198.51.100.1")

    applied = node.apply(with_leg(leg))

    assert applied.failures == []
    if "eth2.3" not in node.here.ip("-br link show"):
        assert "this kernel has no VLANs: load the module with `modprobe 8021q`" in words_about(
            applied, "leg 22"
        )
    assert has(node, "192.0.2.2", "eth1")


def test_hardware_without_the_mode_says_so_and_serves_the_leg(node: Machine) -> None:
    leg = static_leg(22, "eth2", ip="198.51.100.2", gateway="198.51.100.1", interface_mode="10half")

    applied = node.apply(with_leg(leg))

    assert applied.failures == []
    assert "the hardware of eth2 cannot be set to 10half" in words_about(applied, "leg 22")
    assert has(node, "198.51.100.2")


@pytest.mark.skipif(Path("/dev/ppp").exists(), reason="this machine has PPP")
def test_a_machine_without_ppp_says_so_and_serves_the_rest(node: Machine) -> None:
    applied = node.apply(with_leg(pppoe_leg(23, "eth2")))

    assert applied.failures == []
    node.wait(lambda: "the kernel has no PPP" in node.command("status"))
    assert has(node, "192.0.2.2", "eth1")
    assert "secret" not in node.logs()


def test_the_operators_mac_and_mtu_are_on_the_interface(node: Machine) -> None:
    leg = static_leg(22, "eth2", ip="198.51.100.2", gateway="198.51.100.1", **MAC_AND_MTU)

    node.apply(with_leg(leg))

    shown = node.here.ip("link show dev eth2")
    assert "mtu 1400" in shown
    assert "link/ether 02:00:00:00:00:77" in shown


# ------------------------------------------------------------------------------- an address twice


def test_an_address_that_somebody_else_has_is_a_warning_and_the_leg_is_used(node: Machine) -> None:
    node.neighbour.ip("address add 198.51.100.2/24 dev far-eth2")
    leg = static_leg(22, "eth2", ip="198.51.100.2", gateway="198.51.100.1")

    node.apply(with_leg(leg))

    node.server.wait_for(lambda: node.told(Noted), within_s=30)
    assert node.told(Noted)[0].text.startswith("address 198.51.100.2 is in use by ")
    assert "in use by" in node.command("status")
    assert has(node, "198.51.100.2")


@pytest.mark.parametrize(("address", "is_found"), [("198.51.100.2", True), ("198.51.100.3", False)])
def test_the_network_is_asked_who_has_an_address(address: str, is_found: bool) -> None:
    with namespaces("one", "other") as (one, other):
        cable(one, "eth1", other, "eth1", up=True)
        other.ip("address add 198.51.100.2/24 dev eth1")
        for ours in ("198.51.100.2", "198.51.100.3"):
            one.ip(f"address add {ours}/24 dev eth1")
        mac = other.run("cat", "/sys/class/net/eth1/address").strip()

        found = one.inside(
            lambda: asyncio.run(
                find_other_user("eth1", IPv4Address(address), dice=0.5, pause_factor=0.2)
            )
        )

    assert found == (mac if is_found else None)

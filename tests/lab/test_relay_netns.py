"""The relay and the kernel's rates on real interfaces.

site ── eth1 ─── customer [ relay ] isp ─── access ── isp
     10.9.0.2                                  10.9.0.1
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openbond.lab.line import Shape
from openbond.lab.netns import (
    Namespace,
    add_cable,
    end_programs,
    is_alive,
    namespaces_of,
    remove_all,
)
from openbond.lab.relay import RelayClient, Shapes
from openbond.lab.waiting import wait_until

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.xdist_group("netns"),
]


@dataclass(frozen=True)
class Access:
    site: Namespace
    line: Namespace
    isp: Namespace
    relay: RelayClient

    def shape(self, shape: Shape) -> None:
        self.relay.set_shapes(Shapes(up=shape, down=shape))

    def ping(self, *words: str) -> str:
        return self.site.run(["ping", "-q", *words, "10.9.0.1"])

    def speed_mbps(self, *words: str) -> float:
        command = ["iperf3", "-J", "-c", "10.9.0.1", "-t", "2", "-O", "1", *words]
        measured = json.loads(self.site.run(command))
        return float(measured["end"]["sum_received"]["bits_per_second"]) / 1e6


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    prefix = f"ob-test{os.getpid()}-"
    site, line, isp = (Namespace(prefix + name) for name in ("site", "line", "isp"))
    control = tmp_path_factory.mktemp("relay") / "control"
    try:
        for namespace in (site, line, isp):
            namespace.create()
        add_cable(site, "eth1", line, "customer")
        add_cable(isp, "access", line, "isp")
        for interface in ("customer", "isp"):
            line.ip("link", "set", interface, "arp", "off", "up")
        site.add_address("eth1", "10.9.0.2/24")
        isp.add_address("access", "10.9.0.1/24")
        _start(isp, "iperf3", "-s")
        _start(line, sys.executable, "-m", "openbond.lab.relay", "--customer", "customer",
               "--isp", "isp", "--seed", "1", "--control", str(control))  # fmt: skip
        wait_until(control.exists, what="the relay listens", patience=5)
        yield Access(site, line, isp, RelayClient(control))
    finally:
        remove_all(prefix)
        assert namespaces_of(prefix) == []


def _start(namespace: Namespace, *command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path("src").absolute())}
    subprocess.Popen(
        ["setsid", "--fork", *namespace.argv(command)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ).wait()  # fmt: skip


@pytest.fixture(autouse=True)
def plain_line(access: Access) -> None:
    access.shape(Shape())
    access.isp.set_rate("access", None)
    access.site.set_rate("eth1", None)
    access.ping("-c", "1")


def average_ms(output: str) -> float:
    found = re.search(r"= [\d.]+/([\d.]+)/", output)
    assert found is not None, output
    return float(found[1])


@pytest.mark.speeds
def test_a_delay_is_added_in_each_direction(access: Access) -> None:
    access.shape(Shape(delay_ms=25))

    measured = average_ms(access.ping("-c", "20", "-i", "0.05"))

    assert measured == pytest.approx(50, abs=2)


def test_loss_is_as_asked(access: Access) -> None:
    access.relay.set_shapes(Shapes(up=Shape(loss_percent=10)))

    output = access.ping("-c", "1000", "-i", "0.002", "-W", "1")

    found = re.search(r"([\d.]+)% packet loss", output)
    assert found is not None
    assert float(found[1]) == pytest.approx(10, abs=4)


@pytest.mark.speeds
@pytest.mark.parametrize("rate", [20, 80])
def test_the_rate_holds_in_both_directions(access: Access, rate: int) -> None:
    access.shape(Shape(delay_ms=5))
    access.isp.set_rate("access", rate)
    access.site.set_rate("eth1", rate)

    down, up = access.speed_mbps("-R"), access.speed_mbps()

    # TCP's and Ethernet's headers cost 4 to 6 %.
    assert rate * 0.88 <= down <= rate
    assert rate * 0.88 <= up <= rate


@pytest.mark.speeds
def test_a_line_with_loss_loses_that_and_no_more(access: Access) -> None:
    access.shape(Shape(delay_ms=5, loss_percent=1))

    measured = access.speed_mbps("-u", "-b", "50M", "-l", "1400")

    assert 0.98 * 50 <= measured <= 0.997 * 50


def test_a_large_packet_vanishes_and_no_icmp_tells(access: Access) -> None:
    access.shape(Shape(mtu=1400))

    fits = access.ping("-M", "do", "-s", "1372", "-c", "3", "-i", "0.05")
    with pytest.raises(Exception, match="100% packet loss") as lost:
        access.ping("-M", "do", "-s", "1373", "-c", "3", "-i", "0.05", "-W", "1")

    assert " 0% packet loss" in fits
    assert "Frag needed" not in str(lost.value)
    assert "too long" not in str(lost.value)


def test_one_direction_can_be_cut_alone(access: Access) -> None:
    access.relay.set_shapes(Shapes(down=Shape(is_cut=True)))
    before = access.relay.status().up.passed_frames

    with pytest.raises(Exception, match="100% packet loss"):
        access.ping("-c", "5", "-i", "0.05", "-W", "1")

    assert access.relay.status().up.passed_frames >= before + 5


def test_the_relay_refuses_an_interface_that_is_not_there(access: Access) -> None:
    command = ["--customer", "eth7", "--isp", "isp", "--control", "/tmp/none"]

    refused = subprocess.run(
        access.line.argv([sys.executable, "-m", "openbond.lab.relay", *command]),
        env={**os.environ, "PYTHONPATH": str(Path("src").absolute())},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert refused.returncode == 1
    assert refused.stderr.strip() == "cannot open a packet socket on eth7: No such device"


def test_a_program_inside_ends_with_its_namespace(access: Access) -> None:
    other = Namespace(access.site.name + "x")
    other.create()
    _start(other, "sleep", "60")
    wait_until(lambda: len(other.pids()) == 1, what="the program is inside", patience=5)
    pids = other.pids()

    other.remove()

    assert len(pids) == 1
    assert not other.exists()
    assert not any(is_alive(pid) for pid in pids)


def test_ending_programs_that_are_gone_is_harmless() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()

    end_programs([gone.pid])

    assert not is_alive(gone.pid)

"""A real DHCP client behind a bonder gets its address from it, and names, as long as it may."""

import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from openbond.wire.config import NodeContent
from tests.netns.machine import Machine, machine
from tests.node.samples import bond, bonder, connected_ip, static_leg

pytestmark = [pytest.mark.netns, pytest.mark.timeout(120)]

SCRIPT = """#!/bin/sh
[ "$1" = bound ] && echo "$ip $subnet $router $dns $lease" > "{found}"
exit 0
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as built:
        built.here.ip("link set eth1 up")
        built.here.ip("address add 192.0.2.2/24 dev eth1")
        built.enrol()
        built.boot()
        yield built


def content(*, lease: int) -> NodeContent:
    site = connected_ip(5, "lan0", "10.1.0.1", 29, lease=lease)
    return bonder(bond(legs=[static_leg(21, "eth1")], connected_ips=[site]))


def is_served(node: Machine) -> bool:
    return ":67 " in node.here.run("ss", "-lun")


def ask_for_an_address(node: Machine, directory: Path) -> str:
    """Return what a customer's machine is given: address, netmask, router, DNS, seconds."""
    found, script = directory / "found", directory / "script"
    script.write_text(SCRIPT.format(found=found))
    script.chmod(0o700)
    words = ("-i", "far-lan0", "-n", "-q", "-f", "-t", "5", "-s", str(script))
    node.neighbour.run("udhcpc", *words)
    return found.read_text().strip()


def test_a_customer_gets_address_router_and_names_until_it_is_switched_off(
    node: Machine, tmp_path: Path
) -> None:
    node.apply(content(lease=3600))
    node.wait(lambda: is_served(node))

    ip, *others = ask_for_an_address(node, tmp_path).split()
    assert ip in {f"10.1.0.{number}" for number in range(2, 7)}
    assert others == ["255.255.255.248", "10.1.0.1", "10.1.0.1", "3600"]

    node.neighbour.ip(f"address add {ip}/29 dev far-lan0")
    question = dns.message.make_query("localhost", "A")
    answer = node.neighbour.inside(lambda: dns.query.udp(question, "10.1.0.1", timeout=5))
    assert "127.0.0.1" in str(answer.answer[0])

    began = time.monotonic()
    node.apply(content(lease=0))
    node.wait(lambda: not is_served(node))
    assert time.monotonic() - began < 20

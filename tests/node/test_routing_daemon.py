"""How an aggregator tells the core: what bonding.conf may say, and what BIRD gets of it."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from openbond.node.plan.desired import desired_for
from openbond.node.plan.facts import Facts, Machine
from openbond.node.plan.values import Desired
from openbond.node.routing_settings import BgpNeighbor, RoutingKind, RoutingSettings, read_routing
from openbond.node.settings import BadSettings, read_settings
from openbond.wire.config import NodeContent
from tests.node.samples import aggregator, bond, bonder, far_leg, static_leg

BGP = {"routing": "bgp", "bgp_as": "64512", "bgp_neighbors": "192.0.2.1 as 64500"}
AGGREGATOR = aggregator(bond(legs=[far_leg()]))


def wanted(content: NodeContent, lines: dict[str, str], *, bird: str = "/usr/sbin/bird") -> Desired:
    machine = Machine(
        "/key", "/hook", "/leases", ("tunnel",),
        bird=bird, routing=read_routing(lines), client_files="/run/bonding",
    )  # fmt: skip
    return desired_for(content, Facts(machine))


def programs(desired: Desired) -> list[str]:
    return [program.name for program in desired.programs]


def test_bird_takes_what_is_ours_from_the_kernel_and_tells_the_neighbors() -> None:
    desired = wanted(AGGREGATOR, BGP)

    (file,) = desired.client_files
    text = file.text.decode()
    assert "kernel table 254;" in text
    assert "if krt_source = 201 && !(net ~ [ 0.0.0.0/0, 224.0.0.0/3+ ]) then accept;" in text
    assert "neighbor 192.0.2.1 as 64500;" in text
    assert "local as 64512;" in text
    (program,) = [one for one in desired.programs if one.name == "bird"]
    assert program.argv == (
        "/usr/sbin/bird", "-f", "-c", f"/run/bonding/{file.name}", "-s", "/run/bonding/bird.ctl",
    )  # fmt: skip


def test_ospf_is_spoken_on_the_interfaces_that_are_named() -> None:
    (file,) = wanted(AGGREGATOR, {"routing": "ospf", "ospf_interfaces": "eth0, eth1"}).client_files

    text = file.text.decode()
    assert "area 0.0.0.0 {" in text
    assert text.count('interface "eth') == 2


def test_without_a_word_of_routing_or_on_a_bonder_there_is_no_bird() -> None:
    assert "bird" not in programs(wanted(AGGREGATOR, {}))
    assert "bird" not in programs(wanted(AGGREGATOR, {"routing": "static"}))
    assert "bird" not in programs(wanted(bonder(bond(legs=[static_leg()])), BGP))


def test_a_machine_without_bird_says_what_to_install() -> None:
    desired = wanted(AGGREGATOR, BGP, bird="")

    assert "bird" not in programs(desired)
    assert ("node", "routing waits: the program bird is missing, apt install bird2") in (
        desired.warnings
    )


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("routing = rip", "it is one of static, ospf, bgp"),
        ("routing = bgp\nbgp_as = 1", "needs a line `bgp_neighbors"),
        ("routing = bgp\nbgp_as = 1\nbgp_neighbors = 192.0.2.1", "is no neighbor: write for exa"),
        ("routing = bgp\nbgp_as = 0\nbgp_neighbors = 192.0.2.1 as 2", "'0' is no AS number"),
        ("routing = bgp\nbgp_as = 1\nbgp_neighbors = x as 2", "'x' is no IPv4 address"),
        ("routing = ospf", "needs a line `ospf_interfaces"),
        ('routing = ospf\nospf_interfaces = eth0" {', "is no name of an interface"),
    ],
)
def test_a_wrong_line_is_named_with_what_to_write(tmp_path: Path, lines: str, why: str) -> None:
    path = tmp_path / "bonding.conf"
    path.write_text(f"server = 192.0.2.9\nnode_key = K\n{lines}\n")

    with pytest.raises(BadSettings, match=why):
        read_settings(path)


def test_the_lines_of_bonding_conf_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bonding.conf"
    lines = "".join(f"{name} = {value}\n" for name, value in BGP.items())
    path.write_text(f"server = 192.0.2.9\nnode_key = K\n{lines}")

    assert read_settings(path).routing == RoutingSettings(
        RoutingKind.BGP,
        number=64512,
        neighbors=(BgpNeighbor(ip=IPv4Address("192.0.2.1"), number=64500),),
    )

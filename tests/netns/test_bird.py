"""BIRD on an aggregator tells the core of its bonds' networks, and takes them back (§5.7).

agg ── eth0 ── core: a real BIRD at each end
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openbond.node.plan.routing_daemon import bird_config
from openbond.node.routing_settings import read_routing
from tests.netns.place import Namespace, cable, namespaces

BIRD = shutil.which("bird", path="/usr/sbin:/usr/bin")
pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(90),
    pytest.mark.skipif(BIRD is None, reason="needs bird2"),
]

BGP = {"routing": "bgp", "bgp_as": "64512", "bgp_neighbors": "198.51.100.1 as 64500"}
OSPF = {"routing": "ospf", "ospf_interfaces": "eth0"}
CORE = {
    "bgp": "protocol bgp agg { local 198.51.100.1 as 64500; neighbor 198.51.100.11 as 64512;"
    " connect delay time 1; ipv4 { import all; export none; }; }",
    "ospf": 'protocol ospf v2 { ipv4 { import all; }; area 0 { interface "eth0" '
    "{ hello 1; dead 4; }; }; }",
}
KERNEL = (
    "router id 198.51.100.1; protocol device {} "
    "protocol kernel { ipv4 { import none; export all; }; }"
)
NETWORK = "203.0.113.0/28"


@dataclass
class Pair:
    agg: Namespace
    core: Namespace
    directory: Path
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, here: Namespace, name: str, config: str) -> None:
        path = self.directory / f"{name}.conf"
        path.write_text(config)
        assert BIRD is not None
        argv = (BIRD, "-f", "-c", str(path), "-s", str(self.directory / f"{name}.ctl"))
        self.running.append(here.start(*argv, log=self.directory / f"{name}.log"))

    def core_has(self, network: str) -> bool:
        return "proto bird" in self.core.ip(f"route show {network}")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with namespaces("agg", "core") as (agg, core):
        cable(agg, "eth0", core, "eth0", up=True)
        agg.ip("address add 198.51.100.11/24 dev eth0")
        core.ip("address add 198.51.100.1/24 dev eth0")
        made = Pair(agg, core, tmp_path)
        try:
            yield made
        finally:
            for program in made.running:
                program.terminate()
                program.wait(10)


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("lines", [BGP, OSPF], ids=lambda lines: lines["routing"])
def test_the_core_learns_a_bonds_networks_and_unlearns_them(
    pair: Pair, lines: dict[str, str]
) -> None:
    pair.start(pair.agg, "agg", bird_config(read_routing(lines), table=254, protocol=201))
    pair.start(pair.core, "core", f"{KERNEL} {CORE[lines['routing']]}")
    pair.agg.ip("tuntap add dev tun7 mode tun")
    pair.agg.ip("link set tun7 up")
    pair.agg.ip(f"route add {NETWORK} dev tun7 proto 201")
    # Neither what others put there, nor an "unreachable" of ours, nor a tunnel network.
    pair.agg.ip("route add 203.0.113.16/28 dev tun7")
    pair.agg.ip("route add unreachable 203.0.113.32/28 proto 202 metric 4278198272")
    pair.agg.ip("route add 240.0.0.0/31 dev tun7 proto 201")

    wait_until(lambda: pair.core_has(NETWORK), 30)
    learnt = pair.core.ip("route show proto bird")
    assert "203.0.113.16" not in learnt
    assert "203.0.113.32" not in learnt
    assert "240.0.0.0" not in learnt

    pair.agg.ip(f"route del {NETWORK}")
    wait_until(lambda: not pair.core_has(NETWORK), 15)

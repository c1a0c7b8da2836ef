"""The default QoS profile on a bond that is full, on real kernels (behaviour 7, item 25).

Precise figures are in tests/control/test_default_profile.py, in virtual time; here the bounds are
wide, for a busy machine.
"""

import re
import time
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from openbond.lab.layout import INTERNET, LINES
from openbond.lab.waiting import wait_until

from .site import Site

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.speeds,
    pytest.mark.xdist_group("lab"),
    pytest.mark.timeout(180),
]

EF = "0xb8"  # DSCP 46 in the byte that ping and iperf3 take
MBPS = 10.0
SECONDS = 5
PORTS = {"EF": 5301, "other": 5302}


class ProfileView(msgspec.Struct, frozen=True):
    id: int
    is_default: bool


@pytest.fixture
def slow_site(site: Site) -> Iterator[Site]:
    """One leg of 10 Mbit/s carries, and the default profile is set."""
    (profile,) = [one for one in site.api.get("/api/v3/qos/", list[ProfileView]) if one.is_default]
    line, *others = LINES
    legs = {leg.interface: leg for leg in site.bond().leg_list}
    first = legs[line.interface]
    try:
        for other in others:
            site.set_mode(legs[other.interface].id, "idle")
        site.lab.topology.set_rates(line, down=MBPS, up=MBPS)
        site.change_leg(first.id, down_speed=MBPS, up_speed=MBPS)
        site.change_bond(qos_profile=profile.id)
        wait_until(
            lambda: all(row.status == "applied" for row in site.config_updates()),
            what="the nodes follow", patience=60,
        )  # fmt: skip
        yield site
    finally:
        site.change_bond(qos_profile=None)
        site.change_leg(first.id, down_speed=line.mbps, up_speed=line.mbps)
        site.lab.topology.reset(line)
        site.put_back()


def round_trip(site: Site) -> float:
    """Return the median time of an EF-marked packet there and back, in ms."""
    said = site.customer.run(["ping", "-Q", EF, "-i", "0.05", "-c", "50", INTERNET])
    times = sorted(float(found) for found in re.findall(r"time=([0-9.]+) ms", said))
    assert len(times) >= 45, said
    return times[len(times) // 2]


def test_ef_keeps_its_latency_and_its_share_in_a_full_bond(slow_site: Site) -> None:
    site, lab = slow_site, slow_site.lab
    idle = round_trip(site)

    for name, port in PORTS.items():
        lab.programs.start(
            f"sink-{name}", lab.host("internet").argv(["iperf3", "-s", "-1", "-p", str(port)])
        )
        listens = partial(site.is_listening, "internet", port)
        wait_until(listens, what="iperf3 listens", patience=20)
    words = ["iperf3", "-c", INTERNET, "-u", "-b", "12M", "-l", "1200", "--json"]
    sink = str(PORTS["other"])
    flood = site.customer.argv([*words, "-t", str(SECONDS), "-p", sink])
    lab.programs.start("flood", flood)
    loaded = round_trip(site)
    wait_until(lambda: lab.programs.find("flood") is None, what="the flood is over", patience=60)
    assert loaded <= idle + 15 + 25

    lab.programs.start("sink-other", lab.host("internet").argv(["iperf3", "-s", "-1", "-p", sink]))
    wait_until(
        lambda: site.is_listening("internet", PORTS["other"]), what="it listens", patience=20
    )
    # The flood begins before and ends after what is measured.
    longer = str(3 * SECONDS)
    lab.programs.start("flood", site.customer.argv([*words, "-t", longer, "-p", sink]))
    time.sleep(2.0)
    measured = [*words, "-t", str(SECONDS), "-p", str(PORTS["EF"]), "-S", EF]
    said = site.customer.run(measured, patience=120)
    lab.programs.end("flood")
    got = msgspec.json.decode(said)["end"]["sum_received"]["bits_per_second"] / 1e6
    # Real-time and Routine want more than there is: 40 of 60.
    assert got >= 0.40 * MBPS * 0.9
    assert got <= 0.80 * MBPS

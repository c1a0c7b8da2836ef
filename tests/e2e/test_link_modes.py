"""A PATCH of `link_mode` acts on both ends."""

import time
from pathlib import Path

import pytest

from openbond.lab.layout import INTERNET, LINES
from openbond.lab.waiting import wait_until

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

LINE = LINES[1]


def outer_packets(site: Site) -> int:
    """Return how many bytes the line carried so far, both ways."""
    status = site.lab.topology.relay(LINE).status()
    return status.up.passed_bytes + status.down.passed_bytes


def test_an_offline_leg_carries_nothing_and_its_interface_is_down(
    site: Site, tmp_path: Path
) -> None:
    leg = site.leg(LINE)
    with site.stream(tmp_path) as streams:
        site.set_mode(leg.id, "offline")
        at_once = site.leg(LINE)
        wait_for_silence(site)

        site.set_mode(leg.id, "active")
        site.wait_until_whole()

    assert at_once.state == "offline"
    assert (at_once.bonder_state, at_once.aggregator_state) == ("offline", "offline")
    assert streams.longest_gap() <= 0.7, (streams.up, streams.down)


def wait_for_silence(site: Site) -> None:
    before = outer_packets(site)
    for _ in range(5):
        time.sleep(1)
        now = outer_packets(site)
        if now == before:
            break
        before = now
    else:
        pytest.fail("the offline leg's line still carries packets after 5 s")
    assert "state DOWN" in site.lab.host("bonder").ip("link", "show", LINE.interface)


def test_an_idle_leg_is_probed_but_carries_no_customer_packet(site: Site) -> None:
    leg = site.leg(LINE)
    site.set_mode(leg.id, "idle")
    wait_until(lambda: site.ends(LINE) == ("idle", "idle"), what="both ends say idle", patience=15)
    before = outer_packets(site)

    site.customer.run(["ping", "-q", "-c", "200", "-i", "0.01", "-s", "1200", INTERNET])

    # 200 echoes of 1.2 KB both ways would be 480 KB; probes and polls are a few KB.
    assert outer_packets(site) - before < 30_000
    site.set_mode(leg.id, "active")
    site.wait_until_whole()

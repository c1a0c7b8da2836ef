"""Programs are killed during traffic; the power goes at the site while the server is down."""

import time
from pathlib import Path

import pytest

from openbond.lab import power
from openbond.lab.waiting import wait_until

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]


def test_a_killed_server_costs_no_packet(site: Site, tmp_path: Path) -> None:
    with site.stream(tmp_path) as streams:
        site.kill_server()
        time.sleep(3)
        site.lab.start_server()
        wait_until(site.server_answers, what="the server answers again", patience=20)
        time.sleep(1)

    assert streams.missing() == 0, (streams.up, streams.down)
    site.wait_until_whole()


@pytest.mark.parametrize("host", ["bonder", "agg1"])
def test_a_killed_agent_costs_no_packet_and_is_back(site: Site, host: str, tmp_path: Path) -> None:
    before = site.pids(host, "node", "agent")
    with site.stream(tmp_path) as streams:
        assert site.kill(host, "node", "agent") == 1
        wait_until(
            lambda: bool(set(site.pids(host, "node", "agent")) - set(before)),
            what="the agent runs again",
            patience=5,
        )
        time.sleep(3)

    assert streams.missing() == 0, (streams.up, streams.down)
    assert set(site.states().values()) == {"up"}


@pytest.mark.parametrize("host", ["bonder", "agg1"])
def test_a_killed_tunnel_daemon_is_back_within_three_seconds(
    site: Site, host: str, tmp_path: Path
) -> None:
    with site.stream(tmp_path) as streams:
        assert site.kill(host, "openbond.node.tunnel_daemon") == 1
        time.sleep(4)

    assert 0 < streams.longest_gap() <= 3.0, (streams.up, streams.down)
    site.wait_until_whole()


def test_a_bonder_reboots_into_its_last_good_config_without_the_server(site: Site) -> None:
    site.kill_server()
    power.cut_power(site.lab, "bonder")
    assert not site.can_ping()

    power.boot(site.lab, "bonder")
    served_after = wait_until(site.can_ping, what="the customer is served", patience=60)

    assert not site.server_answers()
    site.lab.start_server()
    wait_until(site.server_answers, what="the server answers again", patience=20)
    site.wait_until_whole()
    assert served_after <= 60


def test_a_rebooted_aggregator_serves_its_bonds_again(site: Site) -> None:
    power.cut_power(site.lab, "agg1")

    power.boot(site.lab, "agg1")

    wait_until(site.can_ping, what="the customer is served", patience=60)
    site.wait_until_whole()

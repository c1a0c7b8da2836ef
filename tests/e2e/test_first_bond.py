"""An operator makes a bond over the API with plain HTTP Basic, and packets cross it both ways."""

import base64
import json
import subprocess

import pytest

from openbond.lab.layout import INTERNET, LINES, SITE
from openbond.lab.waiting import wait_until

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]


def curl(site: Site, *words: str) -> str:
    """Ask the server from the machine's own loopback, as a newcomer would."""
    directory = site.lab.directory
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "10", "--cacert", str(directory.ca_file), *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def basic(site: Site) -> str:
    password = site.lab.directory.password
    return f"{site.lab.record.email}:{password}"


def test_the_api_answers_on_loopback_with_plain_basic_credentials(site: Site) -> None:
    bond_url = f"{site.lab.record.url}/api/v3/bonds/{site.bond_id}/"

    body = curl(site, "-u", basic(site), bond_url)

    bond = json.loads(body)
    assert "\n" not in body
    assert bond["url"] == bond_url
    assert bond["status"] == "up"
    assert [leg["type"] for leg in bond["leg_list"]] == ["static", "dhcp", "static"]
    assert [leg["state"] for leg in bond["leg_list"]] == ["up", "up", "up"]
    assert [one["network"] for one in bond["connectedips"]] == [SITE.network]


def test_without_credentials_nothing_is_shown(site: Site) -> None:
    wrong = base64.b64encode(b"admin@openbond.example:wrong").decode()
    url = f"{site.lab.record.url}/api/v3/bonds/"

    code = ["-o", "/dev/null", "-w", "%{http_code}"]
    nobody = curl(site, *code, url)
    liar = curl(site, *code, "-H", f"Authorization: Basic {wrong}", url)

    assert (nobody, liar) == ("401", "401")


def test_packets_cross_the_bond_both_ways(site: Site) -> None:
    assert " 0% packet loss" in site.customer.run(["ping", "-q", "-c", "5", "-i", "0.1", INTERNET])
    assert " 0% packet loss" in site.internet.run(
        ["ping", "-q", "-c", "5", "-i", "0.1", SITE.customer_ip]
    )


def test_the_legs_show_the_addresses_they_have(site: Site) -> None:
    shown = {leg.interface: leg.ip for leg in site.bond().leg_list}

    assert shown == {line.interface: line.ip for line in LINES}


def test_the_nodes_read_up(site: Site) -> None:
    nodes = site.api.get("/api/v3/nodes/", list[dict[str, object]])

    assert {node["status"] for node in nodes} == {"up"}


def test_a_connected_ip_is_reachable_while_it_is_enabled_and_not_else(site: Site) -> None:
    url = site.bond().connectedips[0].url
    site.api.patch(url, {"enabled": False}, dict[str, object])
    gone = wait_until(lambda: not site.can_ping(), what="the network is withdrawn", patience=8)

    site.api.patch(url, {"enabled": True}, dict[str, object])
    back = wait_until(site.can_ping, what="the network is back", patience=8)

    assert gone <= 7
    assert back <= 7

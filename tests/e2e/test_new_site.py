"""A customer's branch is brought into service through the pages of the site alone.

The browser runs on a host of the lab, so what the pages show is true there: the provisioning
commands are typed at the machines as they stand on the page.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from playwright.sync_api import expect

from openbond.lab.api import ApiClient
from openbond.lab.layout import INTERNET
from openbond.lab.life import Lab
from openbond.lab.waiting import wait_until
from tests.browser.forms import fill_and_make, make
from tests.browser.visitor import Visitor
from tests.chromium import find_chromium, open_chromium

from . import branch
from .branch import BRANCH_LINES
from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab"), pytest.mark.timeout(1200)]

PLACE = "Branch network"
PATIENCE_MS = 180_000  # three legs at both ends, on a busy machine


class ObjectView(Struct, frozen=True):
    id: int
    url: str


@pytest.fixture
def operator(site: Site, tmp_path: Path) -> Iterator[Visitor]:
    """The administrator at a browser on the lab's internet, signed in."""
    inside = tmp_path / "chromium"
    words = site.lab.host("internet").argv([find_chromium()])
    inside.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
    inside.chmod(0o700)
    with open_chromium(inside) as browser:
        visitor = Visitor(browser, branch.URL)
        visitor.go("/")
        password = site.lab.directory.password
        visitor.sign_in(site.lab.record.email, password)
        yield visitor
        visitor.close()


@pytest.fixture
def machines(site: Site) -> Iterator[Lab]:
    """The machines of the branch; what the pages made for them is deleted afterwards."""
    branch.build(site.lab)
    try:
        yield site.lab
    finally:
        branch.remove(site.lab)
        forget(site.api)


def forget(api: ApiClient) -> None:
    for space in api.get("/api/v3/spaces/?key=branch", list[ObjectView]):
        for kind in ("bonds", "aggregators", "ipallocations", "routinggroups"):
            for row in api.get(f"/api/v3/{kind}/?space={space.id}", list[ObjectView]):
                api.delete(row.url)
        api.delete(space.url)


def test_a_branch_is_brought_into_service_through_the_pages_alone(
    operator: Visitor, machines: Lab, site: Site
) -> None:
    space_for_the_branch(operator)
    aggregator_for_the_branch(operator)
    branch.provision(machines, branch.AGGREGATOR, provisioning_command(operator))
    bond_with_three_legs_and_an_address(operator)
    branch.provision(machines, branch.BONDER, provisioning_command(operator))

    # The page has been open since the bonder was unknown; it changes by itself.
    rows = operator.page.locator("table.bond-legs tbody tr")
    for line in BRANCH_LINES:
        for end in ("Bonder says", "Aggregator says"):
            cell = rows.filter(has_text=line.interface).locator(f"td[data-label='{end}']")
            expect(cell).to_have_text("up", timeout=PATIENCE_MS)
    expect(operator.page.locator("#live")).to_contain_text("3 of 3 active legs carry traffic.")
    machines.host(branch.BONDER).ip("route", "flush", "default", "table", "main")

    wait_until_answered(site, branch.CUSTOMER, INTERNET)
    wait_until_answered(site, "internet", branch.CUSTOMER_IP)
    assert operator.complaints == []


def space_for_the_branch(operator: Visitor) -> None:
    """Make a space below the operator's own, and look at the site from there."""
    make(operator, "/spaces/new/", name="Branch", key="branch", parent="Root")
    operator.go("/switch-space/")
    operator.page.get_by_role("button", name="Branch").click()
    expect(operator.page.get_by_title("Switch to another space")).to_contain_text("Branch")


def aggregator_for_the_branch(operator: Visitor) -> None:
    """Make it in a place of its own in the network, and end on its page."""
    make(operator, "/routinggroups/new/", name=PLACE)
    where = {"ip": branch.AGGREGATOR_IP, "routing_group": PLACE}
    make(operator, "/aggregators/new/", name=branch.AGGREGATOR, **where)


def bond_with_three_legs_and_an_address(operator: Visitor) -> None:
    """End on the page of the bond, which nobody has heard of yet."""
    allocation = make(operator, "/ipallocations/new/", network=branch.NETWORK)
    valid = f"/ipallocations/{allocation}/assigned_routing_groups/new/"
    make(operator, valid, routing_group=PLACE)
    bond = make(operator, "/bonds/new/", name="branch-office", aggregator=branch.AGGREGATOR)
    for line in BRANCH_LINES:
        operator.go(f"/bonds/{bond}/")
        operator.page.locator("#new-static_legs").click()
        where = {"ip": line.ip, "netmask": "30", "gateway": line.gateway}
        speeds = {"down_speed": line.mbps, "up_speed": line.mbps}
        fill_and_make(operator, interface=line.interface, **where, **speeds)
    address = {"interface": "eth0", "ip": f"{branch.BONDER_IP}/28"}
    make(operator, f"/bonds/{bond}/connected_ips/new/", **address)
    operator.go(f"/bonds/{bond}/")
    expect(operator.page.locator("#live")).to_contain_text("Its bonder has never connected")


def provisioning_command(operator: Visitor) -> str:
    """Return what the page that is open says to type at the node's machine."""
    operator.press("Key and command")
    return operator.page.locator("#node-command").inner_text()


def wait_until_answered(site: Site, host: str, ip: str) -> None:
    wait_until(
        lambda: site.answers(site.lab.host(host), ip), what=f"{ip} answers {host}", patience=60
    )

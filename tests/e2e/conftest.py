"""One lab for all end-to-end tests: real server, agents and tunnels, built once, ended surely."""

import os
from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser

from openbond.lab import life
from openbond.lab.api import ApiClient
from openbond.lab.forwarder import listen_on_loopback
from openbond.lab.layout import LINES, NODES
from openbond.lab.life import Lab
from openbond.lab.netns import namespaces_of
from openbond.lab.waiting import wait_until
from tests.browser.visitor import Visitor

from .site import Site

# A tuning with the tests of the method takes ten minutes; see test_tuners.py.
SHORT_TUNINGS = (
    "idle_seconds=1,unlimited_seconds=2,unlimited_times=1,steady_seconds=4,"
    "sweep_seconds=3,sweep_from=95,sweep_to=100,latency_seconds=2,lost_seconds=10"
)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.environ.setdefault("OPENBOND_TUNER_NUMBERS", SHORT_TUNINGS)
    name = f"e2e{os.getpid()}"
    built = life.begin(name, print)
    try:
        record = life.build(built, listen_on_loopback(), print)
        # These tests drop each leg more often than four times in five minutes, which would
        # rightly read `unhealthy` (behaviour 3.5); here only the drops themselves matter.
        with built.api() as client:
            client.patch(f"/api/v3/bonds/{record.bond_id}/", {"flap_threshold": 100}, msgspec.Raw)
        yield built
    finally:
        built.end()
        assert namespaces_of(built.directory.prefix) == []
        assert not built.directory.path.exists()


@pytest.fixture(scope="session")
def api(lab: Lab) -> Iterator[ApiClient]:
    with lab.api() as client:
        yield client


@pytest.fixture
def site(lab: Lab, api: ApiClient) -> Site:
    """The bond of the lab, whole: lines as at first, every program running and in
    contact with the server, all legs up.
    """
    for line in LINES:
        lab.topology.reset(line)
    if lab.programs.find("server") is None:
        lab.start_server()
    for name in NODES:
        if lab.programs.find(f"supervisor-{name}") is None:
            lab.start_node(name)
    site = Site(lab, api)
    wait_until(site.server_answers, what="the server answers", patience=20)
    site.put_back()
    site.wait_until_nodes_listen()
    site.wait_until_whole()
    return site


@pytest.fixture
def operator(browser: Browser, site: Site) -> Iterator[Visitor]:
    """The lab's administrator, signed in, before the page of the bond."""
    record = site.lab.record
    visitor = Visitor(browser, record.url)
    visitor.go(f"/bonds/{site.bond_id}/")
    visitor.sign_in(record.email, site.lab.directory.password)
    yield visitor
    visitor.close()

"""Sites of a space reach each other on private addresses; another space stays apart (items 40, 41).

customer ── bonder ─┐            ┌─ agg1
customer2 ─ bonder2 ┼── core ────┤
customer3 ─ bonder3 ┘            └─ agg2      the third one is of another space, and has the
                                              addresses of the second
"""

from collections.abc import Iterator

import msgspec
import pytest

from openbond.lab import power
from openbond.lab.api import BondView
from openbond.lab.failover import aggregators, watch_aggregators
from openbond.lab.layout import AGGREGATORS, INTERNET
from openbond.lab.life import Lab
from openbond.lab.sites import OTHER_SPACE, SECOND, THIRD, add_site, set_private_wan
from openbond.lab.waiting import wait_until

from .site import Site, all_applied

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab"), pytest.mark.timeout(300)]

FIRST_AGGREGATOR, SECOND_AGGREGATOR = (one.host for one in AGGREGATORS)
SPACES = ("", OTHER_SPACE)
AWAY = "Away"


class PrivateWan:
    """Three sites, and who reaches whom."""

    def __init__(self, site: Site, second: int, third: int) -> None:
        self.site = site
        self.api = site.api
        self.second, self.third = second, third

    def reaches_second(self) -> bool:
        return self.reaches(SECOND.customer_ip)

    def reaches(self, ip: str) -> bool:
        return self.site.answers(self.site.customer, ip)

    def mbps_to_second(self) -> float:
        """Return what one TCP connection carries to the second site, where it arrives."""
        lab = self.site.lab
        server = lab.host(SECOND.customer).argv(["iperf3", "--server", "--one-off"])
        lab.programs.start("iperf-second", server)
        self.wait("iperf3 listens", lambda: self.site.is_listening(SECOND.customer, 5201))
        argv = ["iperf3", "--json", "--time", "2", "--client", SECOND.customer_ip]
        end = msgspec.json.decode(self.site.customer.run(argv))["end"]
        return float(end["sum_received"]["bits_per_second"]) / 1e6

    def echoes_at(self, host: str) -> int:
        """Return how many echo requests a host got."""
        counts = self.site.lab.host(host).run(["nstat", "-asz", "IcmpInEchos"])
        return int(counts.split("IcmpInEchos")[1].split()[0])

    def put_on(self, bond_id: int, host: str) -> None:
        """Let a bond have this primary aggregator, and wait until it serves there."""
        url = aggregators(self.api)[host].url
        bond = self.api.patch(
            f"/api/v3/bonds/{bond_id}/",
            {"aggregator": url, "secondary_aggregator": self._other(host)},
            BondView,
        )
        assert bond.current_aggregator == url

    def _other(self, host: str) -> str:
        other = SECOND_AGGREGATOR if host == FIRST_AGGREGATOR else FIRST_AGGREGATOR
        return aggregators(self.api)[other].url

    def wait(self, what: str, condition: object, patience: float = 30) -> float:
        assert callable(condition)
        return wait_until(condition, what=what, patience=patience, pause=0.1)

    def are_checked(self) -> bool:
        checks = self.api.get("/api/v3/system/status/aggfailover/", ChecksView).aggregators
        return len(checks) == len(AGGREGATORS) and all(one.success > 0 for one in checks)

    def settle(self) -> None:
        self.wait("no config is on its way", lambda: all_applied(self.site.config_updates()))


@pytest.fixture(scope="module")
def more(lab: Lab) -> Iterator[tuple[int, int]]:
    bonds = add_site(lab, SECOND), add_site(lab, THIRD)
    with lab.api() as client:
        # Moved more often than in a life, which would rightly read `unhealthy` (behaviour 3.5).
        client.patch(f"/api/v3/bonds/{bonds[0]}/", {"flap_threshold": 100}, msgspec.Raw)
    yield bonds
    with lab.api() as client:
        for bond_id, site in zip(bonds, (SECOND, THIRD), strict=True):
            client.delete(f"/api/v3/bonds/{bond_id}/")
            lab.programs.end(f"supervisor-{site.bonder}")
            for host in (site.bonder, site.customer):
                lab.host(host).remove()


@pytest.fixture
def wan(site: Site, more: tuple[int, int]) -> Iterator[PrivateWan]:
    for key in SPACES:
        set_private_wan(site.api, key, on=True)
    made = PrivateWan(site, *more)
    made.settle()
    try:
        yield made
    finally:
        for key in SPACES:
            set_private_wan(site.api, key, on=False)
        made.settle()


def test_sites_of_a_space_reach_each_other_wherever_their_bonds_are(wan: PrivateWan) -> None:
    before = wan.echoes_at(THIRD.customer)

    wan.wait("on one aggregator", wan.reaches_second)
    # What takes part reaches nothing else, and the core knows nothing of it.
    assert not wan.reaches(INTERNET)
    assert "10.20." not in wan.site.lab.host("core").ip("route", "show")

    wan.put_on(wan.second, SECOND_AGGREGATOR)
    wan.settle()
    wan.wait("on two aggregators", wan.reaches_second)
    assert trunk_is_encrypted(wan)
    assert wan.mbps_to_second() > 5

    # Private networks need no allocation, so an aggregator may change its routing group.
    group = wan.api.post("/api/v3/routinggroups/", {"name": AWAY}, GroupView)
    node = aggregators(wan.api)[SECOND_AGGREGATOR]
    home = wan.api.get(node.url, GroupedView).routing_group
    wan.api.patch(node.url, {"routing_group": group.url}, msgspec.Raw)
    try:
        wan.wait("across routing groups", wan.reaches_second)
    finally:
        wan.api.patch(node.url, {"routing_group": home}, msgspec.Raw)
        wan.api.delete(group.url)
        wan.put_on(wan.second, FIRST_AGGREGATOR)
        wan.settle()
    assert wan.echoes_at(SECOND.customer) >= 3
    assert wan.echoes_at(THIRD.customer) == before


class CheckedView(msgspec.Struct, frozen=True):
    success: int


class ChecksView(msgspec.Struct, frozen=True):
    aggregators: list[CheckedView]


class GroupView(msgspec.Struct, frozen=True):
    url: str


class GroupedView(msgspec.Struct, frozen=True):
    routing_group: str


def trunk_is_encrypted(wan: PrivateWan) -> bool:
    """The VXLAN of the space goes by the trunk's device, which only our daemon empties."""
    routes = wan.site.lab.host(FIRST_AGGREGATOR).ip("route", "get", "255.254.0.2")
    return bool(wan.site.pids(FIRST_AGGREGATOR, "openbond.node.tunnel_daemon")) and "tun4" in routes


def test_what_is_not_included_goes_straight_to_the_core(wan: PrivateWan) -> None:
    wan.wait("the sites are joined", wan.reaches_second)
    (row,) = wan.site.bond().connectedips

    wan.api.patch(row.url, {"include_private_wan": False}, msgspec.Raw)
    try:
        wan.wait("it reaches the internet", lambda: wan.reaches(INTERNET))
        assert not wan.reaches_second()
    finally:
        wan.api.patch(row.url, {"include_private_wan": True}, msgspec.Raw)
    wan.wait("the sites are joined again", wan.reaches_second, 30)


def test_a_bond_moved_by_failover_keeps_its_private_wan(wan: PrivateWan) -> None:
    lab = wan.site.lab
    wan.put_on(wan.second, SECOND_AGGREGATOR)
    wan.settle()
    wan.wait("the sites are joined", wan.reaches_second)
    watch_aggregators(lab)
    wan.wait("both are checked", wan.are_checked)
    try:
        power.cut_power(lab, SECOND_AGGREGATOR)
        wan.wait("the tunnel is up again", lambda: serves_on_first(wan), 40)
        wan.wait("the sites are joined within 5 s", wan.reaches_second, 5)
    finally:
        power.boot(lab, SECOND_AGGREGATOR)
        watch_aggregators(lab, on=False)
        wan.put_on(wan.second, FIRST_AGGREGATOR)
        wan.settle()


def serves_on_first(wan: PrivateWan) -> bool:
    bond = wan.api.bond(wan.second)
    here = bond.current_aggregator == aggregators(wan.api)[FIRST_AGGREGATOR].url
    return here and all(leg.state == "up" for leg in bond.leg_list)

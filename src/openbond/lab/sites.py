"""More sites in a lab that is up: a bonder on one line straight to the core, and a customer.

customer2 ── bonder2 ── core        in the space of the first site
customer3 ── bonder3 ── core        in a space of its own, with the addresses of the second
"""

from dataclasses import dataclass

import msgspec
from msgspec import Struct

from . import fleet
from .api import ApiClient, BondView
from .errors import LabError
from .failover import aggregators
from .layout import AGGREGATORS
from .life import BOND_PATIENCE, Lab
from .netns import add_cable

MBPS = 50
OTHER_SPACE = "other"
SITES_MOST = 3


@dataclass(frozen=True, slots=True)
class MoreSite:
    """A further site, by its number from 2 on."""

    number: int
    network: str
    space: str  # its key; "" is the first site's

    @property
    def bonder(self) -> str:
        return f"bonder{self.number}"

    @property
    def customer(self) -> str:
        return f"customer{self.number}"

    def host_address(self, number: int) -> str:
        return self.network.rpartition(".")[0] + f".{number}"

    @property
    def customer_ip(self) -> str:
        return self.host_address(2)

    @property
    def line(self) -> tuple[str, str]:
        """Return the addresses of the line: the core's and the bonder's."""
        first = 120 + 4 * self.number
        return f"192.0.2.{first + 1}", f"192.0.2.{first + 2}"


SECOND = MoreSite(2, "10.20.2.0/24", "")
THIRD = MoreSite(3, "10.20.2.0/24", OTHER_SPACE)
MORE_SITES = (SECOND, THIRD)


class SpaceView(Struct, frozen=True):
    id: int
    url: str
    key: str
    private_wan_enabled: bool


def add_site(lab: Lab, site: MoreSite) -> int:
    """Build a further site, and return its bond's id once its leg is up. Raises LabError."""
    _build(lab, site)
    with lab.api() as api:
        bond = _create_bond(api, site)
        fleet.enrol(lab.directory, lab.host(site.bonder), site.bonder, bond.bonder.key)
        lab.start_node(site.bonder)
        fleet.wait_for_bond(api, bond.id, patience=BOND_PATIENCE)
    lab.host(site.bonder).ip("route", "flush", "default", "table", "main")
    return bond.id


def set_private_wan(api: ApiClient, key: str, *, on: bool) -> None:
    """Switch the private WAN of a space; "" is the space of the first site."""
    api.patch(_space(api, key).url, {"private_wan_enabled": on}, msgspec.Raw)


def _build(lab: Lab, site: MoreSite) -> None:
    topology, core = lab.topology, lab.topology.host("core")
    bonder, customer = topology.host(site.bonder), topology.host(site.customer)
    for host in (bonder, customer):
        host.create()
    core_ip, own_ip = site.line
    add_cable(bonder, "eth1", core, f"site{site.number}")
    core.add_address(f"site{site.number}", f"{core_ip}/30")
    bonder.add_address("eth1", f"{own_ip}/30")
    bonder.add_route("default", via=core_ip)
    add_cable(customer, "eth0", bonder, "eth0")
    customer.add_address("eth0", f"{site.customer_ip}/24")
    customer.add_route("default", via=site.host_address(1))


def _create_bond(api: ApiClient, site: MoreSite) -> BondView:
    nodes = aggregators(api)
    core_ip, own_ip = site.line
    bond = api.post(
        "/api/v3/bonds/",
        {
            "name": f"site-{site.number}",
            "aggregator": nodes[AGGREGATORS[0].host].url,
            "secondary_aggregator": nodes[AGGREGATORS[1].host].url,
            "tunnel_security": "encryption",
            "space": _space(api, site.space).url,
        },
        BondView,
    )
    leg = {"interface": "eth1", "down_speed": MBPS, "up_speed": MBPS}
    where = {"ip": own_ip, "netmask": "30", "gateway": core_ip}
    api.post(f"/api/v3/bonds/{bond.id}/static_legs/", {**leg, **where}, msgspec.Raw)
    connected = {"interface": "eth0", "ip": f"{site.host_address(1)}/24"}
    api.post(f"/api/v3/bonds/{bond.id}/connected_ips/", connected, msgspec.Raw)
    return bond


def _space(api: ApiClient, key: str) -> SpaceView:
    spaces = api.get("/api/v3/spaces/", list[SpaceView])
    for space in spaces:
        if key in ("", space.key):
            return space
    root = spaces[0]
    fields = {"name": key, "key": key, "parent": root.url, "use_parent_aggregators": True}
    return api.post("/api/v3/spaces/", fields, SpaceView)


def check_count(sites: int) -> None:
    """Raise LabError for a number of sites that no lab has."""
    if not 1 <= sites <= SITES_MOST:
        raise LabError(f"--sites is from 1 to {SITES_MOST}, not {sites}")

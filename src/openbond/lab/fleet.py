"""Create the operator's objects through the API and bring the nodes into service."""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from .api import ApiClient, BondView, ConnectedIpView, LegView, NodeView
from .errors import LabError
from .layout import AGGREGATORS, LINES, SERVER, SERVER_PORT, SITE, AccessLine, Addressing
from .netns import Namespace
from .programs import OPENBOND, Programs
from .registry import LabDirectory
from .waiting import wait_until

Fields: TypeAlias = Mapping[str, object]
ENROL_PATIENCE = 60.0


class Created(Struct, frozen=True, kw_only=True):
    """The keys of the nodes that were created, and the bond."""

    keys: dict[str, str]
    bond_id: int


def create_fleet(api: ApiClient) -> Created:
    """Create two aggregators, and a bond with three legs and a connected IP.

    Raises ApiRefused.
    """
    nodes = {one.host: _create_aggregator(api, one.host, one.ip) for one in AGGREGATORS}
    first, second = (nodes[one.host].url for one in AGGREGATORS)
    bond = api.post(
        "/api/v3/bonds/",
        {
            "name": "site-1",
            "aggregator": first,
            "secondary_aggregator": second,
            "tunnel_security": "encryption",
            "note": "made by openbond lab",
        },
        BondView,
    )
    for line in LINES:
        create_leg(api, bond.id, line)
    create_connected_ip(api, bond.id)
    keys = {host: node.key for host, node in nodes.items()}
    return Created(keys={**keys, "bonder": bond.bonder.key}, bond_id=bond.id)


def create_leg(api: ApiClient, bond_id: int, line: AccessLine) -> LegView:
    """Create the leg that uses a line, with the line's speed in both directions."""
    kind = "dhcp" if line.addressing is Addressing.DHCP else "static"
    return api.post(f"/api/v3/bonds/{bond_id}/{kind}_legs/", leg_fields(line), LegView)


def leg_fields(line: AccessLine) -> Fields:
    """Return what the API is told about the leg on a line."""
    fields = {
        "interface": line.interface,
        "down_speed": line.mbps,
        "up_speed": line.mbps,
        "note": line.word,
    }
    if line.addressing is Addressing.DHCP:
        return fields
    return {**fields, "ip": line.ip, "netmask": str(line.prefix), "gateway": line.gateway}


def create_connected_ip(api: ApiClient, bond_id: int) -> ConnectedIpView:
    """Create the customer's network at the bonder."""
    fields = {
        "interface": SITE.interface,
        "ip": f"{SITE.bonder_ip}/{SITE.prefix}",
        "agg_routing": "always",
    }
    return api.post(f"/api/v3/bonds/{bond_id}/connected_ips/", fields, ConnectedIpView)


def enrol(directory: LabDirectory, host: Namespace, name: str, key: str) -> None:
    """Make a namespace the node that `key` stands for. Raises LabError with the node's words."""
    root = directory.node_root(name)
    root.mkdir(exist_ok=True)
    where = ["--server", f"{SERVER}:{SERVER_PORT}", "--ca", str(directory.ca_file)]
    argv = [*OPENBOND, "node", "enroll", *where, "--key", key, "--root", str(root)]
    host.run(argv, patience=ENROL_PATIENCE)


def start_node(programs: Programs, directory: LabDirectory, host: Namespace, name: str) -> None:
    """Boot a node: its supervisor keeps agent, tunnel daemons and DHCP clients running."""
    argv = [*OPENBOND, "node", "supervisor", "--root", str(directory.node_root(name))]
    programs.start(f"supervisor-{name}", host.argv(argv))


def wait_for_bond(api: ApiClient, bond_id: int, *, patience: float) -> BondView:
    """Return the bond once all its legs read `up`. Raises LabError that names those that do not."""
    seen: list[BondView] = []

    def is_up() -> bool:
        seen[:] = [api.bond(bond_id)]
        return all(leg.state == "up" for leg in seen[0].leg_list)

    try:
        wait_until(is_up, what="all legs are up", patience=patience, pause=0.25)
    except LabError as late:
        states = ", ".join(f"{leg.interface} {leg.state}" for leg in seen[0].leg_list)
        raise LabError(f"the legs are not up after {patience:g} s: {states}") from late
    return seen[0]


def _create_aggregator(api: ApiClient, name: str, ip: str) -> NodeView:
    return api.post("/api/v3/aggregators/", {"name": name, "ip": ip}, NodeView)

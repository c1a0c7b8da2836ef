"""Permission by construction: every row, method and asker, generated from the URI table.

Somebody of another space, with every permission, sees nothing; somebody of the right space without
any permission is refused. What may be open to all is listed here, so that it is on purpose.
"""

import re
from ipaddress import IPv4Network
from typing import Any

import pytest

from openbond.server.bonds.services import (
    create_connected_ip,
    create_cpe_nat_ip,
    create_leg,
    create_mobile_provider_profile,
    create_route,
)
from openbond.server.fleet.services import create_aggregator, create_routing_group
from openbond.server.ipam.services import (
    assign_routing_group,
    create_allocation,
    create_delegation,
)
from openbond.server.measurement.services import create_speed_test, create_tuning
from openbond.server.qos.rules import ClassSpec
from openbond.server.qos.services import create_qos_profile
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType
from tests.contract.uri_table import METHODS, Row, rows
from tests.world import World

NETWORK, PART = IPv4Network("192.0.2.0/24"), IPv4Network("192.0.2.128/25")

# Open to every authenticated user by the contract: indexes, reference lists, oneself.
OPEN = {
    "/api/v3/",
    "/api/v3/permissions/",
    "/api/v3/system/",
    "/api/v3/system/status/",
    "/api/v3/system/tasks/",
    "/api/v3/system/timezones/",
    "/api/v3/self/",
}


def objects_of_acme(world: World) -> dict[str, int]:
    """Make one of each thing in Acme; return the id to put for each kind of path."""
    bond = world.bond
    group = create_routing_group(by=SERVER, name="Toronto", space=world.acme)
    aggregator = create_aggregator(
        by=SERVER, name="own", ip="203.0.113.7", space=world.acme, routing_group=group
    )
    allocation = create_allocation(by=SERVER, space=world.acme, network=NETWORK)
    assign_routing_group(by=SERVER, allocation=allocation, routing_group=group)
    of_root = create_allocation(by=SERVER, space=world.root, network=IPv4Network("203.0.113.0/24"))
    assign_routing_group(by=SERVER, allocation=of_root, routing_group=world.group)
    held = create_delegation(
        by=SERVER, parent=of_root, space=world.acme, network=IPv4Network("203.0.113.0/25")
    )
    lan = create_connected_ip(by=SERVER, bond=bond, interface="eth0", ip="192.168.10.1", prefix=24)
    profile = create_mobile_provider_profile(
        by=SERVER, space=world.acme, name="Example", apn="a.example"
    )
    mobile = create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.MOBILEBROADBAND,
        down_kbps=1000,
        up_kbps=1000,
        provider_profile=profile,
    )
    qos = create_qos_profile(
        by=SERVER,
        name="Own",
        space=world.acme,
        classes=[ClassSpec(name="All", bandwidth=100, is_default=True)],
    )
    test = create_speed_test(by=SERVER, bond=bond)
    nat = create_cpe_nat_ip(by=SERVER, bond=bond, ip="203.0.113.9", dest_nat_ip="192.168.10.2")
    route = create_route(by=SERVER, bond=bond, network="192.168.20.0/24", gateway="192.168.10.254")
    tuning = create_tuning(by=SERVER, bond=bond)
    return {
        "nodes": aggregator.pk,
        "aggregators": aggregator.pk,
        "bonders": world.bonder.pk,
        "qos": qos.pk,
        "bonds": bond.pk,
        "legs": world.dhcp_leg.pk,
        "dhcp_legs": world.dhcp_leg.pk,
        "static_legs": world.static_leg.pk,
        "pppoe_legs": world.pppoe_leg.pk,
        "mobilebroadband_legs": mobile.pk,
        "connected_ips": lan.pk,
        "cpe_nat_ips": nat.pk,
        "routes": route.pk,
        "speedtests": test.pk,
        "tuners": tuning.pk,
        "ipallocations": allocation.pk,
        "assigned_routing_groups": group.pk,
        "mobileproviderprofiles": profile.pk,
        "users": world.user("ana").pk,
        "spaces": world.acme.pk,
        "ip_allocations": allocation.pk,
        "delegated_ip_allocations": held.pk,
        "routinggroups": group.pk,
    }


def path_in_acme(row: Row, ids: dict[str, int]) -> str:
    """Put Acme's ids for X, Y and Z, each by the word before it."""
    return re.sub(r"(\w+)/[XYZ]/", lambda found: f"{found[1]}/{ids[found[1]]}/", row.uri)


def has_object_of_a_space(row: Row) -> bool:
    return "/X/" in row.uri and not row.uri.startswith("/api/v3/groups/")


def send(client: Any, method: str, path: str) -> Any:
    return client.generic(method, path, "{}", content_type="application/json")


def test_what_another_space_has_does_not_exist(world: World) -> None:
    ids = objects_of_acme(world)
    gil, walked = world.client("gil"), 0

    for row in filter(has_object_of_a_space, rows()):
        path = path_in_acme(row, ids)
        for method in [*sorted(row.methods), "OPTIONS"]:
            response = send(gil, method, path)
            assert response.status_code == 404, (method, path, response.content)
            assert response.json() == {"detail": "Not found.", "code": "not_found"}
            walked += 1

    assert walked > 200


def test_a_child_space_does_not_see_its_parent_s(world: World) -> None:
    ids = objects_of_acme(world)
    eve = world.client("eve")
    shared = ("nodes", "aggregators", "qos", "mobileproviderprofiles", "routinggroups")

    for row in filter(has_object_of_a_space, rows()):
        path = path_in_acme(row, ids)
        is_shared = row.uri.split("/")[3] in shared
        for method in sorted(row.methods):
            status = send(eve, method, path).status_code
            if not is_shared:
                assert status == 404, (method, path)
            elif method != "GET":
                assert status == 403, (method, path)


def test_its_own_space_and_those_above_do_see_them(world: World) -> None:
    ids = objects_of_acme(world)

    for row in filter(has_object_of_a_space, rows()):
        if "GET" not in row.methods:
            continue
        path = path_in_acme(row, ids)
        # The tuning of the world is the bond's; below a leg it does not exist.
        if re.search(r"/legs/\d+/tuners/\d+/", path):
            continue
        for name in ("ana", "admin"):
            assert world.client(name).get(path).status_code == 200, (name, path)


def test_without_a_permission_nothing_is_done(world: World) -> None:
    ids = objects_of_acme(world)
    world.restrict("ana")
    ana = world.client("ana")

    for row in rows():
        if row.uri in OPEN:
            assert send(ana, "GET", row.uri).status_code == 200
            continue
        path = path_in_acme(row, ids | {"groups": 1})
        for method in sorted(row.methods):
            response = send(ana, method, path)
            assert response.status_code == 403, (method, path, response.content)


def test_lists_hold_nothing_of_another_space(world: World) -> None:
    ids = objects_of_acme(world)
    gil = world.client("gil")
    own = {f"/{word}/{number}/" for word, number in ids.items()}

    for row in rows():
        if "GET" in row.methods and "/X/" not in row.uri and "zip" not in row.uri:
            body = gil.get(row.uri).content.decode() if "backup" not in row.uri else ""
            for path in own - {f"/users/{ids['users']}/"}:
                assert f"/api/v3{path}" not in body, (row.uri, path)


@pytest.mark.parametrize(
    ("path", "field", "kind"),
    [
        ("bonds/", "aggregator", "aggregators"),
        ("bonds/", "secondary_aggregator", "aggregators"),
        ("bonds/", "qos_profile", "qos"),
        ("bonds/", "space", "spaces"),
        ("aggregators/", "routing_group", "routinggroups"),
        ("aggregators/", "space", "spaces"),
        ("routinggroups/", "space", "spaces"),
        ("mobileproviderprofiles/", "space", "spaces"),
        ("ipallocations/", "space", "spaces"),
        ("ipallocations/", "parent", "ipallocations"),
        ("users/", "space", "spaces"),
        ("spaces/", "parent", "spaces"),
        ("bonds/{bond}/mobilebroadband_legs/", "provider_profile", "mobileproviderprofiles"),
        ("bonds/{bond}/speedtests/", "leg", "legs"),
    ],
)
def test_a_relation_out_of_reach_is_the_same_as_none(
    path: str, field: str, kind: str, world: World
) -> None:
    ids = objects_of_acme(world)
    url = f"/api/v3/{path.format(bond=world.globex_bond.pk)}"
    gil = world.client("gil")

    for target in (ids[kind], 999_999_999):
        answer = gil.post(url, {field: target}, "application/json").json()
        assert answer[field] == ["Invalid hyperlink - Object does not exist."], target


def test_the_table_is_walked_whole() -> None:
    assert {method for row in rows() for method in row.methods} == set(METHODS)

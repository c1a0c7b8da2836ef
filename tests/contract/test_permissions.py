"""One code opens each row and method, and no other does (00-general.md, 10)."""

import logging
from collections.abc import Iterator, Set

import pytest
from django.db import transaction

from openbond.server.spaces.models import Group, GroupGrant
from openbond.server.spaces.permissions import ALL_CODES
from tests.contract.uri_table import METHODS
from tests.contract.walked import Walked, walked_rows
from tests.contract.wall import OPEN, Wall, build_wall
from tests.world import World

# The noun of a code, by the last word of the path that is not an id.
NOUNS = {
    "aggregators": "aggregator",
    "bonders": "bonder",
    "qos": "qosprofile",
    "bonds": "bond",
    "legs": "leg",
    "dhcp_legs": "leg",
    "static_legs": "leg",
    "pppoe_legs": "leg",
    "mobilebroadband_legs": "leg",
    "connected_ips": "connectedip",
    "cpe_nat_ips": "cpenatip",
    "routes": "route",
    "speedtests": "speedtest",
    "tuners": "tuner",
    "ipallocations": "ipallocation",
    "ip_allocations": "ipallocation",
    "delegated_ip_allocations": "ipallocation",
    "mobileproviderprofiles": "mobileproviderprofile",
    "users": "user",
    "groups": "group",
    "spaces": "space",
    "routinggroups": "routinggroup",
    "settings": "settings",
}
# Where the last word decides alone, whatever the method.
CODES = {
    "restart": "change_bond",
    "detect_leg_mtus": "change_leg",
    "restore_to_primary_agg": "change_bond",
    "detect_mtus": "change_leg",
    "renew": "change_leg",
    "cancel": "change_tuner",
    "accept": "change_tuner",
    "decline": "change_tuner",
    "state_history": "view_leg",
    "downtime_prevented": "view_bond",
    "backups": "view_backup",
    "latest-backup": "view_backup",
    "createisos": "run_systemtask",
    "mobilebroadbandproviderapns": "view_mobileproviderprofile",
}
VERBS = {"GET": "view", "POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


def codes_of(row: Walked, method: str) -> set[str]:
    """Return the codes that the contract asks for; of several, all of them."""
    words = [word for word in row.uri.strip("/").split("/") if word not in {"X", "Y", "Z"}]
    last, above = words[-1], words[-2]
    if last in CODES:
        return {CODES[last]}
    if above == "statistics" or last == "statistics":
        return {"view_space"}
    if "system" in words:
        return {"view_systemstatus"}
    if last == "assigned_routing_groups":
        return {"view_ipallocation" if method == "GET" else "change_ipallocation"}
    if last.startswith("bonds") and above in {"aggregators", "qos"}:
        return {f"view_{NOUNS[above]}", "view_bond"}
    if last == "nodes":
        return {"view_aggregator"}
    return {f"{VERBS[method]}_{NOUNS[last]}"}


GUARDED = [row for row in walked_rows() if row.uri not in OPEN]


@pytest.fixture
def wall(world: World) -> Iterator[Wall]:
    logging.disable(logging.CRITICAL)
    wall = build_wall(world)
    # Whoever holds a code that the caller lacks cannot be changed by him; this one holds none.
    wall.things.ids["users"] = world.user("nil").pk
    group = Group.objects.create(name="just these")
    world.user("admin").groups.set([group])
    yield wall
    logging.disable(logging.NOTSET)


def status(wall: Wall, row: Walked, method: str, codes: Set[str]) -> int:
    group = Group.objects.get(name="just these")
    with transaction.atomic():
        GroupGrant.objects.filter(group=group).delete()
        GroupGrant.objects.bulk_create(GroupGrant(group=group, code=code) for code in codes)
        response = wall.clients["root"].generic(
            method, wall.path(row), "{}", content_type="application/json"
        )
        transaction.set_rollback(True)
    return response.status_code


@pytest.mark.timeout(1800)
def test_the_code_of_a_row_and_method_is_enough(wall: Wall) -> None:
    refused = [
        (row.uri, method)
        for row in GUARDED
        for method in METHODS
        if method in row.methods and status(wall, row, method, codes_of(row, method)) in {401, 403}
    ]

    assert refused == []


@pytest.mark.timeout(1800)
def test_every_other_code_together_is_not(wall: Wall) -> None:
    let_in = [
        (row.uri, method)
        for row in GUARDED
        for method in METHODS
        if method in row.methods
        and status(wall, row, method, ALL_CODES - beside(row, codes_of(row, method))) != 403
    ]

    assert let_in == []


def beside(row: Walked, codes: set[str]) -> set[str]:
    """The codes any of which would do: two kinds of nodes, and the looks of a space."""
    if "/nodes/" in row.uri:
        return {"view_aggregator", "view_bonder"}
    return codes | ({"change_space_branding"} if codes == {"change_space"} else set())

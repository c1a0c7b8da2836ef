"""What a request names is deleted between its validation and its write, on both databases.

The answer is what it would have been a moment later: an error on the field, or 404 for what stands
in the path; never a fault of the server, and nothing is written.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pytest
from django.db.models import Model

from openbond.server.bonds.models import Bond, LegReport
from openbond.server.bonds.services import (
    create_connected_ip,
    create_mobile_provider_profile,
    delete_bond,
    delete_connected_ip,
    delete_leg,
    delete_mobile_provider_profile,
)
from openbond.server.fleet.services import (
    create_aggregator,
    create_routing_group,
    delete_aggregator,
    delete_routing_group,
)
from openbond.server.ipam.services import create_allocation, delete_allocation
from openbond.server.qos.rules import ClassSpec
from openbond.server.qos.services import create_qos_profile, delete_qos_profile
from openbond.server.spaces.services import create_group, create_space, delete_group, delete_space
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.server.bonds.routing_world import connect
from tests.server.threads import meanwhile
from tests.world import World, create_world

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "application/json"
ABSENT = ["Invalid hyperlink - Object does not exist."]


@pytest.fixture
def world(transactional_db: None) -> World:
    return create_world()


@dataclass(frozen=True)
class Gone:
    """A thing that is named in a request and deleted during it.

    `field` of the body names it (in a list if `is_list`); `table` is where validation finds it.
    """

    path: str
    field: str
    table: str
    make: Callable[[World], Model]
    delete: Callable[[Any], object]
    body: Callable[[World], dict[str, Any]] = lambda world: {}
    method: str = "POST"
    is_list: bool = False


def space(world: World) -> Model:
    return create_space(by=SERVER, name="T", key="t-9", parent=world.acme)


def group(world: World) -> Model:
    return create_group(by=SERVER, name="Short-lived")


def aggregator(world: World) -> Model:
    return create_aggregator(by=SERVER, name="a9", ip="198.51.100.9", space=world.root)


def routing_group(world: World) -> Model:
    return create_routing_group(by=SERVER, name="g9", space=world.root)


def allocation(world: World) -> Model:
    return create_allocation(by=SERVER, space=world.root, network=IPv4Network("198.18.0.0/24"))


def qos_profile(world: World) -> Model:
    only = ClassSpec(name="All", bandwidth=100, is_default=True)
    return create_qos_profile(by=SERVER, name="q9", space=world.root, classes=[only])


def mobile_profile(world: World) -> Model:
    return create_mobile_provider_profile(by=SERVER, name="m9", apn="a", space=world.acme)


def leg_that_is_up(world: World) -> Model:
    LegReport.objects.update(bonder_state="up", bonder_reported=world.now)
    return world.dhcp_leg


GONE = [
    Gone(
        "users/",
        "groups",
        "spaces_group",
        group,
        lambda row: delete_group(by=SERVER, group=row),
        lambda world: {"email": "new@example.net", "space": "acme"},
        is_list=True,
    ),
    Gone(
        "users/{eve}/",
        "groups",
        "spaces_group",
        group,
        lambda row: delete_group(by=SERVER, group=row),
        method="PATCH",
        is_list=True,
    ),
    Gone(
        "users/",
        "space",
        "spaces_space",
        space,
        lambda row: delete_space(by=SERVER, space=row),
        lambda world: {"email": "new@example.net"},
    ),
    Gone(
        "spaces/",
        "parent",
        "spaces_space",
        space,
        lambda row: delete_space(by=SERVER, space=row),
        lambda world: {"name": "N", "key": "n"},
    ),
    Gone(
        "mobileproviderprofiles/",
        "space",
        "spaces_space",
        space,
        lambda row: delete_space(by=SERVER, space=row),
        lambda world: {"name": "N", "apn": "n"},
    ),
    Gone(
        "bonds/",
        "aggregator",
        "fleet_aggregator",
        aggregator,
        lambda row: delete_aggregator(by=SERVER, aggregator=row),
    ),
    Gone(
        "bonds/{bond}/",
        "qos_profile",
        "qos_qosprofile",
        qos_profile,
        lambda row: delete_qos_profile(by=SERVER, profile=row),
        method="PATCH",
    ),
    Gone(
        "bonds/{bond}/mobilebroadband_legs/",
        "provider_profile",
        "bonds_mobileproviderprofile",
        mobile_profile,
        lambda row: delete_mobile_provider_profile(by=SERVER, profile=row),
        lambda world: {"down_speed": 1, "up_speed": 1},
    ),
    Gone(
        "bonds/{bond}/speedtests/",
        "leg",
        "bonds_leg",
        leg_that_is_up,
        lambda row: delete_leg(by=SERVER, leg=row),
    ),
    Gone(
        "aggregators/",
        "routing_group",
        "fleet_routinggroup",
        routing_group,
        lambda row: delete_routing_group(by=SERVER, group=row),
        lambda world: {"name": "a8", "ip": "198.51.100.8"},
    ),
    Gone(
        "ipallocations/",
        "parent",
        "ipam_ipallocation",
        allocation,
        lambda row: delete_allocation(by=SERVER, allocation=row),
        lambda world: {"network": "198.18.0.0/28", "space": "acme"},
    ),
]


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: f"{gone.path} {gone.field}")
def test_what_was_deleted_during_the_request_is_told_as_absent(gone: Gone, world: World) -> None:
    row = gone.make(world)
    ids = {"bond": world.bond.pk, "eve": world.user("eve").pk}
    sent = gone.body(world) | {gone.field: [row.pk] if gone.is_list else row.pk}

    with meanwhile(gone.table, lambda: gone.delete(row)) as was_deleted:
        response = world.client("admin").generic(
            gone.method, f"/api/v3/{gone.path.format(**ids)}", json.dumps(sent), content_type=JSON
        )

    assert was_deleted
    assert (response.status_code, response.json()) == (400, {gone.field: ABSENT})
    assert AuditEntry.objects.latest("id").action == "delete"


BELOW_A_BOND = [
    ("speedtests/", {}),
    ("tuners/", {}),
    ("legs/{leg}/tuners/", {}),
    ("connected_ips/", {"interface": "eth0", "ip": "10.0.0.1/24"}),
    ("routes/", {"network": "10.1.0.0/24", "gateway": "192.168.10.9"}),
    ("dhcp_legs/", {"interface": "eth9", "down_speed": 1, "up_speed": 1}),
]


@pytest.mark.parametrize(("path", "sent"), BELOW_A_BOND, ids=[path for path, _ in BELOW_A_BOND])
def test_below_a_bond_that_was_deleted_during_the_request_is_nothing(
    path: str, sent: dict[str, Any], world: World
) -> None:
    connect(world.bond, "192.168.10.1", 24)
    url = f"/api/v3/bonds/{world.bond.pk}/{path.format(leg=world.dhcp_leg.pk)}"

    with meanwhile("bonds_bond", lambda: delete_bond(by=SERVER, bond=world.bond)) as was_deleted:
        response = world.client("ana").post(url, sent, JSON)

    assert was_deleted
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert not Bond.objects.filter(pk=world.bond.pk).exists()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_an_object_that_was_deleted_during_the_request_is_not_there(
    method: str, world: World
) -> None:
    row = create_connected_ip(
        by=SERVER, bond=world.bond, interface="eth0", ip="192.168.10.1", prefix=24
    )
    url = f"/api/v3/bonds/{world.bond.pk}/connected_ips/{row.pk}/"
    sent = json.dumps({"interface": "eth0", "ip": "192.168.10.2/24"})

    with meanwhile(
        "bonds_connectedip", lambda: delete_connected_ip(by=SERVER, connected_ip=row)
    ) as was_deleted:
        response = world.client("ana").generic(method, url, sent, content_type=JSON)

    assert was_deleted
    assert (response.status_code, response.json()["code"]) == (404, "not_found")

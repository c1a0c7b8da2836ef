"""Requests at the same moment that want the same thing, through HTTP, on both databases."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pytest
from django_tasks_db.models import DBTaskResult

from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import create_bond
from openbond.server.fleet.models import ConfigUpdate
from openbond.server.ipam.models import IPAllocation, NetworkUse
from openbond.server.ipam.services import create_allocation, delete_allocation
from openbond.server.measurement.models import Tuning
from openbond.server.measurement.services import create_tuning
from openbond.server.system.actors import SERVER
from openbond.server.system.models import Settings
from tests.server.bonds.routing_world import connect, create_networks
from tests.server.threads import meanwhile, together
from tests.world import World, create_world

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "application/json"


@pytest.fixture
def world(transactional_db: None) -> World:
    return create_world()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Return the answers to requests sent at the same moment; none is a fault of the server."""
    answers = together(*calls)
    faults = [one for one in answers if isinstance(one, Exception)]
    assert faults == []
    assert all(answer.status_code < 500 for answer in answers), answers  # type: ignore[attr-defined]
    return answers


def post(world: World, path: str, **sent: Any) -> Callable[[], Any]:
    return lambda: world.client("admin").post(f"/api/v3/{path}", sent, JSON)


@pytest.mark.parametrize(
    ("path", "sent", "answer"),
    [
        (
            "users/",
            {"email": "New@example.net", "space": "acme"},
            {"email": ["Email must be unique."]},
        ),
        ("groups/", {"name": "New"}, {"name": ["Name must be unique."]}),
        (
            "spaces/",
            {"name": "N", "key": "n", "parent": "acme"},
            {"key": ["Key must be unique."]},
        ),
        (
            "mobileproviderprofiles/",
            {"name": "N", "apn": "n"},
            {"name": ["Name must be unique."]},
        ),
        ("routinggroups/", {"name": "N"}, {"name": ["Name must be unique."]}),
        (
            "ipallocations/",
            {"network": "198.18.0.0/24", "space": "root"},
            {"network": ["The network overlaps another allocation."]},
        ),
        (
            "bonds/{bond}/tuners/",
            {},
            {
                "detail": "A tuning of the bond is queued or running.",
                "code": "tuning_in_progress",
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_of_equal_requests_one_is_done_and_the_others_are_told_why(
    path: str, sent: dict[str, Any], answer: dict[str, Any], world: World
) -> None:
    answers = at_once(*[post(world, path.format(bond=world.bond.pk), **sent)] * 3)

    assert sorted(one.status_code for one in answers) == [201, 400, 400]
    assert [one.json() for one in answers if one.status_code == 400] == [answer] * 2


def test_isos_asked_for_at_once_are_built_once(world: World) -> None:
    answers = at_once(*[post(world, "system/tasks/createisos/")] * 4)

    assert {one.status_code for one in answers} == {202}
    assert len({one.json()["task_id"] for one in answers}) == 1
    assert DBTaskResult.objects.count() == 1


def test_a_tuning_is_decided_once(world: World) -> None:
    tuning = create_tuning(by=SERVER, bond=world.bond, leg=world.dhcp_leg)
    Tuning.objects.update(
        status="succeeded",
        recommendations={"down_kbps": 1000, "up_kbps": 1000},
        decision="pending",
    )
    Bond.objects.update(tuning_in_progress=False)
    ConfigUpdate.objects.all().delete()
    path = f"bonds/{world.bond.pk}/legs/{world.dhcp_leg.pk}/tuners/{tuning.pk}"

    answers = at_once(*[post(world, f"{path}/{word}/") for word in ("accept", "decline", "accept")])

    assert sorted(one.status_code for one in answers) == [200, 400, 400]
    assert {one.json()["code"] for one in answers if one.status_code == 400} == {"already_decided"}
    decision = Tuning.objects.get().decision
    assert [one.json()["decision"] for one in answers if one.status_code == 200] == [decision]
    assert ConfigUpdate.objects.count() == (2 if decision == "accepted" else 0)


def test_a_tuning_is_cancelled_once(world: World) -> None:
    tuning = create_tuning(by=SERVER, bond=world.bond)
    path = f"bonds/{world.bond.pk}/tuners/{tuning.pk}/cancel/"

    answers = at_once(*[post(world, path)] * 3)

    assert sorted(one.status_code for one in answers) == [200, 400, 400]
    assert {one.json()["code"] for one in answers if one.status_code == 400} == {"already_finished"}


def test_settings_that_only_fit_one_at_a_time_are_taken_one_at_a_time(world: World) -> None:
    def patch(**sent: int) -> Callable[[], Any]:
        return lambda: world.client("admin").patch("/api/v3/settings/", sent, JSON)

    answers = at_once(patch(failover_interval=8), patch(failover_receive_timeout=9))

    assert sorted(one.status_code for one in answers) == [200, 400]
    row = Settings.objects.get()
    assert row.failover_receive_timeout < row.failover_interval


def test_a_part_is_given_away_or_used_but_not_both(world: World) -> None:
    whole = create_allocation(by=SERVER, space=world.root, network=IPv4Network("198.18.0.0/24"))
    answers = at_once(
        *[
            post(world, f"ipallocations/{whole.pk}/assigned_routing_groups/", routing_group=group)
            for group in [world.group.pk] * 2
        ]
    )
    own = create_bond(by=SERVER, aggregator=world.home, space=world.root, name="of the root")

    rivals = at_once(
        post(world, f"bonds/{own.pk}/connected_ips/", interface="eth0", ip="198.18.0.1/28"),
        post(world, "spaces/acme/delegated_ip_allocations/", network="198.18.0.0/26"),
        post(world, "spaces/globex/delegated_ip_allocations/", network="198.18.0.0/25"),
    )

    assert sorted(one.status_code for one in answers) == [201, 400]
    assert sorted(one.status_code for one in rivals) == [201, 400, 400]
    parts = IPAllocation.objects.filter(parent=whole).count()
    assert parts + NetworkUse.objects.count() == 1


def test_a_delegation_never_lies_outside_what_it_is_cut_from(world: World) -> None:
    """The giver's network is made smaller between validation and write of a delegation."""
    networks = create_networks(world)
    smaller = {"network": "203.0.113.0/26"}

    def shrink() -> None:
        delete_allocation(by=SERVER, allocation=networks.acme_east)
        url = f"/api/v3/ipallocations/{networks.acme.pk}/"
        assert world.client("admin").patch(url, smaller, JSON).status_code == 200

    with meanwhile("ipam_ipallocation", shrink) as was_changed:
        response = post(
            world,
            "ipallocations/",
            network="203.0.113.64/27",
            space="acme-east",
            parent=networks.acme.pk,
        )()

    assert was_changed
    assert response.json() == {"network": ["The network must lie inside 203.0.113.0/26."]}
    assert not IPAllocation.objects.filter(parent=networks.acme).exists()


def test_the_last_assignment_is_ended_or_used_but_not_both(world: World) -> None:
    networks = create_networks(world)
    url = f"/api/v3/ipallocations/{networks.whole.pk}/assigned_routing_groups/{world.group.pk}/"

    ended, used = at_once(
        lambda: world.client("admin").delete(url),
        post(world, f"bonds/{world.bond.pk}/connected_ips/", interface="eth0", ip="203.0.113.1/30"),
    )

    assert (ended.status_code, used.status_code) in {(204, 400), (400, 201)}


def test_objects_that_clash_are_enabled_by_one_of_two(world: World) -> None:
    create_networks(world)
    twin = create_bond(by=SERVER, aggregator=world.away, space=world.acme, name="twin")
    urls = [
        f"/api/v3/bonds/{bond.pk}/connected_ips/"
        f"{connect(bond, '203.0.113.1', 30, enabled=False).pk}/"
        for bond in (world.bond, twin)
    ]

    answers = at_once(
        *[lambda url=url: world.client("ana").patch(url, {"enabled": True}, JSON) for url in urls]
    )

    assert sorted(one.status_code for one in answers) == [200, 400]
    assert [list(one.json()) for one in answers if one.status_code == 400] == [["enabled"]]

"""What each list costs: the same queries for few rows and for many, pinned in a file.

`query_counts.tsv` holds the numbers. A change of one is a change of the file, on purpose.
"""

import csv
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from openbond.server.bonds.models import ConnectedIP, Route
from openbond.server.bonds.services import (
    create_bond,
    create_connected_ip,
    create_leg,
    create_mobile_provider_profile,
)
from openbond.server.fleet.services import create_aggregator, create_routing_group
from openbond.server.measurement.models import SpeedTest
from openbond.server.spaces.models import User
from openbond.server.spaces.services import create_group, create_space, create_user
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType
from tests.world import World

COUNTS = Path(__file__).with_name("query_counts.tsv")
MANY = 100


def pinned() -> dict[str, int]:
    with COUNTS.open() as table:
        return {
            row["list"]: int(row["queries"]) for row in csv.DictReader(table, dialect="excel-tab")
        }


def grow(world: World, number: int) -> None:
    """Make that many more of everything that has a list."""
    for index in range(number):
        bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
        create_leg(
            by=SERVER, bond=bond, type=LegType.DHCP, down_kbps=1, up_kbps=1, interface="eth1"
        )
        create_connected_ip(by=SERVER, bond=bond, interface="eth0", ip=f"10.{index}.0.1", prefix=24)
        create_aggregator(
            by=SERVER, name=f"agg-{index}", ip=f"203.0.113.{index + 1}", space=world.acme
        )
        create_routing_group(by=SERVER, name=f"group {index}", space=world.acme)
        create_mobile_provider_profile(by=SERVER, space=world.acme, name=f"m{index}", apn="a")
        create_group(by=SERVER, name=f"g{index}", permissions=["view_bond"])
        create_user(by=SERVER, email=f"u{index}@example.net", space=world.acme)
        create_space(by=SERVER, name=f"s{index}", key=f"s{index}", parent=world.acme)
    grow_below(world, number)


def grow_below(world: World, number: int) -> None:
    """Rows of one bond; by hand, because their services lock the bond for each."""
    now = timezone.now()
    for index in range(number):
        create_leg(
            by=SERVER,
            bond=world.bond,
            type=LegType.DHCP,
            down_kbps=1,
            up_kbps=1,
            interface=f"x{index}",
        )
        ConnectedIP.objects.create(
            bond=world.bond,
            interface="eth0",
            ip=f"172.16.{index}.1",
            prefix=24,
            network=f"172.16.{index}.0/24",
            enabled=False,
        )
        Route.objects.create(
            bond=world.bond,
            network=f"10.200.{index}.0/24",
            gateway="172.16.0.2",
            enabled=False,
        )
        SpeedTest.objects.create(bond=world.bond, description="x", submitted=now)


def queries(world: World, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        response = world.client("ana").get(path)
    assert response.status_code == 200, response.content
    return len(captured)


@pytest.fixture
def quiet(world: World) -> World:
    """Nobody's last login needs to be noted any more."""
    User.objects.update(last_login=timezone.now())
    return world


def test_lists_cost_the_same_for_few_and_for_many(quiet: World) -> None:
    paths = {
        name: f"/api/v3/{name.format(bond=quiet.bond.pk, aggregator=quiet.home.pk)}"
        for name in pinned()
    }
    grow(quiet, 3)
    few = {name: queries(quiet, path) for name, path in paths.items()}

    grow_more(quiet)
    many = {name: queries(quiet, path) for name, path in paths.items()}

    assert many == few
    assert few == pinned()


def grow_more(world: World) -> None:
    for index in range(3, MANY):
        bond = create_bond(by=SERVER, aggregator=world.home, space=world.acme)
        create_leg(
            by=SERVER, bond=bond, type=LegType.DHCP, down_kbps=1, up_kbps=1, interface="eth1"
        )
        create_space(by=SERVER, name=f"s{index}", key=f"s{index}", parent=world.acme)
        create_user(by=SERVER, email=f"u{index}@example.net", space=world.acme)
        create_group(by=SERVER, name=f"g{index}", permissions=["view_bond"])
        create_aggregator(
            by=SERVER, name=f"agg-{index}", ip=f"203.0.113.{index + 1}", space=world.acme
        )


def test_a_page_costs_one_more_than_its_rows_and_none_for_its_length(quiet: World) -> None:
    grow(quiet, 12)

    short = queries(quiet, "/api/v3/bonds/?page_size=2")
    long = queries(quiet, "/api/v3/bonds/?page_size=12")

    assert short == long

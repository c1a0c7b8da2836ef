"""Charts of a bond over HTTP, for the site."""

import csv
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from openbond.server.spaces.models import User
from openbond.server.telemetry.rules.charts import CHARTS, SPANS
from openbond.server.telemetry.rules.times import ms_of
from tests.server.telemetry.telling import MINUTE_MS, Teller
from tests.world import World

pytestmark = pytest.mark.django_db(databases=["default", "telemetry"])


@pytest.fixture
def measured(world: World) -> World:
    legs = [world.dhcp_leg.pk, world.static_leg.pk]
    teller = Teller(node_id=world.bonder.pk, bond_id=world.bond.pk, leg_ids=legs)
    teller.tell_minute(ms_of(timezone.now()) // MINUTE_MS * MINUTE_MS - MINUTE_MS, 2_000)
    return world


def address(world: World, query: str) -> str:
    return f"/api/charts/bonds/{world.bond.pk}/?{query}"


def test_a_chart_says_what_its_points_are(measured: World) -> None:
    answer = measured.client("ana").get(address(measured, "chart=leg_traffic&span=1h"))

    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert (body["chart"], body["span"], body["bucket"]) == ("leg_traffic", "1h", 10)
    assert (body["unit"], body["value"]) == ("bit/s", "mean")
    first, second = body["lines"][:2]
    leg = {"id": measured.dhcp_leg.pk, "type": "dhcp", "interface": "eth1"}
    assert (first["name"], first["axis"], first["leg"]) == ("up", "above", leg)
    assert (second["name"], second["axis"], second["leg"]) == ("down", "below", leg)
    assert [len(line["values"]) for line in body["lines"]] == [360] * 6
    assert [value for value in second["values"] if value is not None] == [2_000] * 6


def test_the_same_as_csv_with_empty_cells_for_gaps(measured: World) -> None:
    client = Client(headers={"Authorization": measured.basic("ana"), "Accept": "text/csv"})

    answer = client.get(address(measured, "chart=tunnel_traffic&span=15min&format=csv"))

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    head, *rows = csv.reader(answer.content.decode().splitlines())
    assert head == ["time", "up (bit/s)", "down (bit/s)"]
    assert len(rows) == 90
    assert sum(row[1:] == ["2000", "2000"] for row in rows) == 6
    assert sum(row[1:] == ["", ""] for row in rows) == 84


def test_every_chart_can_be_had_over_every_span(measured: World) -> None:
    client = measured.client("ana")
    for chart in CHARTS:
        for span in SPANS:
            answer = client.get(address(measured, f"chart={chart}&span={span}"))
            assert answer.status_code == 200, (chart, span, answer.content)


def test_the_greatest_instead_of_the_mean(measured: World) -> None:
    answer = measured.client("ana").get(address(measured, "chart=cpu&span=day&value=max"))

    assert [value for value in answer.json()["lines"][0]["values"] if value] == [200.0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("span=day", "chart"),
        ("chart=cpu", "span"),
        ("chart=weather&span=day", "chart"),
        ("chart=cpu&span=decade", "span"),
        ("chart=cpu&span=day&value=min", "value"),
        ("chart=leg_state_changes&span=day&value=mean", "value"),
        ("chart=cpu&span=day&format=xlsx", "format"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_what_there_is(
    world: World, query: str, field: str
) -> None:
    answer = world.client("ana").get(address(world, query))

    assert answer.status_code == 400
    (words,) = answer.json()[field]
    assert words.startswith("Choose one of: ")


def test_the_charts_of_another_spaces_bond_do_not_exist(world: World) -> None:
    path = f"/api/charts/bonds/{world.globex_bond.pk}/?chart=cpu&span=day"

    assert world.client("ana").get(path).status_code == 404
    assert world.client("gil").get(path).status_code == 200


def test_charts_need_the_permission_to_see_bonds(world: World) -> None:
    world.restrict("ana", "view_leg")

    assert world.client("ana").get(address(world, "chart=cpu&span=day")).status_code == 403
    assert world.nobody().get(address(world, "chart=cpu&span=day")).status_code == 401


def test_a_chart_is_only_read(world: World) -> None:
    assert world.client("ana").post(address(world, "chart=cpu&span=day")).status_code == 405


@pytest.mark.parametrize(("span", "of_telemetry"), [("1h", 2), ("week", 4), ("year", 5)])
def test_a_chart_costs_so_many_queries_whatever_there_is(
    measured: World, span: str, of_telemetry: int
) -> None:
    User.objects.update(last_login=timezone.now() + timedelta(minutes=1))
    client = measured.client("ana")

    with (
        CaptureQueriesContext(connections["default"]) as of_default,
        CaptureQueriesContext(connections["telemetry"]) as of_charts,
    ):
        client.get(address(measured, f"chart=leg_loss&span={span}"))

    # Who asks, what he may, and the bond with its legs.
    assert len(of_default) == 3
    assert len(of_charts) == of_telemetry

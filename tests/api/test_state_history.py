"""State history of a leg (05-performance.md, 3)."""

from datetime import timedelta
from typing import Any

from openbond.server.bonds.models import Leg, LegReport
from openbond.server.measurement.rules import Change, Source
from openbond.server.measurement.services import record_states
from openbond.wire.states import ShownState
from tests.world import World


def path(world: World, collection: str = "legs") -> str:
    return f"/api/v3/bonds/{world.bond.pk}/{collection}/{world.dhcp_leg.pk}/state_history/"


def history(world: World, query: str = "") -> Any:
    response = world.client("ana").get(f"{path(world)}{query}")
    assert response.status_code == 200, response.json()
    return response.json()


def record(world: World, *states: tuple[int, ShownState]) -> None:
    """Have the bonder say each state that many minutes ago, and be heard all the time."""
    Leg.objects.update(created=world.now - timedelta(hours=2))
    LegReport.objects.filter(leg=world.dhcp_leg).update(bonder_reported=world.now)
    for minutes, state in states:
        at = world.now - timedelta(minutes=minutes)
        record_states(
            source=Source.BONDER,
            told={world.dhcp_leg.pk: Change(at, state)},
            heard={world.dhcp_leg.pk: at},
            continuous={world.dhcp_leg.pk},
            timeout=timedelta(minutes=3),
        )


def test_without_reports_it_is_one_unknown(world: World) -> None:
    (only,) = history(world)

    assert (only["state"], only["end"]) == ("unknown", None)


def test_it_is_contiguous_and_merged_oldest_first(world: World) -> None:
    record(world, (60, ShownState.UP), (30, ShownState.DOWN), (20, ShownState.UP))

    rows = history(world)

    assert [row["state"] for row in rows] == ["unknown", "up", "down", "up"]
    assert [row["duration"] for row in rows[1:3]] == [1800, 600]
    assert [row["end"] for row in rows] == [row["start"] for row in rows[1:]] + [None]


def test_the_typed_address_shows_the_same(world: World) -> None:
    record(world, (60, ShownState.UP))

    states = [row["state"] for row in world.client("ana").get(path(world, "dhcp_legs")).json()]

    assert states == [row["state"] for row in history(world)]


def test_it_takes_filter_order_page_and_left_out_fields(world: World) -> None:
    record(world, (60, ShownState.UP), (30, ShownState.DOWN), (20, ShownState.UP))

    assert [row["duration"] for row in history(world, "?state=down")] == [600]
    assert history(world, "?state=idle") == []
    longest = history(world, "?ordering=-duration")[0]
    assert longest["duration"] == max(row["duration"] for row in history(world))
    page = history(world, "?page_size=3&page=2&exclude_fields=end")
    assert page["count"] == 4
    assert [set(row) for row in page["results"]] == [{"state", "start", "duration"}]
    assert world.client("ana").get(f"{path(world)}?state=x").json() == {
        "state": ['"x" is not a valid choice.']
    }
    assert world.client("ana").get(f"{path(world)}?page=9").status_code == 404

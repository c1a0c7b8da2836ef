"""Speed tests, tunings and prevented downtime as resources (05-performance.md)."""

from typing import Any

import pytest

from openbond.server.bonds.models import Bond, Leg, LegReport
from openbond.server.measurement.models import SpeedTest, Tuning
from tests.contract.field_tables import fields_of
from tests.world import World, nodes_to_update, settle_updates

JSON = "application/json"


def below(world: World, path: str) -> str:
    return f"/api/v3/bonds/{world.bond.pk}/{path}"


def post(world: World, path: str, **fields: Any) -> Any:
    return world.client("ana").post(below(world, path), fields, JSON)


def bring_up(world: World) -> None:
    LegReport.objects.filter(leg=world.dhcp_leg).update(
        bonder_state="up", bonder_reported=world.now
    )


def succeed(world: World, url: str, recommendations: dict[str, Any] | None) -> None:
    """Let a tuning end well, as the runner will."""
    Tuning.objects.filter(pk=url.split("/")[-2]).update(
        status="succeeded",
        recommendations=recommendations,
        decision="pending" if recommendations else None,
        finished=world.now,
    )
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=False)


def test_a_test_of_the_bond_keeps_what_was_true_when_it_was_submitted(world: World) -> None:
    response = post(world, "speedtests/", protocol="udp", rate_limit=12.5, concurrency=4)

    test = response.json()
    assert response.status_code == 201
    assert (test["target"], test["leg"], test["status"]) == ("bond", None, "queued")
    assert test["description"] == "UDP download, 10 s, limit 12.5 Mbit/s, 4 streams"
    assert test["rate_limit"] == 12.5
    assert test["aggregator"].endswith(f"/aggregators/{world.home.pk}/")
    assert [leg["down_speed"] for leg in test["bond_configuration"]["legs"]] == [50, 15, 25]
    assert (
        "progress_results"
        not in world.client("ana")
        .get(f"{below(world, 'speedtests/')}?exclude_fields=progress_results")
        .json()[0]
    )


def test_a_leg_is_tested_only_while_it_is_active_and_up(world: World) -> None:
    refused = post(world, "speedtests/", leg=world.dhcp_leg.pk)
    bring_up(world)

    ways = [
        world.dhcp_leg.pk,
        below(world, f"legs/{world.dhcp_leg.pk}/"),
        {"url": f"http://x{below(world, f'dhcp_legs/{world.dhcp_leg.pk}/')}"},
    ]

    assert refused.json() == {"leg": ["Only legs that are active and up can be tested."]}
    for way in ways:
        made = post(world, "speedtests/", leg=way).json()
        assert made["target"] == "leg"
        assert made["leg"].endswith(f"/dhcp_legs/{world.dhcp_leg.pk}/")
        assert made["bond_configuration"] is None


def test_a_leg_of_another_bond_or_type_is_no_leg_of_this(world: World) -> None:
    bring_up(world)
    leg = world.dhcp_leg.pk

    for way in (
        below(world, f"static_legs/{leg}/"),
        f"/api/v3/bonds/{world.globex_bond.pk}/legs/{leg}/",
        4711,
        "nonsense",
    ):
        response = post(world, "speedtests/", leg=way)
        assert response.json() == {"leg": ["Invalid hyperlink - Object does not exist."]}, way


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "TCP download, 10 s, no rate limit, 1 stream"),
        ({"protocol": "udp"}, "UDP download, 10 s, limit of the configured speed, 1 stream"),
        (
            {"direction": "upload", "length": 300, "rate_limit": 0.001, "concurrency": 16},
            "TCP upload, 300 s, limit 0.001 Mbit/s, 16 streams",
        ),
    ],
)
def test_a_test_says_in_words_what_it_is(fields: dict[str, Any], words: str, world: World) -> None:
    assert post(world, "speedtests/", **fields).json()["description"] == words


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"length": 0}, "length"),
        ({"length": 301}, "length"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"rate_limit": 100001}, "rate_limit"),
        ({"concurrency": 17}, "concurrency"),
        ({"protocol": "sctp"}, "protocol"),
        ({"direction": "both"}, "direction"),
    ],
)
def test_what_cannot_be_tested(fields: dict[str, Any], field: str, world: World) -> None:
    response = post(world, "speedtests/", **fields)

    assert (response.status_code, list(response.json())) == (400, [field])
    assert not SpeedTest.objects.exists()


def test_filters_of_speed_tests(world: World) -> None:
    bring_up(world)
    post(world, "speedtests/", length=5)
    post(world, "speedtests/", leg=world.dhcp_leg.pk, length=9)

    def lengths(query: str) -> list[int]:
        rows = world.client("ana").get(f"{below(world, 'speedtests/')}?{query}").json()
        return [row["length"] for row in rows]

    assert lengths("target=leg") == [9]
    assert lengths("target=bond") == [5]
    assert lengths(f"leg={world.dhcp_leg.pk}") == [9]
    assert lengths("leg=null") == [5]
    assert lengths("ordering=-length") == [9, 5]
    assert lengths("ordering=target") == [5, 9]


def test_a_tuning_locks_the_bond_until_it_is_cancelled(world: World) -> None:
    client = world.client("ana")
    tuning = post(world, f"legs/{world.dhcp_leg.pk}/tuners/").json()

    locked = client.patch(below(world, ""), {"note": "x"}, JSON)
    second = post(world, "tuners/")
    cancelled = client.post(f"{tuning['url']}cancel/")
    again = client.post(f"{tuning['url']}cancel/")

    assert set(tuning) == set(fields_of("leg_tuner"))
    assert locked.json()["code"] == second.json()["code"] == "tuning_in_progress"
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert again.json()["code"] == "already_finished"
    assert client.patch(below(world, ""), {"note": "x"}, JSON).status_code == 200


def test_tunings_need_active_legs(world: World) -> None:
    Leg.objects.filter(bond=world.bond).update(link_mode="idle")

    of_leg = post(world, f"legs/{world.dhcp_leg.pk}/tuners/")
    of_bond = post(world, "tuners/")

    assert of_leg.json()["code"] == "leg_not_active"
    assert of_bond.json()["code"] == "no_active_legs"


def test_a_bond_tuning_is_404_below_a_leg_and_the_reverse(world: World) -> None:
    tuning = post(world, "tuners/").json()
    leg = below(world, f"legs/{world.dhcp_leg.pk}/tuners/{tuning['id']}/")
    client = world.client("ana")

    assert client.get(tuning["url"]).status_code == 200
    assert client.get(leg).status_code == 404
    assert client.post(f"{leg}cancel/").status_code == 404


def test_accepting_applies_all_in_one_step_and_only_once(world: World) -> None:
    url = post(world, "tuners/").json()["url"]
    legs = [{"id": world.dhcp_leg.pk, "down_kbps": 47_500, "up_kbps": 9_200}]
    recommended = {
        "legs": legs,
        "packet_distribution": "weighted_round_robin",
        "reorder_max_hold": 120,
        "tcp_proxy": True,
    }
    client = world.client("ana")
    early = client.post(f"{url}accept/")
    succeed(world, url, recommended)
    settle_updates()

    accepted = client.post(f"{url}accept/")

    bond = client.get(below(world, "")).json()
    assert early.json()["code"] == "not_finished"
    assert (accepted.status_code, accepted.json()["decision"]) == (200, "accepted")
    (shown,) = accepted.json()["recommendations"]["legs"]
    assert (shown["down_speed"], shown["up_speed"]) == (47.5, 9.2)
    assert shown["leg"].endswith(f"/dhcp_legs/{world.dhcp_leg.pk}/")
    assert (bond["reorder_max_hold"], bond["tcp_proxy"]) == (120, True)
    assert bond["leg_list"][0]["down_speed"] == 47.5
    assert nodes_to_update() == {"site-1", "home"}
    for action in ("accept", "decline"):
        answer = client.post(f"{url}{action}/").json()
        assert answer["code"] == "already_decided"
        assert answer["detail"] == "The recommendations have already been accepted."


def test_of_recommendations_that_name_a_leg_too_many_nothing_is_applied(world: World) -> None:
    url = post(world, "tuners/").json()["url"]
    legs = [
        {"id": world.dhcp_leg.pk, "down_kbps": 47_500, "up_kbps": 9_200},
        {"id": 4711, "down_kbps": 1, "up_kbps": 1},
    ]
    succeed(world, url, {"legs": legs, "reorder_max_hold": 99})
    settle_updates()

    response = world.client("ana").post(f"{url}accept/")

    assert (response.status_code, response.json()["code"]) == (400, "outdated")
    assert Leg.objects.get(pk=world.dhcp_leg.pk).down_kbps == 50_000
    assert world.client("ana").get(url).json()["decision"] == "pending"
    assert nodes_to_update() == set()


def test_declining_changes_nothing(world: World) -> None:
    url = post(world, f"legs/{world.dhcp_leg.pk}/tuners/").json()["url"]
    succeed(world, url, {"down_kbps": 1000, "up_kbps": 1000})
    settle_updates()

    declined = world.client("ana").post(f"{url}decline/").json()

    assert declined["decision"] == "declined"
    assert declined["recommendations"] == {"down_speed": 1, "up_speed": 1}
    assert Leg.objects.get(pk=world.dhcp_leg.pk).down_kbps == 50_000
    assert nodes_to_update() == set()


def test_what_cannot_be_accepted(world: World) -> None:
    client = world.client("ana")
    nothing = post(world, "tuners/").json()["url"]
    succeed(world, nothing, None)
    outdated = post(world, "tuners/").json()["url"]
    succeed(world, outdated, {"legs": [{"id": 4711, "down_kbps": 1, "up_kbps": 1}]})
    cancelled = post(world, "tuners/").json()["url"]
    busy = client.post(f"{outdated}accept/").json()["code"]
    client.post(f"{cancelled}cancel/")

    codes = [client.post(f"{one}accept/").json()["code"] for one in (nothing, cancelled, outdated)]

    assert busy == "tuning_in_progress"
    assert codes == ["no_recommendations", "not_successful", "outdated"]


def test_accepting_needs_the_code_of_tuners_alone(world: World) -> None:
    url = post(world, f"legs/{world.dhcp_leg.pk}/tuners/").json()["url"]
    succeed(world, url, {"down_kbps": 1000, "up_kbps": 1000})
    world.restrict("ana", "change_tuner")

    assert world.client("ana").post(f"{url}accept/").status_code == 200


def test_another_space_s_tests_and_tunings_do_not_exist(world: World) -> None:
    test = post(world, "speedtests/").json()["url"]
    tuning = post(world, "tuners/").json()["url"]
    gil = world.client("gil")

    for url in (test, tuning, below(world, "speedtests/"), below(world, "tuners/")):
        assert gil.get(url).status_code == 404
    for action in ("cancel", "accept", "decline"):
        assert gil.post(f"{tuning}{action}/").status_code == 404
    assert gil.post(below(world, "speedtests/"), {}, JSON).status_code == 404
    assert gil.get(below(world, "downtime_prevented/")).status_code == 404


def test_prevented_downtime_has_both_periods(world: World) -> None:
    for path in (below(world, "downtime_prevented/"), "/api/v3/system/status/downtime_prevented/"):
        answer = world.client("ana").get(path).json()
        assert list(answer) == ["week", "month"]
        for period in answer.values():
            assert set(period) == {"start", "end", "duration", "count"}
            assert (period["duration"], period["count"]) == (0, 0)
            assert period["start"].endswith("T00:00:00Z")


def test_prevented_downtime_needs_view_bond(world: World) -> None:
    world.restrict("ana", "view_leg")

    assert world.client("ana").get(below(world, "downtime_prevented/")).status_code == 403

"""Tunings run by the server: one test after the other, waiting, losses, limits, decisions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from openbond.server.bonds.models import Bond, Leg, MobileProviderProfile
from openbond.server.bonds.services import move_bond, update_bond, update_leg
from openbond.server.control.contacts import write_contacts
from openbond.server.errors import InvalidFields, Refused
from openbond.server.fleet.models import ConfigUpdate, Node
from openbond.server.measurement.models import SpeedTest, Tuning
from openbond.server.measurement.rules.tuning import Numbers
from openbond.server.measurement.services import (
    accept_tuning,
    cancel_tuning,
    create_speed_test,
    decline_tuning,
    set_measuring_limits,
)
from openbond.server.system.actors import SERVER
from openbond.wire.states import Distribution
from tests.measurement.lines import Line

from .conftest import SECOND, Fleet
from .lined_site import UNSTEADY, LinedSite, add_leg, line

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def site(fleet: Fleet) -> LinedSite:
    """Give the static leg a line of 47/9 Mbit/s, the DHCP leg (failover) one of 20/5."""
    update_leg(by=SERVER, leg=fleet.static_leg, down_kbps=100_000, up_kbps=100_000)
    lines = {fleet.static_leg.pk: line(47_000, 9_000), fleet.dhcp_leg.pk: line(20_000, 5_000)}
    return LinedSite(fleet, lines)


@pytest.fixture
def leg(site: LinedSite) -> Leg:
    return site.fleet.static_leg


def speeds(leg: Leg) -> tuple[int, int]:
    row = Leg.objects.get(pk=leg.pk)
    return row.down_kbps, row.up_kbps


def is_locked(site: LinedSite) -> bool:
    return Bond.objects.get(pk=site.fleet.bond.pk).tuning_in_progress


def unsteady() -> Line:
    return line(20_000, 5_000, wavering=0.9, stays_wavering=True)


# ------------------------------------------------------------------------------ a tuning, well


def test_a_leg_tuning_recommends_what_the_line_carries(site: LinedSite, leg: Leg) -> None:
    tuning = site.run(site.tune(leg))

    assert (tuning.status, tuning.decision, tuning.error) == ("succeeded", "pending", "")
    found = tuning.recommendations or {}
    assert 0.95 * 47_000 <= found["down_kbps"] <= 47_000
    assert 0.95 * 9_000 <= found["up_kbps"] <= 9_000
    assert tuning.started
    assert tuning.finished
    assert speeds(leg) == (100_000, 100_000), "nothing is changed before somebody accepts"
    assert not is_locked(site)
    assert [reason["about"] for reason in tuning.reasons] == [
        f"leg {leg.pk} down_speed",
        f"leg {leg.pk} up_speed",
    ]
    ConfigUpdate.objects.all().delete()

    accept_tuning(by=SERVER, tuning=tuning)

    assert speeds(leg) == (found["down_kbps"], found["up_kbps"])
    told = ConfigUpdate.objects.values_list("node__name", flat=True)
    assert set(told) == {"site", "agg-1"}, "both ends learn of it"


def test_its_tests_run_one_after_the_other_also_over_a_time_without_server(
    site: LinedSite, leg: Leg
) -> None:
    tuning = site.tune(leg)
    most_at_once = 0
    for _ in range(7):
        site.look()
        waiting = SpeedTest.objects.filter(status__in=["queued", "running"]).count()
        most_at_once = max(most_at_once, waiting)

    site.fleet.later(MINUTE)  # nobody looks; what the nodes know they tell later
    ended = site.run(tuning)

    tests = site.tests(ended)
    assert most_at_once == 1
    assert ended.status == "succeeded"
    assert {test.leg_id for test in tests} == {leg.pk}
    assert [test.idle_seconds for test in tests].count(site.numbers.idle_seconds) == 2
    assert tests[0].description == "TCP download, 2 s, no rate limit, 1 stream"


def test_between_its_tests_the_leg_stays_out_of_the_bond(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    while not SpeedTest.objects.filter(status="finished").exists():
        site.look()
    site.states[leg.pk] = "testing"

    for _ in range(3):
        site.look()

    assert len(site.tests(tuning)) > 1, "it is tested again, though it is not up"
    with pytest.raises(InvalidFields, match="active and up"):
        create_speed_test(by=SERVER, bond=site.fleet.bond, leg=leg, now=site.now)
    site.run(tuning)
    site.wait(12 * SECOND, step=SECOND)
    other = site.run(site.tune(leg), until=["queued"])
    site.look()
    assert site.tests(other) == [], "a tuning does not take what another one left"


# ------------------------------------------------------------------------------------- waiting


def test_it_waits_for_a_leg_that_is_down_up_to_24_hours(site: LinedSite, leg: Leg) -> None:
    site.states[leg.pk] = "down"
    tuning = site.tune(leg)

    site.wait(23 * HOUR, step=HOUR)
    waiting = Tuning.objects.get(pk=tuning.pk)
    before = site.tests(tuning)
    site.states[leg.pk] = "up"
    begun = site.run(tuning, until=["running"])

    assert (waiting.status, waiting.started, before) == ("queued", None, [])
    assert begun.started == site.tests(tuning)[0].submitted


def test_after_24_hours_it_fails_and_changes_nothing(site: LinedSite, leg: Leg) -> None:
    site.states[leg.pk] = "down"
    tuning = site.tune(leg)

    site.wait(26 * HOUR, step=HOUR)

    failed = Tuning.objects.get(pk=tuning.pk)
    assert failed.status == "failed"
    assert failed.error == ("leg_unavailable: The leg could not be tested for 24 h; it is down.")
    assert site.tests(tuning) == []
    assert not is_locked(site)


def test_a_leg_lost_for_more_than_30_s_ends_it(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.run(tuning, until=["running"])
    site.refusals[leg.pk] = "The leg was lost."
    site.states[leg.pk] = "down"

    site.wait(29 * SECOND, step=SECOND)
    meanwhile = Tuning.objects.get(pk=tuning.pk).status
    site.wait(6 * SECOND, step=SECOND)

    failed = Tuning.objects.get(pk=tuning.pk)
    assert meanwhile == "running"
    assert failed.error == "leg_lost: The leg was lost for more than 30 s; it is down."


def test_a_leg_that_comes_back_in_time_is_tested_again(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.run(tuning, until=["running"])
    site.refusals[leg.pk] = "The leg was lost."
    site.states[leg.pk] = "down"
    site.wait(20 * SECOND, step=SECOND)
    site.refusals.clear()
    site.states.clear()

    ended = site.run(tuning)

    assert ended.status == "succeeded"
    assert [test.status for test in site.tests(tuning)].count("failed") == 1


def test_tests_that_fail_again_and_again_end_it_with_the_reason(site: LinedSite, leg: Leg) -> None:
    site.refusals[leg.pk] = "iperf3 is not installed on the bonder."

    failed = site.run(site.tune(leg))

    assert failed.error == (
        "test_failed: 3 tests in a row failed, the last one so: "
        "iperf3 is not installed on the bonder."
    )
    assert len(site.tests(failed)) == 3


# ------------------------------------------------------------------------------ ends and limits


def test_an_unsteady_line_fails_it(site: LinedSite, leg: Leg) -> None:
    site.lines[leg.pk], site.numbers = unsteady(), UNSTEADY

    failed = site.run(site.tune(leg))

    assert failed.status == "failed"
    assert failed.error.startswith("unsteady: The download gave ")
    assert (failed.recommendations, failed.decision) == (None, None)


def test_half_an_hour_is_the_end_of_it(site: LinedSite, leg: Leg) -> None:
    site.numbers = Numbers(unlimited_seconds=300, steady_seconds=300, sweep_seconds=300)

    failed = site.run(site.tune(leg))

    assert failed.error == "too_long: The tests took more than 30 min in all."
    assert failed.started
    assert failed.finished
    assert failed.finished - failed.started < 36 * MINUTE
    assert {test.status for test in site.tests(failed)} <= {"finished", "cancelled"}


@pytest.mark.parametrize(("gbit", "cap"), [(8, "10 GB"), (1, "1 GB")])
def test_it_stays_below_its_cap_of_bytes(gbit: int, cap: str, site: LinedSite) -> None:
    leg = site.fleet.dhcp_leg
    if cap == "1 GB":
        make_mobile(leg)
    site.lines[leg.pk] = line(gbit * 1_000_000, gbit * 1_000_000)

    failed = site.run(site.tune(leg))

    assert failed.error.startswith("bytes: The tests moved ")
    assert cap in failed.error
    moved = sum(test.bytes_moved for test in site.tests(failed))
    assert moved <= float(cap.split()[0]) * 1e9
    assert {test.status for test in site.tests(failed)} == {"finished"}


def test_it_stays_below_the_cap_that_its_space_sets(site: LinedSite, leg: Leg) -> None:
    limits = {"tuner_mb": 20, "test_mb": 5}
    set_measuring_limits(by=SERVER, space=leg.space, limits=limits)

    failed = site.run(site.tune(leg))

    assert failed.error.endswith("over the 0.02 GB that the tuning of a leg may take.")
    assert sum(test.bytes_moved for test in site.tests(failed)) <= 20_000_000
    assert max(test.bytes_moved for test in site.tests(failed)) <= 5_000_000


def make_mobile(leg: Leg) -> None:
    profile = MobileProviderProfile.objects.create(name="m", space=leg.space, apn="internet")
    Leg.objects.filter(pk=leg.pk).update(
        type="mobilebroadband", interface=None, provider_profile=profile
    )


def test_a_move_of_the_bond_fails_it_and_stops_its_test(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.run(tuning, until=["running"])

    move_bond(by=SERVER, bond=site.fleet.bond, to=site.fleet.agg_2, reason="failover")
    site.look()

    failed = Tuning.objects.get(pk=tuning.pk)
    assert failed.error == "moved: The bond moved to another aggregator."
    assert all(test.status in ("finished", "cancelled", "failed") for test in site.tests(tuning))
    assert not is_locked(site)


def test_cancelling_stops_the_running_test_and_ends_the_lock(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.is_answering = False
    site.run(tuning, until=["running"])

    cancel_tuning(by=SERVER, tuning=tuning)
    site.wait(10 * SECOND)

    (test,) = site.tests(tuning)
    assert (test.status, test.error) == ("cancelled", "The tuning was cancelled.")
    assert Tuning.objects.get(pk=tuning.pk).status == "cancelled"
    assert speeds(leg) == (100_000, 100_000)
    assert not is_locked(site)


def test_other_tests_of_the_bond_wait_for_the_tuning(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.run(tuning, until=["running"])
    other = create_speed_test(by=SERVER, bond=site.fleet.bond, leg=leg, now=site.now)

    site.run(tuning)

    assert SpeedTest.objects.get(pk=other.pk).status == "queued"
    site.wait(20 * SECOND, step=SECOND)
    assert SpeedTest.objects.get(pk=other.pk).status == "finished"


def test_a_tuning_of_another_bond_goes_on_when_one_cannot(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.run(tuning, until=["running"])
    broken = SpeedTest.objects.filter(tuning=tuning).earliest("id")
    SpeedTest.objects.filter(pk=broken.pk).update(status="finished", results={"throughput": 1})

    site.look()

    failed = Tuning.objects.get(pk=tuning.pk)
    assert failed.error == "server_error: The server's log has the reason."
    assert not is_locked(site)


# ---------------------------------------------------------------------------------- bond tuning


def test_a_bond_tuning_recommends_settings_of_legs_and_bond(site: LinedSite, leg: Leg) -> None:
    tuning = site.run(site.tune())

    found = tuning.recommendations or {}
    assert tuning.status == "succeeded"
    assert [one["id"] for one in found["legs"]] == list(site.lines)
    for one, kbps in zip(found["legs"], (47_000, 20_000), strict=True):
        assert 0.93 * kbps <= one["down_kbps"] <= kbps
    assert (found["packet_distribution"], found["tcp_proxy"]) == ("idmpq", False)
    assert found["reorder_max_hold"] == 30
    about = [reason["about"] for reason in tuning.reasons]
    assert about[-3:] == ["packet_distribution", "reorder_max_hold", "tcp_proxy"]
    assert all(reason["words"] for reason in tuning.reasons)

    accept_tuning(by=SERVER, tuning=tuning)

    assert speeds(leg) == (found["legs"][0]["down_kbps"], found["legs"][0]["up_kbps"])
    assert Bond.objects.get(pk=site.fleet.bond.pk).reorder_max_hold == 30


def test_it_waits_half_an_hour_for_a_leg_then_fails_and_names_it(site: LinedSite, leg: Leg) -> None:
    site.states[leg.pk] = "down"
    tuning = site.tune()

    site.wait(29 * MINUTE, step=MINUTE)
    still = Tuning.objects.get(pk=tuning.pk).status
    site.wait(3 * MINUTE, step=MINUTE)

    failed = Tuning.objects.get(pk=tuning.pk)
    assert still == "queued"
    assert failed.status == "failed"
    assert failed.error == (
        f"leg_unavailable: Leg {leg.pk} (eth1): The leg could not be tested for 30 min; it is down."
    )
    assert failed.recommendations is None
    assert speeds(leg) == (100_000, 100_000)


def test_a_failover_leg_that_cannot_be_tuned_is_left_out(site: LinedSite, leg: Leg) -> None:
    failover = site.fleet.dhcp_leg
    site.states[failover.pk] = "down"
    tuning = site.tune()

    while Tuning.objects.get(pk=tuning.pk).waiting_since is None:
        site.look()
    site.wait(32 * MINUTE, step=MINUTE)
    ended = site.run(tuning)

    assert ended.status == "succeeded"
    assert [one["id"] for one in (ended.recommendations or {})["legs"]] == [leg.pk]
    note = next(one for one in ended.reasons if one["about"] == f"leg {failover.pk}")
    assert note["words"].startswith("Left out. leg_unavailable: ")


def test_a_leg_lost_in_a_bond_tuning_fails_it_and_is_named(site: LinedSite) -> None:
    other = add_leg(site.fleet)
    ConfigUpdate.objects.update(status="applied")
    site.lines[other.pk], site.numbers = unsteady(), UNSTEADY

    failed = site.run(site.tune())

    assert failed.error.startswith(f"unsteady: Leg {other.pk} (eth3): The download gave")
    assert not is_locked(site)


@pytest.fixture
def like_legs(site: LinedSite) -> LinedSite:
    """Give the bond two legs that are alike; its failover leg is idle."""
    update_leg(by=SERVER, leg=site.fleet.dhcp_leg, link_mode="idle")
    other = add_leg(site.fleet)
    ConfigUpdate.objects.update(status="applied")
    site.lines[other.pk] = line(40_000, 8_000)
    site.of_bond = {
        Distribution.IDMPQ: line(75_000, 15_000),
        Distribution.WEIGHTED_ROUND_ROBIN: line(85_000, 16_000),
    }
    return site


def test_legs_that_are_alike_are_tested_with_both_distributions(like_legs: LinedSite) -> None:
    site, bond = like_legs, like_legs.fleet.bond
    tuning = site.run(site.tune())

    found = tuning.recommendations or {}
    assert found["packet_distribution"] == "weighted_round_robin"
    tried = [trial.packet_distribution.value for trial in site.trials]
    assert tried == ["idmpq", "idmpq", "weighted_round_robin", "weighted_round_robin"]
    recommended = {leg["id"]: (leg["down_kbps"], leg["up_kbps"]) for leg in found["legs"]}
    for trial in site.trials:
        speeds_of = {leg.leg_id: (leg.down_kbps, leg.up_kbps) for leg in trial.legs}
        assert recommended.items() <= speeds_of.items()
    words = site.tests(tuning)[-1].description
    assert "8 streams, weighted_round_robin with the speeds found" in words
    assert Bond.objects.get(pk=bond.pk).packet_distribution == "idmpq"

    accept_tuning(by=SERVER, tuning=tuning)

    assert Bond.objects.get(pk=bond.pk).packet_distribution == "weighted_round_robin"


def test_a_test_of_the_bond_that_no_tuner_ordered_runs_as_in_service(site: LinedSite) -> None:
    create_speed_test(by=SERVER, bond=site.fleet.bond, length=2)
    site.lines[0] = line(60_000, 12_000)

    site.wait(10 * SECOND, step=SECOND)

    assert SpeedTest.objects.get().status == "finished"
    assert site.trials == []


def test_the_bond_is_tested_only_with_all_its_legs(like_legs: LinedSite, leg: Leg) -> None:
    site = like_legs
    site.numbers = replace(site.numbers, latency_seconds=3)
    tuning = site.tune()
    latencies = SpeedTest.objects.filter(tuning=tuning, length=3, status="finished")
    while latencies.count() < 4:
        site.look()
    site.states[leg.pk] = "down"

    site.wait(32 * MINUTE, step=MINUTE)

    ended = site.run(tuning)
    reason = next(one for one in ended.reasons if one["about"] == "packet_distribution")
    assert site.trials == []
    assert ended.status == "succeeded"
    assert (ended.recommendations or {})["packet_distribution"] == "idmpq"
    assert "could not be tried: The leg could not be tested for 30 min" in reason["words"]


# ------------------------------------------------------------------------------------ automatic


def first_contact(site: LinedSite) -> None:
    write_contacts({site.fleet.bond.bonder_id: "1.0"}, now=site.now)


def test_a_bond_that_wants_it_is_tuned_when_its_bonder_first_connects(site: LinedSite) -> None:
    update_bond(by=SERVER, bond=site.fleet.bond, automatic_tuning=True, auto_accept=True)
    Node.objects.update(last_connected=None)

    first_contact(site)
    first_contact(site)

    ConfigUpdate.objects.update(status="applied")
    tuning = site.run(Tuning.objects.get())
    assert tuning.automatic
    assert (tuning.status, tuning.decision) == ("succeeded", "accepted")
    assert tuning.decided
    assert speeds(site.fleet.static_leg)[0] <= 47_000


def test_without_auto_accept_somebody_decides(site: LinedSite) -> None:
    update_bond(by=SERVER, bond=site.fleet.bond, automatic_tuning=True)
    Node.objects.update(last_connected=None)
    first_contact(site)
    ConfigUpdate.objects.update(status="applied")

    tuning = site.run(Tuning.objects.get())

    assert (tuning.decision, tuning.decided) == ("pending", None)


def test_no_tuning_begins_by_itself_otherwise(site: LinedSite) -> None:
    Node.objects.update(last_connected=None)
    first_contact(site)
    update_bond(by=SERVER, bond=site.fleet.bond, automatic_tuning=True)
    first_contact(site)

    assert not Tuning.objects.exists()


def test_a_first_contact_is_noted_also_when_no_leg_can_be_tuned(site: LinedSite) -> None:
    update_bond(by=SERVER, bond=site.fleet.bond, automatic_tuning=True)
    Leg.objects.update(link_mode="idle")
    Node.objects.update(last_connected=None)

    first_contact(site)

    assert not Tuning.objects.exists()
    assert Node.objects.get(pk=site.fleet.bond.bonder_id).last_connected == site.now


# -------------------------------------------------------------------------- wrong states refused


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        action()
    return refused.value.code


def test_every_action_in_a_wrong_state_is_refused_with_its_code(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)

    def codes() -> list[str]:
        actions = (accept_tuning, decline_tuning, cancel_tuning)
        return [code_of(partial(action, by=SERVER, tuning=tuning)) for action in actions]

    assert code_of(partial(accept_tuning, by=SERVER, tuning=tuning)) == "not_finished"
    assert code_of(partial(decline_tuning, by=SERVER, tuning=tuning)) == "not_finished"
    assert code_of(site.tune) == "tuning_in_progress"
    site.run(tuning)
    assert code_of(partial(cancel_tuning, by=SERVER, tuning=tuning)) == "already_finished"
    decline_tuning(by=SERVER, tuning=tuning)
    assert codes() == ["already_decided", "already_decided", "already_finished"]


def test_a_failed_tuning_has_nothing_to_accept(site: LinedSite, leg: Leg) -> None:
    site.lines[leg.pk], site.numbers = unsteady(), UNSTEADY
    failed = site.run(site.tune(leg))

    assert code_of(partial(accept_tuning, by=SERVER, tuning=failed)) == "not_successful"
    assert code_of(partial(decline_tuning, by=SERVER, tuning=failed)) == "not_successful"
    assert code_of(partial(cancel_tuning, by=SERVER, tuning=failed)) == "already_finished"


def test_while_it_runs_the_bond_and_its_legs_are_locked(site: LinedSite, leg: Leg) -> None:
    tuning = site.tune(leg)
    site.run(tuning, until=["running"])

    of_leg = code_of(partial(update_leg, by=SERVER, leg=leg, note="x"))
    of_bond = code_of(partial(update_bond, by=SERVER, bond=site.fleet.bond, note="x"))
    assert of_leg == of_bond == "tuning_in_progress"


def test_the_defaults_are_those_of_the_behaviour() -> None:
    assert Numbers() == Numbers(
        idle_seconds=5,
        unlimited_seconds=10,
        unlimited_times=3,
        steady_seconds=60,
        sweep_seconds=10,
        sweep_from=70,
        sweep_to=110,
        sweep_step=5,
        bad_in_a_row=2,
        latency_seconds=10,
        lost_seconds=30,
    )

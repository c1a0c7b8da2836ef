"""Aggregator failover: who is checked, what fails, what moves, and what prevents it (6.1, 6.2)."""

from datetime import timedelta

import pytest
from django.db import transaction

from openbond.server.bonds.models import Bond, LegReport
from openbond.server.bonds.services import (
    Check,
    create_bond,
    restore_to_primary,
    take_check,
    update_aggregator,
    update_bond,
)
from openbond.server.errors import PrimaryFailed
from openbond.server.fleet.models import Aggregator, AggregatorCheck, ConfigUpdate
from openbond.server.fleet.selectors import watched_aggregators
from openbond.server.fleet.services import create_aggregator
from openbond.server.system.actors import SERVER
from openbond.server.system.models import Alert, AuditEntry, Mail
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import update_settings
from tests.queries import queries_of
from tests.world import World, nodes_to_update, settle_updates

from .patrol import Patrol

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOST_SILENT = "The known host 192.0.2.1 does not answer."


@pytest.fixture
def patrol(world: World) -> Patrol:
    """Both aggregators are checked, and have answered; site-1 has `away` as its secondary."""
    for aggregator in (world.home, world.away):
        update_aggregator(by=SERVER, aggregator=aggregator, failover_monitoring=True)
    made = Patrol(world.now)
    made.go_on(MINUTE)
    settle_updates()
    return made


def place(bond: Bond) -> str:
    return Bond.objects.select_related("current_aggregator").get(pk=bond.pk).current_aggregator.name


def has_failed(aggregator: Aggregator) -> bool:
    return Aggregator.objects.get(pk=aggregator.pk).failed


def counts(aggregator: Aggregator) -> tuple[int, int]:
    found = AggregatorCheck.objects.get(pk=aggregator.pk)
    return found.success, found.failure


# --------------------------------------------------------------------------------------- checks


def test_three_misses_in_a_row_mean_failed_and_the_bond_moves(world: World, patrol: Patrol) -> None:
    patrol.kill(world.home)

    patrol.go_on(60 * SECOND)
    suspect = has_failed(world.home), place(world.bond)
    patrol.go_on(30 * SECOND)

    assert suspect == (False, "home")
    assert (has_failed(world.home), place(world.bond)) == (True, "away")
    assert place(world.globex_bond) == "home"  # it has no secondary
    assert nodes_to_update() == {"home", "away", "site-1"}


def test_two_misses_and_an_answer_begin_anew(world: World, patrol: Patrol) -> None:
    for _ in range(3):
        patrol.kill(world.home)
        patrol.go_on(60 * SECOND)
        patrol.revive(world.home)
        patrol.go_on(30 * SECOND)

    assert not has_failed(world.home)
    assert place(world.bond) == "home"
    assert counts(world.home)[1] == 6


def test_each_check_is_counted_from_the_first_on(world: World, patrol: Patrol) -> None:
    before = counts(world.home)
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)

    assert before == (2, 0)
    assert counts(world.home) == (2, 4)
    assert counts(world.away) == (6, 0)


def test_an_aggregator_has_values_of_its_own(world: World, patrol: Patrol) -> None:
    update_aggregator(
        by=SERVER, aggregator=world.home, failover_interval=10, failover_receive_timeout=3,
        failover_retries=2,
    )  # fmt: skip
    patrol.go_on(30 * SECOND)
    patrol.kill(world.home)

    patrol.go_on(20 * SECOND)

    assert has_failed(world.home)


def test_with_one_retry_the_first_miss_is_enough(world: World, patrol: Patrol) -> None:
    update_settings(by=SERVER, failover_retries=1)
    patrol.kill(world.home)

    patrol.go_on(30 * SECOND)

    assert has_failed(world.home)


def test_turning_monitoring_off_clears_the_mark_and_moves_nothing(
    world: World, patrol: Patrol
) -> None:
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)

    update_aggregator(by=SERVER, aggregator=world.home, failover_monitoring=False)
    patrol.go_on(2 * MINUTE)

    assert not has_failed(world.home)
    assert place(world.bond) == "away"


def test_an_aggregator_that_nobody_asked_to_check_is_not_checked(
    world: World, patrol: Patrol
) -> None:
    update_aggregator(by=SERVER, aggregator=world.home, failover_monitoring=False)
    patrol.kill(world.home)
    before = counts(world.home)

    patrol.go_on(2 * MINUTE)

    assert counts(world.home) == before
    assert not has_failed(world.home)


def test_the_start_of_the_server_is_no_miss_and_failed_marks_outlive_it(
    world: World, patrol: Patrol
) -> None:
    patrol.kill(world.home)
    patrol.go_on(60 * SECOND)
    patrol.restart()
    patrol.go_on(90 * SECOND)
    still_suspect = has_failed(world.home)
    patrol.go_on(10 * SECOND)
    failed = has_failed(world.home)

    patrol.restart()
    patrol.go_on(30 * SECOND)

    assert (still_suspect, failed, has_failed(world.home)) == (False, True, True)


def test_of_two_processes_one_checks_and_the_other_takes_over_when_it_dies(
    world: World, patrol: Patrol
) -> None:
    other = Patrol(patrol.now, holder="two")
    other.kill(world.home)
    patrol.step = other.step = 4 * SECOND  # so that the lease is renewed in time

    def both() -> None:
        other.go_on(other.step)

    patrol.go_on(2 * MINUTE, meanwhile=both)
    beside = list(other.checked), place(world.bond)
    other.go_on(2 * MINUTE)

    assert beside == ([], "home")
    assert place(world.bond) == "away"


# ---------------------------------------------------------------------------------------- moves


def test_nothing_returns_by_itself_and_restore_waits_for_the_primary(
    world: World, patrol: Patrol
) -> None:
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)
    with pytest.raises(PrimaryFailed):
        restore_to_primary(by=SERVER, bond=world.bond)

    patrol.revive(world.home)
    patrol.go_on(2 * MINUTE)
    stayed = place(world.bond)
    restore_to_primary(by=SERVER, bond=world.bond)

    assert (has_failed(world.home), stayed, place(world.bond)) == (False, "away", "home")


def test_a_secondary_that_is_assigned_during_the_outage_is_used_within_thirty_seconds(
    world: World, patrol: Patrol
) -> None:
    patrol.kill(world.home)
    patrol.go_on(3 * MINUTE)
    update_bond(by=SERVER, bond=world.globex_bond, secondary_aggregator=world.away)

    patrol.go_on(30 * SECOND)

    assert place(world.globex_bond) == "away"


def test_when_both_have_failed_the_bond_stays_where_it_is(world: World, patrol: Patrol) -> None:
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)
    moved = place(world.bond)
    patrol.kill(world.away)
    patrol.go_on(3 * MINUTE)
    stayed = place(world.bond)

    patrol.revive(world.home)
    patrol.go_on(2 * MINUTE)

    assert (moved, stayed, place(world.bond)) == ("away", "away", "away")


def test_when_both_fail_at_once_the_bond_moves_as_soon_as_the_secondary_is_back(
    world: World, patrol: Patrol
) -> None:
    patrol.kill(world.home, world.away)
    patrol.go_on(2 * MINUTE)
    stayed = place(world.bond)

    patrol.revive(world.away)
    patrol.go_on(60 * SECOND)

    # The one of the two whose third miss came first found the other suspect, not failed.
    assert has_failed(world.home)
    assert place(world.bond) == "away"
    assert stayed in ("home", "away")


def test_a_bond_on_a_failed_secondary_stays_unless_the_setting_says_otherwise(
    world: World, patrol: Patrol
) -> None:
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)
    patrol.revive(world.home)
    patrol.go_on(MINUTE)
    patrol.kill(world.away)
    patrol.go_on(3 * MINUTE)
    stayed = place(world.bond)
    told = Alert.objects.get(code="aggregator_failed", about=f"aggregator {world.away.pk}").text

    update_settings(by=SERVER, failover_to_primary=True)
    patrol.go_on(30 * SECOND)

    assert (stayed, place(world.bond)) == ("away", "home")
    assert "restore" in told


def test_a_secondary_that_is_not_checked_and_silent_takes_nothing(
    world: World, patrol: Patrol
) -> None:
    update_aggregator(by=SERVER, aggregator=world.away, failover_monitoring=False)
    silent_since = world.now - timedelta(hours=1)
    Aggregator.objects.filter(pk=world.away.pk).update(last_connected=silent_since)
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)
    stayed = place(world.bond)

    Aggregator.objects.filter(pk=world.away.pk).update(last_connected=patrol.now)
    patrol.go_on(30 * SECOND)

    assert (stayed, place(world.bond)) == ("home", "away")


def test_a_failover_waits_for_no_tuning(world: World, patrol: Patrol) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=True)
    patrol.kill(world.home)

    patrol.go_on(2 * MINUTE)

    assert place(world.bond) == "away"


def test_a_move_is_told_in_the_audit_with_its_reason(world: World, patrol: Patrol) -> None:
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)

    entry = AuditEntry.objects.get(action="move", object_id=world.bond.pk)
    marked = AuditEntry.objects.get(action="failed")
    assert entry.after["current_aggregator"] == world.away.pk
    assert entry.after["reason"] == "failover: aggregator home has failed"
    assert (entry.actor_name, entry.space_id) == ("server", world.acme.pk)
    assert (marked.object_name, marked.after) == ("home", {"failed": True})


def test_in_a_failover_nobody_waits_for_anybody(world: World, patrol: Patrol) -> None:
    third = create_aggregator(by=SERVER, name="third", ip="198.51.100.30", space=world.root)
    update_bond(by=SERVER, bond=world.globex_bond, aggregator=third)
    patrol.kill(world.home)

    patrol.go_on(2 * MINUTE)

    moved = ConfigUpdate.objects.filter(reason="aggregator failover")
    assert moved.count() == 3
    # What home was still to wait for, as the old end of a planned move, it waits for no more.
    waiting = ConfigUpdate.objects.filter(node=world.home, held_until__isnull=False)
    assert not waiting.exists()


def test_an_aggregator_that_comes_and_goes_makes_one_mail_of_each_kind_an_hour(
    world: World, patrol: Patrol
) -> None:
    update_settings(
        by=SERVER, email_from="openbond@example.net", email_recipients=["noc@example.net"]
    )
    for _ in range(3):
        patrol.kill(world.home)
        patrol.go_on(100 * SECOND)
        patrol.revive(world.home)
        patrol.go_on(50 * SECOND)
        Mail.objects.filter(due__lte=patrol.now).update(sent=patrol.now)

    mails = Mail.objects.order_by("id").values_list("code", "count")
    assert list(mails) == [
        ("aggregator_failed", 1),
        ("aggregator_recovered", 1),
        ("aggregator_failed", 2),
        ("aggregator_recovered", 2),
    ]
    assert place(world.bond) == "away"


# ------------------------------------------------------------------------------- what prevents it


def test_maintenance_mode_prevents_the_move_and_its_end_makes_it(
    world: World, patrol: Patrol
) -> None:
    update_settings(by=SERVER, maintenance_mode=True)
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)
    stayed = place(world.bond), has_failed(world.home)

    update_settings(by=SERVER, maintenance_mode=False)
    patrol.go_on(30 * SECOND)

    assert stayed == ("home", True)
    assert place(world.bond) == "away"
    held = Alert.objects.get(code="failover_held")
    assert (held.count, "Maintenance mode is on." in held.text) == (1, True)


def test_a_known_host_that_does_not_answer_prevents_the_move(world: World, patrol: Patrol) -> None:
    update_settings(by=SERVER, known_hosts_enabled=True, known_hosts=["192.0.2.1"])
    patrol.hosts_fault = HOST_SILENT
    patrol.kill(world.home)
    patrol.go_on(2 * MINUTE)
    stayed = place(world.bond)
    shown = world.client("admin").get("/api/v3/system/status/aggfailover/").json()

    patrol.hosts_fault = ""
    patrol.go_on(30 * SECOND)

    after = world.client("admin").get("/api/v3/system/status/aggfailover/").json()
    assert (stayed, place(world.bond)) == ("home", "away")
    assert (shown["suspended"], after["suspended"]) == (True, False)
    assert HOST_SILENT in Alert.objects.get(code="failover_held").text


def test_too_many_failed_aggregators_suspend_the_moves(world: World, patrol: Patrol) -> None:
    others = [
        create_aggregator(
            by=SERVER, name=f"other-{number}", ip=f"198.51.100.{40 + number}", space=world.root,
            failover_monitoring=True,
        )
        for number in range(2)
    ]  # fmt: skip
    update_settings(by=SERVER, allow_suspension=True, suspension_percentage=50)
    patrol.go_on(MINUTE)
    patrol.kill(others[0])
    patrol.go_on(2 * MINUTE)
    patrol.kill(world.home)  # two of four: 50 %
    patrol.go_on(2 * MINUTE)
    stayed = place(world.bond)

    patrol.revive(others[0])
    patrol.go_on(30 * SECOND)

    assert (stayed, place(world.bond)) == ("home", "away")


def test_a_bonder_that_still_has_its_tunnel_is_a_second_opinion(
    world: World, patrol: Patrol
) -> None:
    update_settings(by=SERVER, failover_ask_bonders=True)
    patrol.kill(world.home)

    def say_up() -> None:
        LegReport.objects.filter(pk=world.dhcp_leg.pk).update(
            bonder_state="up", bonder_reported=patrol.now
        )

    patrol.go_on(2 * MINUTE, meanwhile=say_up)
    stayed = place(world.bond)
    patrol.go_on(MINUTE)

    assert (stayed, place(world.bond)) == ("home", "away")


# ------------------------------------------------------------------------------------ many bonds


def test_a_failover_asks_the_database_as_often_for_three_bonds_as_for_one(
    world: World, patrol: Patrol
) -> None:
    def third_miss() -> None:
        watched = watched_aggregators(current_settings())[0]
        take_check(
            holder=patrol.holder, watched=watched, check=Check("Silence."), misses=2,
            hosts_fault="", now=patrol.now,
        )  # fmt: skip

    with transaction.atomic():
        for_one = queries_of(third_miss)
        transaction.set_rollback(True)
    for name in ("site-2", "site-3"):
        create_bond(
            by=SERVER, aggregator=world.home, secondary_aggregator=world.away, space=world.acme,
            name=name,
        )  # fmt: skip
    for_three = queries_of(third_miss)

    assert Bond.objects.filter(current_aggregator=world.away).count() == 3
    assert len(for_three) == len(for_one) < 40

"""Revisions, offers and the status of config updates (behaviour 1.7, 1.9)."""

from datetime import timedelta

import pytest
from django.db import transaction

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.services.bonds import create_bond, delete_bond, update_bond
from openbond.server.bonds.services.legs import update_leg
from openbond.server.control.delivery import Later, Polling, answer_polls
from openbond.server.control.models import Enrolment, PublishedConfig
from openbond.server.control.outbox import newly_offered, publish_changes, publish_decommissions
from openbond.server.control.publish import content_of
from openbond.server.control.refusals import ChannelRefusal
from openbond.server.fleet.models import ConfigUpdate
from openbond.server.fleet.services import request_config_update
from openbond.server.system.actors import SERVER
from openbond.server.system.models import Alert
from openbond.wire.exchange import ErrorCode, PollAnswer, PollRequest, PollStatus
from openbond.wire.reports import ConfigRefused, ConfigRolledBack, Problem
from openbond.wire.states import NodeKind, RefusalReason, RollbackReason
from tests.queries import queries_of

from .conftest import SECOND, Fleet, create_dhcp_leg
from .machine import VERSION, Machine, checked_content


@pytest.fixture
def bonder(fleet: Fleet) -> Machine:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    return machine


def statuses(fleet: Fleet) -> list[str]:
    updates = ConfigUpdate.objects.filter(node_id=fleet.bond.bonder_id).order_by("id")
    return list(updates.values_list("status", flat=True))


def config_of(fleet: Fleet) -> PublishedConfig:
    return PublishedConfig.objects.get(pk=fleet.bond.bonder_id)


def change(fleet: Fleet, hold_ms: int) -> None:
    fleet.bond = update_bond(by=SERVER, bond=fleet.bond, reorder_max_hold=hold_ms)


def test_the_first_poll_brings_a_config_that_stands_every_check(
    fleet: Fleet, bonder: Machine
) -> None:
    answer = fleet.poll(bonder)

    assert isinstance(answer, PollAnswer)
    assert answer.envelope
    content = checked_content(
        answer.envelope,
        signer_pem=answer.signer,
        ca=fleet.crl.authority.certificate,
        node_id=fleet.bond.bonder_id,
    )
    assert content.kind is NodeKind.BONDER
    assert [leg.interface for leg in content.bonds[0].legs] == ["eth1", "eth2"]
    assert answer.envelope.revision == 1


def test_a_machine_that_has_the_config_waits(fleet: Fleet, bonder: Machine) -> None:
    answer = fleet.fetch(bonder)
    assert answer.envelope

    again = fleet.poll(bonder, revision=1, hash=answer.envelope.hash)

    assert again == Later(None)


def test_the_revision_rises_when_and_only_when_the_config_differs(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.fetch(bonder)
    revisions = []

    for hold_ms in (200, 200, 150, 200):
        change(fleet, hold_ms)
        request_in_transaction(fleet)
        fleet.later(SECOND)
        publish_changes(now=fleet.now)
        revisions.append(config_of(fleet).revision)

    assert revisions == [2, 2, 3, 4]


def request_in_transaction(fleet: Fleet) -> None:
    with transaction.atomic():
        request_config_update([fleet.bond.bonder_id], reason="asked for")


def test_changes_within_200_ms_share_a_revision(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)
    last = ConfigUpdate.objects.latest("id").pk
    change(fleet, 200)
    change(fleet, 250)
    # On a busy machine the two would be further apart.
    ConfigUpdate.objects.filter(pk__gt=last).update(created=fleet.now)

    too_early = publish_changes(now=fleet.now + timedelta(milliseconds=100))
    then = publish_changes(now=fleet.now + timedelta(milliseconds=300))

    assert fleet.bond.bonder_id not in too_early.nodes
    assert fleet.bond.bonder_id in then.nodes
    assert config_of(fleet).revision == 2


def test_a_rolled_back_transaction_leaves_no_update(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)
    before = statuses(fleet)

    with transaction.atomic():
        change(fleet, 300)
        transaction.set_rollback(True)

    assert statuses(fleet) == before


def test_updates_go_from_pending_over_sent_to_applied(fleet: Fleet, bonder: Machine) -> None:
    assert set(statuses(fleet)) == {"pending"}

    answer = fleet.fetch(bonder)
    assert set(statuses(fleet)) == {"sent"}

    fleet.report(bonder, fleet.applied(answer, number=1))
    assert set(statuses(fleet)) == {"applied"}


def test_silence_changes_nothing(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)

    fleet.later(timedelta(days=30))
    publish_changes(now=fleet.now)

    assert set(statuses(fleet)) == {"sent"}


def test_a_node_cut_off_gets_all_at_once_and_in_order(fleet: Fleet, bonder: Machine) -> None:
    fleet.apply(bonder, number=1)
    for hold_ms in (200, 210, 220):
        change(fleet, hold_ms)
        fleet.later(SECOND)
        publish_changes(now=fleet.now)
    assert statuses(fleet)[-3:] == ["pending"] * 3

    answer = fleet.apply(bonder, number=2)

    assert answer.envelope
    assert answer.envelope.revision == 4
    assert statuses(fleet)[-3:] == ["applied"] * 3


def test_a_report_of_an_older_revision_settles_only_what_it_held(
    fleet: Fleet, bonder: Machine
) -> None:
    first = fleet.fetch(bonder)
    change(fleet, 200)
    fleet.fetch(bonder)

    fleet.report(bonder, fleet.applied(first, number=1))

    assert statuses(fleet)[-1] == "sent"
    assert set(statuses(fleet)[:-1]) == {"applied"}


def test_a_change_that_alters_nothing_is_settled_by_what_was_reported(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.apply(bonder, number=1)

    request_in_transaction(fleet)
    fleet.later(SECOND)
    publish_changes(now=fleet.now)

    assert statuses(fleet)[-1] == "applied"
    assert config_of(fleet).revision == 1


def roll_back(fleet: Fleet, bonder: Machine, *, number: int, revision: int) -> None:
    report = ConfigRolledBack(
        number=number,
        at_ms=fleet.ms(fleet.now),
        revision=revision,
        reason=RollbackReason.TUNNEL_DOWN,
        objects=[Problem(about="leg 21", text="no such interface")],
    )
    fleet.report(bonder, report)


def test_a_rolled_back_config_is_failed_with_its_reason_and_an_alert(
    fleet: Fleet, bonder: Machine
) -> None:
    answer = fleet.apply(bonder, number=1)
    assert answer.envelope
    change(fleet, 200)
    fleet.fetch(bonder)

    roll_back(fleet, bonder, number=2, revision=2)

    update = ConfigUpdate.objects.filter(node_id=fleet.bond.bonder_id).latest("id")
    assert update.status == "failed"
    assert update.failure_count == 1
    assert update.last_error == "rolled back, tunnel_down: leg 21: no such interface"
    assert Alert.objects.get(code="config_failed").about == f"node {fleet.bond.bonder_id}"


def test_a_refused_config_is_failed_too(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)

    report = ConfigRefused(
        number=1,
        at_ms=fleet.ms(fleet.now),
        revision=1,
        reason=RefusalReason.IMPLAUSIBLE,
        detail="no legs",
    )
    fleet.report(bonder, report)

    assert set(statuses(fleet)) == {"failed"}
    assert config_of(fleet).last_error == "refused, implausible: no legs"


def test_a_failed_revision_is_offered_again_after_1_5_and_15_minutes(
    fleet: Fleet, bonder: Machine
) -> None:
    first = fleet.apply(bonder, number=1)
    assert first.envelope
    has = first.envelope
    change(fleet, 200)
    fleet.fetch(bonder)
    waits = []

    for number in (2, 3, 4):
        roll_back(fleet, bonder, number=number, revision=2)
        held = fleet.poll(bonder, revision=1, hash=has.hash)
        assert isinstance(held, Later)
        assert held.at
        waits.append((held.at - fleet.now) / timedelta(minutes=1))
        fleet.now = held.at + SECOND
        given = fleet.poll(bonder, revision=1, hash=has.hash)
        assert isinstance(given, PollAnswer)

    assert waits == [1, 5, 15]
    update = ConfigUpdate.objects.filter(node_id=fleet.bond.bonder_id).latest("id")
    assert update.failure_count == 3


def test_a_newer_revision_is_given_at_once_and_settles_the_failed_one(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.apply(bonder, number=1)
    change(fleet, 200)
    fleet.fetch(bonder)
    roll_back(fleet, bonder, number=2, revision=2)

    change(fleet, 210)
    answer = fleet.apply(bonder, number=3)

    assert answer.envelope
    assert answer.envelope.revision == 3
    assert statuses(fleet)[-2:] == ["applied", "applied"]


def test_what_becomes_due_later_wakes_the_node(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)
    roll_back(fleet, bonder, number=1, revision=1)
    due = config_of(fleet).offered_from

    before = newly_offered(now=due - SECOND)
    after = newly_offered(now=due + SECOND)

    assert (fleet.bond.bonder_id, 1) not in before
    assert (fleet.bond.bonder_id, 1) in after


def test_a_machine_in_the_midst_of_applying_is_not_given_the_same_over_and_over(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.fetch(bonder)

    again = fleet.poll(bonder)

    assert isinstance(again, Later)
    assert again.at
    assert again.at - fleet.now <= timedelta(seconds=2)


def test_a_lost_answer_is_given_again(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)
    fleet.later(3 * SECOND)

    again = fleet.poll(bonder)

    assert isinstance(again, PollAnswer)
    assert again.status is PollStatus.CONFIG


def test_who_does_not_wait_is_answered_now(fleet: Fleet, bonder: Machine) -> None:
    fleet.fetch(bonder)

    again = fleet.poll(bonder, wait_ms=0)

    assert isinstance(again, PollAnswer)


def test_a_server_that_was_set_back_goes_on_above_the_nodes_revision(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.apply(bonder, number=1)

    answer = fleet.poll(bonder, revision=41, hash="of a config this server never made")

    assert isinstance(answer, PollAnswer)
    assert answer.envelope
    assert answer.envelope.revision == 42


def test_equal_numbers_with_different_content_count_as_set_back(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.apply(bonder, number=1)

    answer = fleet.poll(bonder, revision=1, hash="another history")

    assert isinstance(answer, PollAnswer)
    assert answer.envelope
    assert answer.envelope.revision == 2


def test_a_forced_change_makes_a_forced_config_until_it_is_applied(
    fleet: Fleet, bonder: Machine
) -> None:
    fleet.apply(bonder, number=1)
    with transaction.atomic():
        change(fleet, 200)
        request_config_update([fleet.bond.bonder_id], reason="forced", forced=True)
    change(fleet, 210)

    forced = fleet.apply(bonder, number=2)
    change(fleet, 220)
    then = fleet.apply(bonder, number=3)

    assert forced.envelope
    assert then.envelope
    assert (forced.envelope.forced, then.envelope.forced) == (True, False)


def test_a_deleted_node_is_told_to_stand_down(fleet: Fleet, bonder: Machine) -> None:
    fleet.apply(bonder, number=1)
    node_id = fleet.bond.bonder_id
    delete_bond(by=SERVER, bond=fleet.bond)
    fleet.later(SECOND)

    buried = publish_decommissions(now=fleet.now)
    answer = fleet.poll(bonder, revision=1, hash="what it had")

    assert buried == {node_id}
    assert isinstance(answer, PollAnswer)
    assert answer.envelope
    content = checked_content(
        answer.envelope,
        signer_pem=answer.signer,
        ca=fleet.crl.authority.certificate,
        node_id=node_id,
    )
    assert content.decommission
    assert content.bonds == []
    assert publish_decommissions(now=fleet.now) == set()


def test_a_node_nobody_remembers_is_told_so(fleet: Fleet, bonder: Machine) -> None:
    node_id = fleet.bond.bonder_id
    PublishedConfig.objects.filter(pk=node_id).delete()
    Bond.objects.filter(pk=fleet.bond.pk).delete()
    fleet.bond.bonder.delete()

    with pytest.raises(ChannelRefusal) as refused:
        fleet.poll(bonder)

    assert refused.value.answer.code == ErrorCode.UNKNOWN_NODE


def test_link_mode_reaches_both_ends(fleet: Fleet, bonder: Machine) -> None:
    aggregator = Machine("agg")
    fleet.enrol(fleet.agg_1, aggregator)
    fleet.apply(bonder, number=1)
    fleet.apply(aggregator, number=1)

    update_leg(by=SERVER, leg=fleet.static_leg, link_mode="idle")

    modes = []
    for machine in (bonder, aggregator):
        answer = fleet.fetch(machine)
        assert answer.envelope
        content = checked_content(
            answer.envelope,
            signer_pem=answer.signer,
            ca=fleet.crl.authority.certificate,
            node_id=machine.node_id,
        )
        modes.append(content.bonds[0].legs[0].link_mode)
    assert modes == ["idle", "idle"]


def test_a_config_that_cannot_be_compiled_holds_up_no_other_node(
    fleet: Fleet, bonder: Machine
) -> None:
    Leg.objects.filter(pk=fleet.static_leg.pk).update(tunnel_port=None)
    with transaction.atomic():
        request_config_update([fleet.bond.bonder_id, fleet.agg_2], reason="asked for")
    fleet.later(SECOND)

    published = publish_changes(now=fleet.now)
    without = publish_changes(now=fleet.now, leave_out=published.failed)

    assert set(published.failed) == {fleet.bond.bonder_id, fleet.agg_1.pk}
    assert fleet.agg_2.pk in published.nodes
    assert not without.failed


def test_both_ends_of_a_change_are_given_it_in_one_transaction(
    fleet: Fleet, bonder: Machine
) -> None:
    aggregator = Machine("agg")
    fleet.enrol(fleet.agg_1, aggregator)
    fleet.apply(bonder, number=1)
    fleet.apply(aggregator, number=1)

    def given(*machines: Machine, hold_ms: int) -> list[str]:
        change(fleet, hold_ms)
        fleet.later(SECOND)
        publish_changes(now=fleet.now)
        pollings = [polling_of(machine) for machine in machines]
        answers: list[object] = []
        asked = queries_of(
            lambda: answers.extend(answer_polls(pollings, crl=fleet.crl, now=fleet.now))
        )
        assert [isinstance(answer, PollAnswer) for answer in answers] == [True] * len(machines)
        return asked

    def polling_of(machine: Machine) -> Polling:
        enrolment = Enrolment.objects.get(node_id=machine.node_id, ended__isnull=True)
        has = PollRequest(revision=1, hash="another", software_version=VERSION)
        return Polling(node_id=machine.node_id, enrolment_id=enrolment.pk, has=has)

    one = given(bonder, hold_ms=60)
    both = given(bonder, aggregator, hold_ms=70)

    assert len(both) == len(one)
    for node_id in (bonder.node_id, aggregator.node_id):
        config = PublishedConfig.objects.get(pk=node_id)
        assert config.delivered_revision == config.revision
    assert statuses(fleet)[-1] == "sent"


def test_the_statements_of_a_publication_do_not_grow_with_an_aggregators_bonds(
    fleet: Fleet,
) -> None:
    def asked() -> int:
        return len(queries_of(lambda: content_of(fleet.agg_1.pk)))

    one = asked()
    for name in ("two", "three"):
        create_dhcp_leg(create_bond(by=SERVER, aggregator=fleet.agg_1, space=fleet.root, name=name))

    assert [len(bond.legs) for bond in content_of(fleet.agg_1.pk).bonds] == [2, 1, 1]
    assert asked() == one

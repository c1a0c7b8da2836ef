import base64
import hashlib
from datetime import timedelta

import pytest
from cryptography import x509

from openbond.server.control.delivery import Later
from openbond.server.control.models import EndReason, Enrolment
from openbond.server.control.refusals import ChannelRefusal
from openbond.server.fleet.models import ConfigUpdate, Tombstone
from openbond.server.system.models import Alert
from openbond.wire.exchange import ErrorCode, PollAnswer, PollStatus

from .conftest import Fleet
from .machine import Machine


def reasons_told_to(node_id: int) -> list[str]:
    updates = ConfigUpdate.objects.filter(node_id=node_id).order_by("id")
    return list(updates.values_list("reason", flat=True))


def test_the_node_key_makes_a_machine_the_node(fleet: Fleet) -> None:
    machine = Machine()

    answer = fleet.enrol(fleet.bond.bonder, machine)

    assert answer.node_id == fleet.bond.bonder_id
    certificate = x509.load_pem_x509_certificate(answer.certificate.encode())
    certificate.verify_directly_issued_by(fleet.crl.authority.certificate)
    assert certificate.public_key() == machine.identity.public_key()
    assert answer.ca == fleet.crl.authority.certificate_pem


def test_a_key_typed_by_a_person_is_understood(fleet: Fleet) -> None:
    fleet.bond.bonder.key = fleet.bond.bonder.key.lower().replace("-", " ").replace("0", "o")

    answer = fleet.enrol(fleet.bond.bonder, Machine())

    assert answer.node_id == fleet.bond.bonder_id


def test_an_unknown_key_is_refused_with_the_remedy(fleet: Fleet) -> None:
    fleet.bond.bonder.key = "0000-0000-0000-0000"

    with pytest.raises(ChannelRefusal, match="Compare it with the one shown") as refused:
        fleet.enrol(fleet.bond.bonder, Machine())

    assert refused.value.answer.code == ErrorCode.UNKNOWN_KEY
    assert not Enrolment.objects.exists()


def test_the_key_of_a_deleted_node_says_that_it_was_deleted(fleet: Fleet) -> None:
    digest = hashlib.sha256(b"1111-1111-1111-1111").hexdigest()
    Tombstone.objects.create(
        node_id=4711, kind="bonder", name="old", key_digest=digest, deleted=fleet.now
    )
    fleet.bond.bonder.key = "1111-1111-1111-1111"

    with pytest.raises(ChannelRefusal, match=r"bonder old .* was deleted"):
        fleet.enrol(fleet.bond.bonder, Machine())


def test_the_other_end_learns_of_the_new_tunnel_key(fleet: Fleet) -> None:
    fleet.enrol(fleet.bond.bonder, Machine())

    assert reasons_told_to(fleet.agg_1.pk)[-1] == "site enrolled"
    assert "site enrolled" not in reasons_told_to(fleet.agg_2.pk)


def test_an_aggregator_that_enrols_is_told_to_all_its_bonders(fleet: Fleet) -> None:
    fleet.enrol(fleet.agg_1, Machine())

    assert reasons_told_to(fleet.bond.bonder_id)[-1] == "agg-1 enrolled"


def test_a_renewal_with_the_same_keys_tells_nobody(fleet: Fleet) -> None:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    before = ConfigUpdate.objects.count()

    fleet.enrol(fleet.bond.bonder, machine)

    assert ConfigUpdate.objects.count() == before


def test_the_newest_enrolment_wins_and_the_older_certificate_is_revoked(fleet: Fleet) -> None:
    first = fleet.enrol(fleet.bond.bonder, Machine("old"))
    second = fleet.enrol(fleet.bond.bonder, Machine("new"))

    crl = x509.load_pem_x509_crl(second.crl.encode())
    revoked = x509.load_pem_x509_certificate(first.certificate.encode()).serial_number
    current = x509.load_pem_x509_certificate(second.certificate.encode()).serial_number
    assert crl.get_revoked_certificate_by_serial_number(revoked) is not None
    assert crl.get_revoked_certificate_by_serial_number(current) is None


def test_the_older_machine_is_told_that_it_is_superseded(fleet: Fleet) -> None:
    old, new = Machine("old"), Machine("new")
    fleet.enrol(fleet.bond.bonder, old)
    fleet.enrol(fleet.bond.bonder, new)

    answer = fleet.poll(old)

    assert isinstance(answer, PollAnswer)
    assert answer.status is PollStatus.SUPERSEDED
    assert "Another machine enrolled later" in answer.detail
    with pytest.raises(ChannelRefusal) as refused:
        fleet.report(old)
    assert refused.value.answer.code == ErrorCode.SUPERSEDED


def test_only_the_newest_machine_is_served(fleet: Fleet) -> None:
    old, new = Machine("old"), Machine("new")
    fleet.enrol(fleet.bond.bonder, old)
    fleet.enrol(fleet.bond.bonder, new)

    answer = fleet.poll(new)

    assert isinstance(answer, PollAnswer)
    assert answer.status is PollStatus.CONFIG


def test_a_replacement_alone_raises_no_alert(fleet: Fleet) -> None:
    fleet.enrol(fleet.bond.bonder, Machine("old"))
    fleet.enrol(fleet.bond.bonder, Machine("new"))

    assert not Alert.objects.exists()


def test_two_machines_that_alternate_raise_one_alert(fleet: Fleet) -> None:
    old, new = Machine("old"), Machine("new")
    for machine in (old, new, old, new):
        fleet.enrol(fleet.bond.bonder, machine)

    alert = Alert.objects.get()
    assert (alert.code, alert.count) == ("duplicate_node", 2)
    assert "old" in alert.text
    assert "new" in alert.text


def test_a_recorded_request_stays_worthless_after_a_renewal_with_the_same_key(fleet: Fleet) -> None:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    fleet.poll(machine)

    fleet.enrol(fleet.bond.bonder, machine)

    machine.numbers.clear()
    with pytest.raises(ChannelRefusal) as refused:
        fleet.poll(machine)
    assert refused.value.answer.code == ErrorCode.REPLAYED_NUMBER


def test_an_expired_certificate_is_told_to_enrol_again_and_does_not_strand(fleet: Fleet) -> None:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    fleet.later(timedelta(days=366))

    with pytest.raises(ChannelRefusal, match="Enrol again with the node key") as refused:
        fleet.poll(machine)
    assert refused.value.answer.code == ErrorCode.CERTIFICATE_EXPIRED

    fleet.enrol(fleet.bond.bonder, machine)
    assert not isinstance(fleet.poll(machine), Later)


def test_a_superseded_machine_is_not_tempted_to_enrol_again_by_expiry(fleet: Fleet) -> None:
    old = Machine("old")
    fleet.enrol(fleet.bond.bonder, old)
    fleet.enrol(fleet.bond.bonder, Machine("new"))
    fleet.later(timedelta(days=366))

    answer = fleet.poll(old)

    assert isinstance(answer, PollAnswer)
    assert answer.status is PollStatus.SUPERSEDED


@pytest.mark.parametrize(
    ("tunnel_key", "words"),
    [
        pytest.param("not base64!", "base64", id="not base64"),
        pytest.param(base64.b64encode(b"short").decode(), "32 bytes", id="short"),
    ],
)
def test_a_bad_tunnel_key_is_refused_and_nothing_is_done(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tunnel_key: str, words: str
) -> None:
    machine = Machine()
    monkeypatch.setattr(Machine, "tunnel_key", tunnel_key)

    with pytest.raises(ChannelRefusal, match=words):
        fleet.enrol(fleet.bond.bonder, machine)

    assert not Enrolment.objects.exists()


def test_one_current_enrolment_per_node_is_held_by_the_database(fleet: Fleet) -> None:
    for name in ("a", "b", "c"):
        fleet.enrol(fleet.bond.bonder, Machine(name))

    ended = Enrolment.objects.filter(node_id=fleet.bond.bonder_id).values_list("end_reason")
    assert [reason for (reason,) in ended] == [EndReason.SUPERSEDED, EndReason.SUPERSEDED, ""]

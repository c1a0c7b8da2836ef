"""The keypairs of a leg: when handshakes are sent, which keypair is in use, what ends one."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import inf
from random import Random

import pytest

from openbond.tunnel.cookies import Gate
from openbond.tunnel.drops import Drop
from openbond.tunnel.messages import REKEY_AFTER_PACKETS
from openbond.tunnel.session import Session
from openbond.tunnel.settings import BondSettings, Security
from tests.tunnel.pair import AGGREGATOR, BONDER, bond, leg

HERE = ("10.0.0.1", 40000)


def session(settings: BondSettings, *, epoch: int = 1, seed: int = 1) -> Session:
    entropy = Random(f"{settings.role} {epoch} {seed}").randbytes
    return Session(settings, 1, epoch=epoch, gate=Gate(entropy), entropy=entropy)


def ends(interval: float = 3600.0) -> tuple[Session, Session]:
    near = session(bond(BONDER, leg(1), handshake_interval=interval))
    return near, session(bond(AGGREGATOR, leg(1), handshake_interval=interval))


def shake(near: Session, far: Session, now: float) -> None:
    """Let both ends agree on a keypair that both use."""
    near.begin(now)
    [initiation] = near.datagrams_to_send(now)
    response, drop = far.receive_initiation(initiation, HERE, now)
    assert drop is None
    assert near.receive_response(response, now) is None
    assert far.next is not None
    assert far.confirm(far.next, now)


def repetitions(near: Session, *, until: float) -> list[float]:
    """Return when an initiation that nobody answers is sent."""
    near.begin(0.0)
    sent, now = [], 0.0
    while now <= until:
        sent += [now] * len(near.datagrams_to_send(now))
        assert near.get_timer() > now
        now = near.get_timer()
        near.handle_timer(now)
    return sent


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def test_an_unanswered_initiation_is_repeated_as_behaviour_says() -> None:
    sent = repetitions(ends()[0], until=120.0)

    pauses = gaps(sent)
    assert pauses[:3] == [0.25, 0.5, 1.0]
    eager = [pause for at, pause in zip(sent, pauses, strict=False) if 1.7 < at < 29]
    patient = [pause for at, pause in zip(sent, pauses, strict=False) if at > 30]
    assert all(0.8 <= pause <= 1.2 for pause in eager)
    assert all(1.6 <= pause <= 2.4 for pause in patient)
    assert max(patient) - min(patient) > 0.2  # spread: legs do not act all at once
    assert sent[-1] > 115


def test_a_repetition_is_the_same_message_and_any_answer_to_it_fits() -> None:
    near, far = ends()
    near.begin(0.0)
    [first] = near.datagrams_to_send(0.0)
    [second] = near.datagrams_to_send(0.25)
    assert first == second

    answers = [far.receive_initiation(each, HERE, 0.5) for each in (first, second)]

    assert answers[0] == answers[1]
    assert near.receive_response(answers[1][0], 0.6) is None


def test_after_five_seconds_the_initiation_is_made_anew() -> None:
    near, _ = ends()
    near.begin(0.0)
    [first] = near.datagrams_to_send(0.0)

    [later] = near.datagrams_to_send(5.0)

    assert later != first


def test_the_responder_uses_the_new_keypair_only_once_the_initiator_has() -> None:
    near, far = ends()
    shake(near, far, 0.0)
    old = far.current
    near.begin(10.0)
    [initiation] = near.datagrams_to_send(10.0)

    response, _ = far.receive_initiation(initiation, HERE, 10.0)

    assert far.current is old
    assert near.receive_response(response, 10.1) is None
    new = far.next
    assert new is not None
    assert far.confirm(new, 10.2)
    assert far.current is new
    assert not far.confirm(new, 10.3)


def test_the_old_keypair_is_accepted_for_ten_seconds() -> None:
    near, far = ends()
    shake(near, far, 0.0)
    old = far.current
    assert old is not None
    shake(near, far, 100.0)

    for now, kept in ((109.9, True), (110.0, False)):
        far.handle_timer(now)
        assert (old.local_index in far.keypairs) is kept


def test_rekeying_starts_at_the_interval_with_five_percent_either_way() -> None:
    starts = []
    for seed in range(40):
        near = session(bond(BONDER, leg(1)), seed=seed)
        shake(near, session(bond(AGGREGATOR, leg(1)), seed=seed), 0.0)
        starts.append(min(near.get_timer(), 4000.0))

    assert all(3420 <= at <= 3780 for at in starts)
    assert max(starts) - min(starts) > 200


def test_a_keypair_is_forgotten_ten_minutes_after_a_rekey_that_failed() -> None:
    near, far = ends(interval=100.0)
    shake(near, far, 0.0)

    for end in (near, far):
        end.handle_timer(694.0)
        assert end.current is not None
        end.handle_timer(706.0)
        assert end.current is None


def test_two_to_the_sixtieth_packet_starts_a_handshake_whatever_the_interval() -> None:
    near, far = ends(interval=0.0)
    shake(near, far, 0.0)
    near.handle_timer(1e6)
    assert not near.is_handshaking

    assert near.current is not None
    near.current.take_sequences(REKEY_AFTER_PACKETS)
    near.handle_timer(1e6)

    assert near.is_handshaking


def test_a_shorter_interval_takes_effect_without_losing_the_session() -> None:
    near, far = ends(interval=0.0)
    shake(near, far, 0.0)

    near.reconfigure(bond(BONDER, leg(1), handshake_interval=60.0), 5000.0)
    near.handle_timer(5000.0)

    assert near.is_handshaking
    assert near.current is not None


def test_an_older_number_is_dropped() -> None:
    near, far = ends()
    near.begin(0.0)
    [older] = near.datagrams_to_send(0.0)
    [newer] = near.datagrams_to_send(6.0)

    assert far.receive_initiation(newer, HERE, 6.0)[1] is None

    assert far.receive_initiation(older, HERE, 6.1) == (b"", Drop.OLD_HANDSHAKE)


def test_an_initiation_replayed_after_its_session_began_is_dropped() -> None:
    near, far = ends()
    near.begin(0.0)
    [initiation] = near.datagrams_to_send(0.0)
    response, _ = far.receive_initiation(initiation, HERE, 0.0)
    near.receive_response(response, 0.0)
    assert far.next is not None
    far.confirm(far.next, 0.0)
    current = far.current

    assert far.receive_initiation(initiation, ("10.9.9.9", 1), 1.0) == (b"", Drop.OLD_HANDSHAKE)
    assert far.current is current


def test_a_number_rises_across_restarts_by_the_epoch() -> None:
    near, far = ends()
    for second in range(5):
        shake(near, far, 100.0 * second)
    restarted = session(bond(BONDER, leg(1)), epoch=2)

    shake(restarted, far, 600.0)

    assert far.handshakes == 6


def other_bond(settings: BondSettings) -> BondSettings:
    return replace(settings, id=8)


def other_leg(settings: BondSettings) -> BondSettings:
    return settings


@pytest.mark.parametrize(("change", "leg_id"), [(other_bond, 1), (other_leg, 2)])
def test_an_initiation_for_another_bond_or_leg_is_refused(
    change: Callable[[BondSettings], BondSettings], leg_id: int
) -> None:
    near, _ = ends()
    entropy = Random(4).randbytes
    settings = change(bond(AGGREGATOR, leg(1)))
    far = Session(settings, leg_id, epoch=1, gate=Gate(entropy), entropy=entropy)
    near.begin(0.0)

    assert far.receive_initiation(near.datagrams_to_send(0.0)[0], HERE, 0.0)[1] is (
        Drop.BAD_HANDSHAKE
    )


def test_an_unconfirmed_keypair_is_forgotten() -> None:
    near, far = ends()
    near.begin(0.0)
    far.receive_initiation(near.datagrams_to_send(0.0)[0], HERE, 0.0)

    far.handle_timer(30.0)

    assert far.next is None
    assert far.keypairs == {}
    assert far.get_timer() == inf


def test_the_aggregator_asks_for_a_rekey_when_its_mode_changed_until_it_has_one() -> None:
    near, far = ends()
    shake(near, far, 0.0)
    assert not far.wishes_rekey

    far.reconfigure(bond(AGGREGATOR, leg(1), security=Security.HMAC), 10.0)
    assert far.wishes_rekey
    shake(near, far, 11.0)

    assert not far.wishes_rekey


def test_unusable_keys_are_refused_and_change_nothing() -> None:
    near, far = ends()
    shake(near, far, 0.0)

    with pytest.raises(ValueError, match="secret has 5 bytes, not 32"):
        near.reconfigure(replace(bond(BONDER, leg(1)), secret=b"short"), 1.0)

    assert near.current is not None

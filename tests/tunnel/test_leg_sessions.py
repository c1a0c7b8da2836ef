"""Sessions of a leg over a simulated line: rekeying, change of mode, restarts, roaming."""

from dataclasses import replace

import pytest

from openbond.tunnel.drops import Drop
from openbond.tunnel.events import PeerMoved
from openbond.tunnel.settings import Cipher, Role, Security
from tests.tunnel.pair import AGGREGATOR, BONDER, Line, Pair, bond, leg

BOTH = (BONDER, AGGREGATOR)


# -- sessions --------------------------------------------------------------------------------------


def test_rekeying_every_few_seconds_loses_no_datagram_of_data() -> None:
    pair = Pair(
        bonder=bond(BONDER, leg(1), handshake_interval=5.0),
        aggregator=bond(AGGREGATOR, leg(1), handshake_interval=5.0),
        lines={1: Line(delay_up=0.04, delay_down=0.01, jitter=0.002)},
    )
    pair.run(6)
    sent = 0

    for _ in range(3_000):  # one minute
        pair.run(0.020)
        for role in BOTH:
            assert pair.send_data(role, 1, 3, size=200)
        sent += 3
    pair.run(1)

    assert pair.end(BONDER).session.handshakes > 10
    assert len(pair.ends[AGGREGATOR].heard_data) == len(pair.ends[BONDER].heard_data) == sent
    assert pair.ends[BONDER].drops == pair.ends[AGGREGATOR].drops == []
    assert pair.entered(BONDER)[-1] == "up"


def test_rekeying_over_a_lossy_line_never_lets_the_session_go() -> None:
    pair = Pair(
        bonder=bond(BONDER, leg(1), handshake_interval=5.0),
        aggregator=bond(AGGREGATOR, leg(1), handshake_interval=5.0),
        lines={1: Line(loss_up=0.2, loss_down=0.2)},
    )

    pair.run(120)

    assert pair.end(BONDER).session.handshakes > 15
    drops = [drop for role in BOTH for _, drop in pair.ends[role].drops]
    assert set(drops) <= {Drop.UNASKED, Drop.OLD_HANDSHAKE}


def test_interval_zero_never_rekeys() -> None:
    pair = Pair(
        bonder=bond(BONDER, leg(1), handshake_interval=0.0),
        aggregator=bond(AGGREGATOR, leg(1), handshake_interval=0.0),
    )

    pair.run(100)

    assert pair.end(BONDER).session.handshakes == 1
    assert pair.end(BONDER).session.get_timer() == float("inf")


@pytest.mark.parametrize("first", BOTH)
def test_a_raised_mode_takes_effect_with_the_first_end_and_loses_nothing(first: Role) -> None:
    plain = {role: bond(role, leg(1), security=Security.NONE) for role in BOTH}
    pair = Pair(bonder=plain[BONDER], aggregator=plain[AGGREGATOR])
    pair.run(10)
    raised = replace(plain[first], security=Security.ENCRYPTION, cipher=Cipher.AES256)

    pair.reconfigure(first, raised)
    sent = keep_sending(pair, seconds=2.0)

    assert sent == len(pair.ends[AGGREGATOR].heard_data)
    for role in BOTH:
        keypair = pair.end(role).keypair
        assert keypair is not None
        assert keypair.agreement.security is Security.ENCRYPTION
        assert keypair.agreement.cipher is Cipher.AES256
    assert pair.ends[AGGREGATOR].drops == []


@pytest.mark.parametrize("order", [(BONDER, AGGREGATOR), (AGGREGATOR, BONDER)])
def test_a_lowered_mode_takes_effect_with_the_second_end(order: tuple[Role, Role]) -> None:
    pair = Pair()
    pair.run(10)
    modes = []

    for role in order:
        pair.reconfigure(role, bond(role, leg(1), security=Security.HMAC))
        keep_sending(pair, seconds=2.0)
        keypair = pair.end(BONDER).keypair
        assert keypair is not None
        modes.append(keypair.security)

    assert modes == [Security.ENCRYPTION, Security.HMAC]
    assert pair.ends[AGGREGATOR].drops == pair.ends[BONDER].drops == []


def keep_sending(pair: Pair, *, seconds: float) -> int:
    """Send a datagram of data every 10 ms at the bonder; return how many were sent in all."""
    for _ in range(round(seconds / 0.010)):
        assert pair.send_data(BONDER, 1, 1)
        pair.run(0.010)
    pair.run(0.1)
    return round(seconds / 0.010)


def test_another_secret_makes_no_session() -> None:
    pair = Pair(aggregator=bond(AGGREGATOR, leg(1), secret=bytes(32)))

    pair.run(30)

    assert pair.shown()[0] == "down"
    assert pair.end(BONDER).keypair is None
    assert {drop for _, drop in pair.ends[BONDER].drops} == {Drop.BAD_HANDSHAKE}


def test_a_revoked_peer_loses_its_session_at_once_and_gets_none() -> None:
    pair = Pair()
    pair.run(10)

    revoked = replace(pair.settings[AGGREGATOR], peer_public_key=b"")
    pair.reconfigure(AGGREGATOR, revoked)
    pair.run(10)

    assert pair.end(AGGREGATOR).keypair is None
    assert pair.shown() == ("down", "down")
    pair.reconfigure(AGGREGATOR, bond(AGGREGATOR, leg(1)))
    pair.run(3)
    assert pair.shown() == ("testing", "testing")


@pytest.mark.parametrize("role", BOTH)
def test_a_restarted_end_is_back_within_three_seconds(role: Role) -> None:
    pair = Pair()
    pair.run(20)

    pair.restart(role, epoch=2)
    pair.run(3)

    assert pair.eligible(BONDER) == pair.eligible(AGGREGATOR) == [1]
    pair.run(6)
    assert pair.shown() == ("up", "up")


def test_an_initiation_of_an_earlier_start_is_dropped() -> None:
    pair = Pair()
    pair.run(10)
    pair.restart(BONDER, epoch=2)
    pair.run(10)

    pair.restart(BONDER, epoch=1)  # whoever has only old messages to replay
    pair.run(10)

    assert Drop.OLD_HANDSHAKE in {drop for _, drop in pair.ends[AGGREGATOR].drops}
    assert pair.shown()[0] == "down"


def test_a_keypair_that_cannot_be_renewed_serves_ten_minutes_more() -> None:
    pair = Pair(
        bonder=bond(BONDER, leg(1), handshake_interval=60.0),
        aggregator=bond(AGGREGATOR, leg(1), handshake_interval=60.0),
    )
    pair.run(10)
    original = pair.send

    def without_responses(role: Role, leg_id: int, datagram: bytes) -> None:
        if datagram[0] != 2:
            original(role, leg_id, datagram)

    pair.send = without_responses  # type: ignore[method-assign]
    pair.run(600)
    assert pair.shown() == ("up", "up")
    pair.run(70)

    assert pair.end(BONDER).keypair is None
    assert pair.shown()[0] == "down"


# -- roaming ---------------------------------------------------------------------------------------


def test_a_new_port_of_the_nat_costs_one_probe_and_no_handshake() -> None:
    pair = Pair()
    pair.run(20)

    pair.lines[1].bonder_port = 51111
    pair.run(0.130)

    assert pair.end(AGGREGATOR).address == ("10.0.0.1", 51111)
    assert pair.end(AGGREGATOR).roamings == 1
    assert pair.end(BONDER).session.handshakes == 1
    moved = [e for e in pair.ends[AGGREGATOR].events if isinstance(e, PeerMoved)]
    assert moved[-1].address == ("10.0.0.1", 51111)


def test_neither_an_old_nor_a_forged_datagram_moves_the_peer() -> None:
    pair = Pair()
    pair.run(20)
    captured: list[bytes] = []
    original = pair.send

    def capture(role: Role, leg_id: int, datagram: bytes) -> None:
        if role is BONDER:
            captured.append(datagram)
        original(role, leg_id, datagram)

    pair.send = capture  # type: ignore[method-assign]
    pair.run(1)
    attacker = ("198.51.100.9", 9)
    forged = captured[-1][:-1] + bytes([captured[-1][-1] ^ 1])

    drops = [
        pair.end(AGGREGATOR).receive_control(datagram, attacker, pair.now)
        for datagram in (captured[0], captured[-1], forged)
    ]

    assert drops == [Drop.REPLAYED, Drop.REPLAYED, Drop.BAD_TAG]
    assert pair.end(AGGREGATOR).address == ("10.0.0.1", 40000)


def test_plain_data_moves_nobody_and_confirms_nothing() -> None:
    plain = {role: bond(role, leg(1), security=Security.NONE) for role in BOTH}
    pair = Pair(bonder=plain[BONDER], aggregator=plain[AGGREGATOR])
    pair.run(10)
    keypair = pair.end(AGGREGATOR).keypair
    assert keypair is not None

    pair.end(AGGREGATOR).on_data_heard(keypair, 2**40, 1, ("198.51.100.9", 9), pair.now)
    pair.run(5)

    assert pair.end(AGGREGATOR).address == ("10.0.0.1", 40000)
    assert pair.shown() == ("up", "up")

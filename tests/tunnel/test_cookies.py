"""Under load a handshake is computed only for who shows a cookie of his own address."""

from random import Random

from openbond.tunnel.cookies import SECRET_LIFETIME, Gate, read_cookie
from openbond.tunnel.drops import Drop
from openbond.tunnel.handshake import Offer, SentInitiation
from openbond.tunnel.noise import Identity
from openbond.tunnel.settings import Cipher, Security
from tests.tunnel.keys import AGGREGATOR_PRIVATE, BONDER_PRIVATE, SECRET, public_of
from tests.tunnel.pair import AGGREGATOR, BONDER, Pair, leg

HERE, ELSEWHERE = ("10.0.0.1", 40000), ("10.0.0.9", 40000)
PUBLIC = public_of(AGGREGATOR_PRIVATE)


def initiation(seed: int = 1) -> SentInitiation:
    identity = Identity(BONDER_PRIVATE, PUBLIC, SECRET)
    offer = Offer(
        bond_id=7, leg_id=1, security=Security.NONE, cipher=Cipher.AES128, number=(1, seed)
    )
    return SentInitiation(identity, offer, 5, Random(seed).randbytes)


def busy_gate() -> Gate:
    gate = Gate(Random(3).randbytes, limit=10)
    for seed in range(10):
        assert gate.check(initiation().datagram(), (f"10.0.1.{seed}", 1), 100.0) is None
    return gate


def cookie_from(gate: Gate, sent: SentInitiation, now: float) -> bytes:
    message = gate.cookie_message(sent.datagram(), HERE, PUBLIC, now)
    assert len(message) < len(sent.datagram())
    cookie = read_cookie(message, sent.session, sent.mac1, PUBLIC)
    assert isinstance(cookie, bytes)
    return cookie


def test_without_load_nobody_needs_a_cookie() -> None:
    gate = Gate(Random(3).randbytes, limit=10)

    checks = [gate.check(initiation().datagram(), HERE, second) for second in range(100)]

    assert checks == [None] * 100


def test_under_load_only_the_bearer_of_a_cookie_is_admitted() -> None:
    gate, sent = busy_gate(), initiation()
    assert gate.check(sent.datagram(), HERE, 100.5) is Drop.OVERLOAD

    cookie = cookie_from(gate, sent, 100.5)

    assert gate.check(sent.datagram(cookie), HERE, 100.6) is None
    assert gate.check(sent.datagram(cookie), ELSEWHERE, 100.6) is Drop.BAD_MAC
    assert gate.check(sent.datagram(bytes(16)), HERE, 100.6) is Drop.BAD_MAC


def test_a_wrong_cookie_is_refused_without_load_too() -> None:
    gate = Gate(Random(3).randbytes, limit=10)

    assert gate.check(initiation().datagram(bytes(16)), HERE, 100.0) is Drop.BAD_MAC


def test_the_load_is_forgotten_after_a_second() -> None:
    gate = busy_gate()

    assert gate.check(initiation().datagram(), HERE, 100.9) is Drop.OVERLOAD
    assert gate.check(initiation().datagram(), HERE, 101.1) is None


def test_a_cookie_serves_for_two_lifetimes_of_the_secret_at_most() -> None:
    gate, sent = busy_gate(), initiation()
    cookie = cookie_from(gate, sent, 100.5)
    later = 100.5 + 2 * SECRET_LIFETIME + 1

    for now in (100.6, 100.5 + SECRET_LIFETIME + 1, later):
        drop = gate.check(sent.datagram(cookie), HERE, now)

        assert drop is (None if now < later else Drop.BAD_MAC)


def test_a_cookie_for_another_initiation_or_of_a_stranger_is_refused() -> None:
    gate, sent, other = busy_gate(), initiation(), initiation(2)
    message = gate.cookie_message(sent.datagram(), HERE, PUBLIC, 100.5)

    assert read_cookie(message, other.session, other.mac1, PUBLIC) is Drop.BAD_HANDSHAKE
    assert read_cookie(message, sent.session + 1, sent.mac1, PUBLIC) is Drop.UNASKED
    assert read_cookie(message, sent.session, sent.mac1, bytes(32)) is Drop.BAD_HANDSHAKE
    assert read_cookie(message[:-1], sent.session, sent.mac1, PUBLIC) is Drop.SHORT


def test_a_leg_gets_its_session_through_a_gate_under_load() -> None:
    pair = Pair(leg(1))
    gate = pair.end(AGGREGATOR).session._gate
    pair.lines[1].cut()
    pair.run(2)
    pair.lines[1].mend()

    stranger = initiation().datagram()
    for _ in range(40):
        for _ in range(600):
            gate.check(stranger, ELSEWHERE, pair.now)
        pair.run(0.1)

    drops = [drop for _, drop in pair.ends[AGGREGATOR].drops]
    assert Drop.OVERLOAD in drops
    assert pair.end(BONDER).session.handshakes == 1
    assert pair.shown() == ("testing", "testing")

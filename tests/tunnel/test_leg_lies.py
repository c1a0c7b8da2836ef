"""A peer that has the keys and makes no sense: counted, and survived."""

from random import Random

import pytest

from openbond.tunnel.drops import Drop
from openbond.tunnel.hearing import Gap, Hearing, HearingOf
from openbond.tunnel.messages import HEADER, Type
from openbond.tunnel.path_mtu import MtuProbe, encode_mtu_ack
from openbond.tunnel.probes import Echo, HeardLeg, Probe
from openbond.tunnel.settings import LinkMode
from tests.tunnel.pair import AGGREGATOR, BONDER, Pair, bond, leg

KINDS = [Type.PROBE, Type.ECHO, Type.HEARING, Type.HEARING_OF, Type.MTU_PROBE, Type.MTU_ACK]
THERE = ("192.0.2.1", 2001)


def say(pair: Pair, kind: Type, body: bytes) -> str:
    """Let the aggregator say something to the bonder, sealed as it should be."""
    keypair = pair.end(AGGREGATOR).keypair
    assert keypair is not None
    return pair.end(BONDER).receive_control(keypair.seal_message(kind, body), THERE, pair.now)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_an_authentic_message_without_sense_is_counted_as_malformed(kind: Type) -> None:
    pair = Pair()
    pair.run(10)

    assert say(pair, kind, b"") == Drop.MALFORMED
    assert say(pair, kind, bytes(3)) == Drop.MALFORMED

    pair.run(5)
    assert pair.shown() == ("up", "up")


def test_the_wildest_values_are_survived() -> None:
    pair = Pair(leg(1), leg(2))
    pair.run(10)
    most = 2**32 - 1
    heard = tuple(HeardLeg(number, 65.0) for number in (7, 8, 9, most))

    for body in (Probe(most, most, heard, True, most), Probe(0, 0)):
        assert say(pair, Type.PROBE, body.encode()) == ""
    assert say(pair, Type.ECHO, Echo(most, most, 0, 1.0, 1.0, 1.0).encode()) == ""
    gaps = tuple(Gap(2**62 - 70_000 * number, 0xFFFF) for number in range(64, 0, -1))
    assert say(pair, Type.HEARING, Hearing(0xFFFF, 2**62, most, 6.0, gaps).encode()) == ""
    for leg_id in (1, 2, 77, most):
        report = HearingOf(leg_id, Hearing(0xFFFF, 2**62, most, 6.0, gaps))
        assert say(pair, Type.HEARING_OF, report.encode()) == ""
    assert say(pair, Type.MTU_ACK, encode_mtu_ack(MtuProbe(most, 0xFFFF))) == ""

    pair.run(10)
    assert pair.shown(1) == ("up", "up")
    assert pair.end(BONDER).path_mtu == 1500


def test_random_bodies_under_the_right_keys_never_raise() -> None:
    pair, chance = Pair(), Random(8)
    pair.run(10)

    for _ in range(20_000):
        body = chance.randbytes(chance.randrange(0, 90))
        say(pair, chance.choice(KINDS), body)
        pair.end(BONDER).hearings_to_take()
    pair.end(BONDER).datagrams_to_send(pair.now)

    pair.run(30)
    assert pair.shown() == ("up", "up")


def test_an_offline_leg_and_an_unknown_type_are_told_apart() -> None:
    pair = Pair()
    pair.run(10)
    unknown = HEADER.pack(200, 0, 1, 1) + bytes(40)

    assert pair.end(BONDER).receive_control(unknown, THERE, pair.now) == Drop.UNKNOWN_TYPE
    assert pair.end(BONDER).receive_control(b"", THERE, pair.now) == Drop.SHORT
    pair.reconfigure(BONDER, bond(BONDER, leg(1, mode=LinkMode.OFFLINE)))
    assert pair.end(BONDER).receive_control(unknown, THERE, pair.now) == Drop.UNKNOWN_SESSION


def test_an_initiation_to_a_bonder_is_unasked() -> None:
    pair = Pair()
    pair.run(1)

    initiation = bytes([Type.INITIATION, 1]) + bytes(158)

    assert pair.end(BONDER).receive_control(initiation, THERE, pair.now) == Drop.UNASKED

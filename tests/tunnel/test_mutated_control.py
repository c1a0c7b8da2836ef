"""Mutated handshake and control messages: none is accepted, none raises.

OPENBOND_FUZZ=10000000 tries ten million of them.
"""

import os
from random import Random

import pytest

from openbond.tunnel.hearing import Gap, Hearing, HearingOf
from openbond.tunnel.leg_end import LegEnd
from openbond.tunnel.messages import Type
from openbond.tunnel.settings import Role, Security
from tests.tunnel.pair import AGGREGATOR, BONDER, Pair, bond, leg

AMOUNT = int(os.environ.get("OPENBOND_FUZZ", "100000"))
CONTROL = set(Type) - {Type.PACKET, Type.SEGMENT, Type.BUNDLE, Type.TRAIN}
ATTACKER = ("198.51.100.9", 9)


def live_pair(security: Security) -> tuple[Pair, list[tuple[Role, bytes]]]:
    """A pair in service, with every kind of control message that it exchanged, newest last."""
    pair = Pair(
        bonder=bond(BONDER, leg(1), security=security, handshake_interval=8.0),
        aggregator=bond(AGGREGATOR, leg(1), security=security, handshake_interval=8.0),
    )
    said: list[tuple[Role, bytes]] = []
    original = pair.send

    def record(role: Role, leg_id: int, datagram: bytes) -> None:
        said.append((role, datagram))
        original(role, leg_id, datagram)

    pair.send = record  # type: ignore[method-assign]
    said.append((AGGREGATOR, cookie_of(pair)))
    for _ in range(100):
        pair.run(0.1)
        pair.send_data(BONDER, 1, 1)
        pair.send_data(AGGREGATOR, 1, 1)
    said.append((AGGREGATOR, report_of_another_leg(pair)))
    control = [(role, datagram) for role, datagram in said if datagram[0] in CONTROL]
    assert {datagram[0] for _, datagram in control} == CONTROL
    pair.end(BONDER).session.begin(pair.now)  # so that responses and cookies are awaited
    pair.end(BONDER).session.datagrams_to_send(pair.now)
    return pair, control


def cookie_of(pair: Pair) -> bytes:
    session = pair.end(BONDER).session
    session.begin(pair.now)
    [initiation] = session.datagrams_to_send(pair.now)
    identity = pair.end(AGGREGATOR).session._identity
    assert identity is not None
    gate = pair.end(AGGREGATOR).session._gate
    return gate.cookie_message(initiation, ("10.0.0.1", 40000), identity.public, pair.now)


def report_of_another_leg(pair: Pair) -> bytes:
    """What only a bond of several legs says."""
    keypair = pair.end(AGGREGATOR).keypair
    assert keypair is not None
    body = HearingOf(2, Hearing(1, 9, 8, 0.01, (Gap(3, 2),))).encode()
    return keypair.seal_message(Type.HEARING_OF, body)


def mutate(chance: Random, original: bytes, other: bytes) -> bytes:
    """Return something like `original`, but not equal to it."""
    content = bytearray(original)
    way = chance.randrange(6)
    if way == 0:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif way == 1:
        del content[chance.randrange(len(content)) :]
    elif way == 2:
        content += chance.randbytes(chance.randrange(1, 40))
    elif way == 3:
        at = chance.randrange(len(content))
        content[at : at + 8] = chance.randbytes(8)
    elif way == 4:
        at = chance.randrange(1, len(content))
        content[at:] = other[at:]
    else:
        content = bytearray(
            bytes([chance.choice(sorted(CONTROL))]) + chance.randbytes(len(content))
        )
    return bytes(content)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("security", list(Security))
def test_none_of_so_many_mutated_messages_is_accepted(security: Security) -> None:
    pair, control = live_pair(security)
    chance = Random(42)
    of_kind = {kind: [each for _, each in control if each[0] == kind] for kind in CONTROL}
    genuine = {datagram for _, datagram in control}
    states = [picture(pair.end(role)) for role in (BONDER, AGGREGATOR)]

    for _ in range(AMOUNT // len(Security)):
        original = chance.choice(of_kind[chance.choice(sorted(CONTROL))])
        mutated = mutate(chance, original, chance.choice(control)[1])
        if mutated in genuine:
            continue
        for receiver in (BONDER, AGGREGATOR):
            assert pair.end(receiver).receive_control(mutated, ATTACKER, pair.now), mutated.hex()

    assert [picture(pair.end(role)) for role in (BONDER, AGGREGATOR)] == states
    assert pair.end(AGGREGATOR).datagrams_to_send(pair.now) == []  # nobody was answered
    pair.run(10)
    assert pair.shown() == ("up", "up")


def picture(end: LegEnd) -> tuple[object, ...]:
    """Everything that a message from the network could have changed."""
    keypairs = [(k.replay.highest, k.aside_replay.highest) for k in end.keypairs.values()]
    return end.address, end.shown, end.keypair, keypairs, end.roamings, end.next_event()

"""Initiations and responses: what they carry, and what is refused."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.drops import Drop
from openbond.tunnel.handshake import (
    Agreed,
    Offer,
    ReceivedInitiation,
    SentInitiation,
    agree,
    check_initiation,
    decode_offer,
    mac1_of,
    read_initiation,
)
from openbond.tunnel.keypair import Agreement
from openbond.tunnel.messages import (
    COOKIE_MESSAGE_SIZE,
    INITIATION_SIZE,
    MAC_SIZE,
    OFFER,
    RESPONSE_SIZE,
    VERSION,
)
from openbond.tunnel.noise import Identity
from openbond.tunnel.settings import Cipher, Security
from tests.tunnel.keys import AGGREGATOR_PRIVATE, BONDER_PRIVATE, SECRET, public_of

NEAR = Identity(BONDER_PRIVATE, public_of(AGGREGATOR_PRIVATE), SECRET)
FAR = Identity(AGGREGATOR_PRIVATE, public_of(BONDER_PRIVATE), SECRET)
OFFERED = Offer(bond_id=7, leg_id=3, security=Security.HMAC, cipher=Cipher.AES128, number=(2, 9))


def initiation(offer: Offer = OFFERED) -> SentInitiation:
    return SentInitiation(NEAR, offer, 0x1234, Random(1).randbytes)


def received(sent: SentInitiation) -> ReceivedInitiation:
    result = read_initiation(sent.datagram(), FAR)
    assert isinstance(result, ReceivedInitiation)
    return result


def answer(sent: SentInitiation, agreement: Agreement) -> bytes:
    return received(sent).answer(agreement, 0x4321, Random(2).randbytes)[0]


def test_the_sizes_are_those_of_the_document_and_no_answer_is_longer_than_its_question() -> None:
    sent = initiation()
    response = answer(sent, Agreement(Security.HMAC, Cipher.AES128))

    assert len(sent.datagram()) == INITIATION_SIZE == 160
    assert len(response) == RESPONSE_SIZE == 76
    assert COOKIE_MESSAGE_SIZE == 52


def test_an_offer_arrives_as_it_was_made() -> None:
    result = received(initiation())

    assert result.offer == OFFERED
    assert result.session == 0x1234


def test_both_ends_hold_the_same_keys_and_each_others_session_number() -> None:
    sent = initiation()
    agreement = Agreement(Security.HMAC, Cipher.AES128, 1)
    response, far_keys = received(sent).answer(agreement, 0x4321, Random(2).randbytes)

    agreed = sent.read_response(response)

    assert isinstance(agreed, Agreed)
    assert agreed.agreement == agreement
    assert agreed.peer_session == 0x4321
    assert (agreed.keys.send, agreed.keys.receive) == (far_keys.receive, far_keys.send)


@pytest.mark.parametrize("ours", list(Security))
@pytest.mark.parametrize("theirs", list(Security))
def test_the_stronger_mode_of_the_two_is_agreed(ours: Security, theirs: Security) -> None:
    agreement = agree(replace(OFFERED, security=theirs), ours, Cipher.AES256)

    assert agreement is not None
    assert agreement.security is max(ours, theirs)
    assert agreement.cipher is Cipher.AES256


def test_a_response_weaker_than_the_offer_is_refused() -> None:
    sent = initiation(replace(OFFERED, security=Security.ENCRYPTION, cipher=Cipher.AES256))

    weak_mode = sent.read_response(answer(sent, Agreement(Security.HMAC, Cipher.AES256)))
    weak_cipher = sent.read_response(answer(sent, Agreement(Security.ENCRYPTION, Cipher.AES128)))

    assert (weak_mode, weak_cipher) == (Drop.WEAK_HANDSHAKE, Drop.WEAK_HANDSHAKE)


def test_versions_that_do_not_meet_make_no_session() -> None:
    newer = replace(OFFERED, oldest_version=VERSION + 1, newest_version=VERSION + 2)
    wider = replace(OFFERED, newest_version=VERSION + 2)

    assert agree(newer, Security.NONE, Cipher.AES128) is None
    agreement = agree(wider, Security.NONE, Cipher.AES128)
    assert agreement is not None
    assert agreement.version == VERSION


def test_a_response_of_a_version_we_did_not_offer_is_refused() -> None:
    sent = initiation()

    response = answer(sent, Agreement(Security.HMAC, Cipher.AES128, 0, VERSION + 1))

    assert sent.read_response(response) is Drop.FOREIGN_VERSION


def test_a_foreign_version_is_told_apart_before_anything_is_computed() -> None:
    datagram = bytearray(initiation().datagram())
    datagram[1] = VERSION + 1

    assert check_initiation(bytes(datagram), FAR.public) is Drop.FOREIGN_VERSION


def test_who_does_not_know_our_key_is_refused_by_the_first_mac() -> None:
    stranger = Identity(BONDER_PRIVATE, public_of(bytes(range(50, 82))), SECRET)
    sent = SentInitiation(stranger, OFFERED, 1, Random(1).randbytes)

    assert check_initiation(sent.datagram(), FAR.public) is Drop.BAD_MAC
    assert check_initiation(initiation().datagram(), FAR.public) is None


@pytest.mark.parametrize("size", [0, 3, 4, 75, 77, 159, 161])
def test_a_wrong_size_is_refused(size: int) -> None:
    datagram = (initiation().datagram() + bytes(8))[:size]

    assert check_initiation(datagram, FAR.public) in (Drop.SHORT, Drop.MALFORMED)
    assert initiation().read_response(datagram) in (Drop.SHORT, Drop.MALFORMED)


def test_a_response_to_another_initiation_is_unasked() -> None:
    response = bytearray(answer(initiation(), Agreement(Security.HMAC, Cipher.AES128)))
    response[2] ^= 1

    assert initiation().read_response(bytes(response)) is Drop.UNASKED


@pytest.mark.parametrize("position", range(4, RESPONSE_SIZE))
def test_a_changed_bit_anywhere_in_a_response_is_refused(position: int) -> None:
    sent = initiation()
    response = bytearray(answer(sent, Agreement(Security.HMAC, Cipher.AES128)))
    response[position] ^= 0x80

    assert sent.read_response(bytes(response)) is Drop.BAD_MAC


@pytest.mark.parametrize("position", range(4, INITIATION_SIZE - 2 * MAC_SIZE, 3))
def test_a_changed_initiation_is_refused_though_its_mac_be_made_anew(position: int) -> None:
    content = bytearray(initiation().datagram()[: -2 * MAC_SIZE])
    content[position] ^= 0x80
    datagram = bytes(content) + mac1_of(bytes(content), FAR.public) + bytes(MAC_SIZE)

    assert check_initiation(datagram, FAR.public) is None
    assert read_initiation(datagram, FAR) is Drop.BAD_HANDSHAKE


@given(st.binary(min_size=OFFER.size, max_size=OFFER.size))
def test_any_offer_is_decoded_or_refused_and_never_raises(content: bytes) -> None:
    offer = decode_offer(content)

    if offer is not None:
        assert decode_offer(offer.encode()) == offer

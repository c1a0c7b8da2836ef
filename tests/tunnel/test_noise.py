"""The handshake's mathematics, against published vectors and against misuse."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from openbond.tunnel.noise import Identity, Initiator, Keys, Responder

# From the Noise community's test vectors (cacophony), Noise_IKpsk2_25519_AESGCM_SHA256.
PROLOGUE = bytes.fromhex("4a6f686e2047616c74")
SECRET = bytes.fromhex("54686973206973206d7920417573747269616e20706572737065637469766521")
INITIATOR_STATIC = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"
INITIATOR_EPHEMERAL = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"
RESPONDER_STATIC = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"
RESPONDER_PUBLIC = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62"
RESPONDER_EPHEMERAL = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"
FIRST_PAYLOAD = bytes.fromhex("4c756477696720766f6e204d69736573")
FIRST_MESSAGE = (
    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79445a1baf339186d7867062b0dd31f5de"
    "322d370165d217939b2b7ed9e2bae7840458ea65c2ce1554e0e8077fe7334c4bd514c658fd04d97b86d216f58f5971"
    "4a7e24144155045c8f36bed85a2cb0fd9af7"
)
SECOND_PAYLOAD = bytes.fromhex("4d757272617920526f746862617264")
SECOND_MESSAGE = (
    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088432fe8d675e949799d2a968211a66cc7"
    "ba2b0f4cad8eda3c2bd37eae737bbf88"
)
THIRD = ("462e20412e20486179656b", "38cbf3835c78b7802df0dd0d9640ff8575debd0cb61cfb52590da1")
FOURTH = ("4361726c204d656e676572", "ffc365ff6955fc66c5d809b31ac995f812c5770bd29f0df12f0ffd")

SMALL_ORDER_POINT = bytes(32)


def public_of(private: str) -> bytes:
    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    return key.public_key().public_bytes_raw()


def near() -> Identity:
    return Identity(bytes.fromhex(INITIATOR_STATIC), bytes.fromhex(RESPONDER_PUBLIC), SECRET)


def far(secret: bytes = SECRET) -> Identity:
    return Identity(bytes.fromhex(RESPONDER_STATIC), public_of(INITIATOR_STATIC), secret)


def initiator(identity: Identity | None = None) -> Initiator:
    return Initiator(identity or near(), PROLOGUE, lambda size: bytes.fromhex(INITIATOR_EPHEMERAL))


def respond(responder: Responder, payload: bytes = SECOND_PAYLOAD) -> tuple[bytes, Keys]:
    return responder.write_response(payload, lambda size: bytes.fromhex(RESPONDER_EPHEMERAL))


def read(message: bytes, identity: Identity | None = None) -> Responder | None:
    return Responder.read_initiation(identity or far(), PROLOGUE, message)


def test_both_messages_equal_the_published_vector() -> None:
    first = initiator()
    message = first.write_initiation(FIRST_PAYLOAD)
    responder = read(message)
    assert responder is not None

    answer, _ = respond(responder)

    assert message.hex() == FIRST_MESSAGE
    assert responder.payload == FIRST_PAYLOAD
    assert answer.hex() == SECOND_MESSAGE
    result = first.read_response(answer)
    assert result is not None
    assert result[0] == SECOND_PAYLOAD


def test_the_keys_seal_what_the_published_vector_says() -> None:
    first = initiator()
    responder = read(first.write_initiation(FIRST_PAYLOAD))
    assert responder is not None
    answer, far_keys = respond(responder)
    result = first.read_response(answer)
    assert result is not None
    near_keys = result[1]

    third = AESGCM(near_keys.send).encrypt(bytes(12), bytes.fromhex(THIRD[0]), None)
    fourth = AESGCM(far_keys.send).encrypt(bytes(12), bytes.fromhex(FOURTH[0]), None)

    assert (third.hex(), fourth.hex()) == (THIRD[1], FOURTH[1])
    assert (near_keys.send, near_keys.receive) == (far_keys.receive, far_keys.send)


@pytest.mark.parametrize("position", range(0, 112, 5))
def test_a_changed_bit_anywhere_in_the_initiation_is_refused(position: int) -> None:
    message = bytearray(initiator().write_initiation(FIRST_PAYLOAD))
    message[position] ^= 1

    assert read(bytes(message)) is None


@pytest.mark.parametrize("position", range(0, 63, 3))
def test_a_forged_response_is_refused_and_the_true_one_is_still_taken(position: int) -> None:
    first = initiator()
    responder = read(first.write_initiation(FIRST_PAYLOAD))
    assert responder is not None
    answer, _ = respond(responder)
    forged = bytearray(answer)
    forged[position] ^= 1

    assert first.read_response(bytes(forged)) is None
    assert first.read_response(answer) is not None


def test_another_secret_makes_no_session() -> None:
    first = initiator()
    responder = read(first.write_initiation(FIRST_PAYLOAD), far(secret=bytes(32)))
    assert responder is not None  # the secret enters with the second message (psk2)

    answer, _ = respond(responder)

    assert first.read_response(answer) is None


def test_an_initiator_whose_key_we_do_not_know_is_refused() -> None:
    stranger = Identity(b"\x42" * 32, bytes.fromhex(RESPONDER_PUBLIC), SECRET)

    assert read(initiator(stranger).write_initiation(FIRST_PAYLOAD)) is None


def test_an_initiation_under_another_prologue_is_refused() -> None:
    message = initiator().write_initiation(FIRST_PAYLOAD)

    assert Responder.read_initiation(far(), b"another", message) is None


def test_a_point_of_small_order_is_refused_not_raised() -> None:
    message = initiator().write_initiation(FIRST_PAYLOAD)

    assert read(SMALL_ORDER_POINT + message[32:]) is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_not_raised(message: bytes) -> None:
    first = initiator()
    first.write_initiation(FIRST_PAYLOAD)

    assert read(message) is None
    assert first.read_response(message) is None


def test_a_secret_of_the_wrong_size_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="secret has 31 bytes, not 32"):
        Identity(bytes.fromhex(INITIATOR_STATIC), bytes.fromhex(RESPONDER_PUBLIC), bytes(31))

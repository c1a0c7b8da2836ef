"""Sealing and opening under each security mode."""

import pytest

from openbond.tunnel.drops import Drop
from openbond.tunnel.keypair import Agreement, Keypair, Opened, open_sealed
from openbond.tunnel.messages import ASIDE, HEADER, PACKET_HEADER, REKEY_AFTER_PACKETS, Type
from openbond.tunnel.settings import Cipher, Security

MODES = list(Security)
PROTECTED = [Security.HMAC, Security.ENCRYPTION]
ONE, OTHER = bytes(range(32)), bytes(range(32, 64))


def keypair(
    security: Security, *, far: bool = False, cipher: Cipher = Cipher.AES128, key: bytes = ONE
) -> Keypair:
    send, receive = (OTHER, key) if far else (key, OTHER)
    return Keypair(
        send_key=send,
        receive_key=receive,
        local_index=2 if far else 1,
        peer_index=1 if far else 2,
        agreement=Agreement(security, cipher),
        initiator=not far,
        born_at=0.0,
    )


def data_of(keypair: Keypair, body: bytes) -> bytes:
    sequence = keypair.take_sequences(1)
    header = PACKET_HEADER.pack(Type.PACKET, 0, keypair.peer_index, sequence, 5, 6)
    return keypair.seal_data(header, body)


@pytest.mark.parametrize("security", MODES)
@pytest.mark.parametrize("cipher", list(Cipher))
def test_what_one_end_seals_the_other_opens(security: Security, cipher: Cipher) -> None:
    near, far = keypair(security, cipher=cipher), keypair(security, far=True, cipher=cipher)

    assert far.open_data(data_of(near, b"packet"), PACKET_HEADER.size) == b"packet"
    opened = open_sealed(near.seal_message(Type.PROBE, b"probe"), {2: far})

    assert isinstance(opened, Opened)
    assert (opened.kind, opened.sequence, opened.body) == (Type.PROBE, 2, b"probe")


@pytest.mark.parametrize("security", MODES)
def test_the_overhead_is_that_of_the_mode(security: Security) -> None:
    tag = 0 if security is Security.NONE else 16

    assert len(data_of(keypair(security), bytes(100))) == PACKET_HEADER.size + 100 + tag
    message = keypair(security).seal_message(Type.PROBE, bytes(10))
    assert len(message) == HEADER.size + 10 + 16  # a probe is protected in every mode


def test_only_encryption_hides_the_packet() -> None:
    secret = b"GET /secret HTTP/1.1"

    shows = [secret in data_of(keypair(security), secret) for security in MODES]

    assert shows == [True, True, False]


@pytest.mark.parametrize("security", PROTECTED)
@pytest.mark.parametrize("position", range(40))
def test_a_changed_bit_anywhere_in_protected_data_is_found(
    security: Security, position: int
) -> None:
    near, far = keypair(security), keypair(security, far=True)
    datagram = bytearray(data_of(near, b"packet"))
    datagram[position] ^= 4

    assert far.open_data(bytes(datagram), PACKET_HEADER.size) is None


@pytest.mark.parametrize("security", MODES)
def test_a_control_message_is_taken_once(security: Security) -> None:
    near, far = keypair(security), keypair(security, far=True)
    message = near.seal_message(Type.PROBE, b"probe")

    assert isinstance(open_sealed(message, {2: far}), Opened)
    assert open_sealed(message, {2: far}) is Drop.REPLAYED


@pytest.mark.parametrize("security", MODES)
def test_a_foreign_control_message_is_dropped_for_its_reason(security: Security) -> None:
    near, far = keypair(security, key=bytes(32)), keypair(security, far=True)
    message = near.seal_message(Type.PROBE, b"probe")

    assert open_sealed(message, {2: far}) is Drop.BAD_TAG
    assert open_sealed(message, {3: far}) is Drop.UNKNOWN_SESSION
    assert open_sealed(message[:20], {2: far}) is Drop.SHORT


def test_a_message_reflected_to_its_sender_is_not_authentic() -> None:
    near = keypair(Security.HMAC)

    assert open_sealed(near.seal_message(Type.PROBE, b"probe"), {2: near}) is Drop.BAD_TAG


def test_plain_data_cannot_move_the_window_of_control_messages() -> None:
    near, far = keypair(Security.NONE), keypair(Security.NONE, far=True)

    assert far.data_replay.accept(2**50)  # forged: nothing protects data in mode none

    assert isinstance(open_sealed(near.seal_message(Type.PROBE, b""), {2: far}), Opened)


def test_path_mtu_probes_count_aside() -> None:
    near, far = keypair(Security.HMAC), keypair(Security.HMAC, far=True)

    sealed = [near.seal_message(Type.MTU_PROBE, b""), near.seal_message(Type.PROBE, b"")]
    opened = [open_sealed(message, {2: far}) for message in sealed]

    assert [o.sequence for o in opened if isinstance(o, Opened)] == [ASIDE, 1]
    assert [o.counts for o in opened if isinstance(o, Opened)] == [False, True]
    assert open_sealed(sealed[0], {2: far}) is Drop.REPLAYED


def test_a_keypair_wears_out_at_two_to_the_sixtieth() -> None:
    worn = keypair(Security.HMAC)
    assert not worn.is_worn_out

    worn.take_sequences(REKEY_AFTER_PACKETS)

    assert worn.is_worn_out

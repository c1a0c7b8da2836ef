"""Noise_IKpsk2_25519_AESGCM_SHA256: two messages that agree on two keys (behaviour 2.4).

The Noise Protocol Framework, revision 34: CipherState and SymmetricState (5.1, 5.2), pattern IK
(7.5) with the pre-shared key mixed in at the end of the second message (9). Names of tokens are
the framework's: `e`, `es`, `s`, `ss`, then `e`, `ee`, `se`, `psk`.

What comes from the network is answered with None, never with an exception. Ephemeral private keys
live only inside these objects; OpenSSL wipes them when the last reference goes. Python cannot wipe
the 32-byte chaining keys; they go with their object, which no caller keeps after the handshake.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Entropy = Callable[[int], bytes]  # so many random bytes, please

PROTOCOL_NAME = b"Noise_IKpsk2_25519_AESGCM_SHA256"
KEY_SIZE = 32
TAG_SIZE = 16
INITIATION_OVERHEAD = KEY_SIZE + KEY_SIZE + TAG_SIZE + TAG_SIZE  # e, sealed s, tag of the payload
RESPONSE_OVERHEAD = KEY_SIZE + TAG_SIZE


class NotAuthentic(Exception):
    """The other side's bytes are not what they should be. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a finished handshake yields; each side's `send` is the other's `receive`."""

    send: bytes
    receive: bytes


class Identity:
    """An end's static keys and the secret it shares with its peer.

    Raises ValueError unless every key has 32 bytes and the peer's is a usable point.
    """

    __slots__ = ("peer_public", "private", "public", "secret", "static_static")

    def __init__(self, private_key: bytes, peer_public_key: bytes, secret: bytes) -> None:
        if len(secret) != KEY_SIZE:
            raise ValueError(f"the bond's secret has {len(secret)} bytes, not {KEY_SIZE}")
        self.private = X25519PrivateKey.from_private_bytes(private_key)
        self.public = self.private.public_key().public_bytes_raw()
        self.peer_public = peer_public_key
        self.secret = secret
        # Both sides' static keys are fixed, so this product is too: one multiplication less.
        self.static_static = self.private.exchange(
            X25519PublicKey.from_public_bytes(peer_public_key)
        )


class SymmetricState:
    """Chaining key, transcript hash and the cipher key in force (Noise 5.1, 5.2)."""

    __slots__ = ("_chaining_key", "_key", "_nonce", "transcript")

    def __init__(self, prologue: bytes) -> None:
        self.transcript = PROTOCOL_NAME  # exactly 32 bytes: used as it is (Noise 5.2)
        self._chaining_key = self.transcript
        self._key = b""
        self._nonce = 0
        self.mix_hash(prologue)

    def mix_hash(self, content: bytes) -> None:
        self.transcript = sha256(self.transcript + content).digest()

    def mix_key(self, material: bytes) -> None:
        self._chaining_key, self._key = _derive_two(self._chaining_key, material)
        self._nonce = 0

    def mix_key_and_hash(self, secret: bytes) -> None:
        self._chaining_key, mixed, self._key = _derive_three(self._chaining_key, secret)
        self.mix_hash(mixed)
        self._nonce = 0

    def seal(self, plain: bytes) -> bytes:
        """Noise's EncryptAndHash."""
        sealed = AESGCM(self._key).encrypt(self._next_nonce(), plain, self.transcript)
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Noise's DecryptAndHash. Raises NotAuthentic."""
        try:
            plain = AESGCM(self._key).decrypt(self._next_nonce(), sealed, self.transcript)
        except InvalidTag:
            raise NotAuthentic from None
        self.mix_hash(sealed)
        return plain

    def split(self) -> tuple[bytes, bytes]:
        """Return the key of the initiator's direction and the key of the responder's."""
        return _derive_two(self._chaining_key, b"")

    def _next_nonce(self) -> bytes:
        nonce, self._nonce = self._nonce, self._nonce + 1
        return nonce.to_bytes(12, "big")


class Initiator:
    """The side that speaks first: `write_initiation`, then `read_response`, each once."""

    def __init__(self, identity: Identity, prologue: bytes, entropy: Entropy) -> None:
        self._identity = identity
        self._symmetric = SymmetricState(prologue)
        self._symmetric.mix_hash(identity.peer_public)  # pre-message `<- s`
        self._ephemeral = X25519PrivateKey.from_private_bytes(entropy(KEY_SIZE))

    def write_initiation(self, payload: bytes) -> bytes:
        symmetric, identity = self._symmetric, self._identity
        public = _mix_ephemeral(symmetric, self._ephemeral.public_key().public_bytes_raw())
        symmetric.mix_key(_multiply(self._ephemeral, identity.peer_public))
        static = symmetric.seal(identity.public)
        symmetric.mix_key(identity.static_static)
        return public + static + symmetric.seal(payload)

    def read_response(self, message: bytes) -> tuple[bytes, Keys] | None:
        """Return the peer's payload and the keys; None when the message is not authentic.

        After None a further, authentic message is still welcome: a forged one must not end the
        handshake. So every reading starts from the state that the initiation left.
        """
        symmetric = _copy(self._symmetric)
        try:
            payload = self._read(symmetric, message)
        except NotAuthentic:
            return None
        send, receive = symmetric.split()
        return payload, Keys(send, receive)

    def _read(self, symmetric: SymmetricState, message: bytes) -> bytes:
        ephemeral = _mix_ephemeral(symmetric, message[:KEY_SIZE])
        symmetric.mix_key(_multiply(self._ephemeral, ephemeral))
        symmetric.mix_key(_multiply(self._identity.private, ephemeral))
        symmetric.mix_key_and_hash(self._identity.secret)
        return symmetric.open(message[KEY_SIZE:])


class Responder:
    """The side that answers: made by `read_initiation`, then `write_response` once."""

    def __init__(self, identity: Identity, prologue: bytes) -> None:
        self._identity = identity
        self._symmetric = SymmetricState(prologue)
        self._symmetric.mix_hash(identity.public)  # pre-message `<- s`
        self._peer_ephemeral = b""
        self.payload = b""

    @classmethod
    def read_initiation(cls, identity: Identity, prologue: bytes, message: bytes) -> Self | None:
        """Return a responder that read `message`, or None when it is not the peer's."""
        responder = cls(identity, prologue)
        try:
            responder._read(message)
        except NotAuthentic:
            return None
        return responder

    def write_response(self, payload: bytes, entropy: Entropy) -> tuple[bytes, Keys]:
        symmetric, identity = self._symmetric, self._identity
        ephemeral = X25519PrivateKey.from_private_bytes(entropy(KEY_SIZE))
        public = _mix_ephemeral(symmetric, ephemeral.public_key().public_bytes_raw())
        symmetric.mix_key(_multiply(ephemeral, self._peer_ephemeral))
        symmetric.mix_key(_multiply(ephemeral, identity.peer_public))
        symmetric.mix_key_and_hash(identity.secret)
        message = public + symmetric.seal(payload)
        receive, send = symmetric.split()
        return message, Keys(send, receive)

    def _read(self, message: bytes) -> None:
        symmetric, identity = self._symmetric, self._identity
        self._peer_ephemeral = _mix_ephemeral(symmetric, message[:KEY_SIZE])
        symmetric.mix_key(_multiply(identity.private, self._peer_ephemeral))
        static_end = KEY_SIZE + KEY_SIZE + TAG_SIZE
        static = symmetric.open(message[KEY_SIZE:static_end])
        if not hmac.compare_digest(static, identity.peer_public):
            raise NotAuthentic
        symmetric.mix_key(identity.static_static)
        self.payload = symmetric.open(message[static_end:])


def _mix_ephemeral(symmetric: SymmetricState, public: bytes) -> bytes:
    # In handshakes with a pre-shared key the token `e` is mixed into the key too (Noise 9.2).
    symmetric.mix_hash(public)
    symmetric.mix_key(public)
    return public


def _multiply(private: X25519PrivateKey, public: bytes) -> bytes:
    """X25519. Raises NotAuthentic for bytes that are no point, or one of small order."""
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise NotAuthentic from None


def _copy(symmetric: SymmetricState) -> SymmetricState:
    copy = SymmetricState.__new__(SymmetricState)
    for name in SymmetricState.__slots__:
        setattr(copy, name, getattr(symmetric, name))
    return copy


def _derive_two(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """HKDF with two outputs (Noise 4.3)."""
    seed = hmac.digest(chaining_key, material, "sha256")
    first = hmac.digest(seed, b"\x01", "sha256")
    return first, hmac.digest(seed, first + b"\x02", "sha256")


def _derive_three(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes, bytes]:
    seed = hmac.digest(chaining_key, material, "sha256")
    first = hmac.digest(seed, b"\x01", "sha256")
    second = hmac.digest(seed, first + b"\x02", "sha256")
    return first, second, hmac.digest(seed, second + b"\x03", "sha256")

"""Who must show a cookie before an aggregator computes a handshake (behaviour 2.4).

A cookie proves that its bearer receives what is sent to the address it claims. It is asked for only
under load, more than 500 handshakes in a second. The cookie is a MAC of the address under a secret
that lives two minutes, so the aggregator keeps nothing per sender. It travels sealed with a key
that only one who knows the aggregator's public key derives, bound to the mac1 of the initiation.
"""

import hmac
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .drops import Drop
from .handshake import check_frame, mac2_of
from .messages import (
    COOKIE_MESSAGE_SIZE,
    COOKIE_NONCE_SIZE,
    COOKIE_SIZE,
    HANDSHAKE_HEADER,
    INITIATION_SIZE,
    MAC_SIZE,
    VERSION,
    Type,
)
from .noise import Entropy

Address = tuple[str, int]

HANDSHAKES_PER_SECOND = 500
SECRET_LIFETIME = 120.0
_COOKIE_LABEL = b"openbond cookie"
_MAC1 = slice(INITIATION_SIZE - 2 * MAC_SIZE, INITIATION_SIZE - MAC_SIZE)


class Gate:
    """Counts the handshakes of all legs, and turns away senders without a cookie under load."""

    def __init__(self, entropy: Entropy, *, limit: int = HANDSHAKES_PER_SECOND) -> None:
        self._entropy = entropy
        self._limit = limit
        self._second = 0.0  # when the second being counted began
        self._computed = 0
        self._secrets = (entropy(32), entropy(32))  # in force, and the one before
        self._renew_at = 0.0

    def check(self, initiation: bytes, source: Address, now: float) -> Drop | None:
        """Return None when this handshake is to be computed, and count it; or why not.

        OVERLOAD asks for a `cookie_message`. A cookie that is not ours is never let pass.
        """
        if now - self._second >= 1.0:
            self._second, self._computed = now, 0
        if initiation[-MAC_SIZE:] != bytes(MAC_SIZE):
            if not self._has_cookie(initiation, source, now):
                return Drop.BAD_MAC
        elif self._computed >= self._limit:
            return Drop.OVERLOAD
        self._computed += 1
        return None

    def cookie_message(
        self, initiation: bytes, source: Address, public: bytes, now: float
    ) -> bytes:
        """Return the COOKIE that answers `initiation`."""
        self._renew_secret(now)
        nonce = self._entropy(COOKIE_NONCE_SIZE)
        session = HANDSHAKE_HEADER.unpack_from(initiation)[2]
        header = HANDSHAKE_HEADER.pack(Type.COOKIE, VERSION, session)
        cookie = _cookie_of(self._secrets[0], source)
        key = _sealing_key(public, nonce)
        return header + nonce + AESGCM(key).encrypt(bytes(12), cookie, initiation[_MAC1])

    def _has_cookie(self, initiation: bytes, source: Address, now: float) -> bool:
        self._renew_secret(now)
        content, mac2 = initiation[:-MAC_SIZE], initiation[-MAC_SIZE:]
        cookies = [_cookie_of(secret, source) for secret in self._secrets]
        return any(hmac.compare_digest(mac2_of(content, cookie), mac2) for cookie in cookies)

    def _renew_secret(self, now: float) -> None:
        if now >= self._renew_at:
            self._secrets = (self._entropy(32), self._secrets[0])
            self._renew_at = now + SECRET_LIFETIME


def read_cookie(datagram: bytes, session: int, mac1: bytes, peer_public: bytes) -> bytes | Drop:
    """Return the cookie in an answer to the initiation `session` with `mac1`, or why not."""
    flaw = check_frame(datagram, COOKIE_MESSAGE_SIZE)
    if flaw is not None:
        return flaw
    if HANDSHAKE_HEADER.unpack_from(datagram)[2] != session:
        return Drop.UNASKED
    sealed_at = HANDSHAKE_HEADER.size + COOKIE_NONCE_SIZE
    key = _sealing_key(peer_public, datagram[HANDSHAKE_HEADER.size : sealed_at])
    try:
        return AESGCM(key).decrypt(bytes(12), datagram[sealed_at:], mac1)
    except InvalidTag:
        return Drop.BAD_HANDSHAKE


def _cookie_of(secret: bytes, source: Address) -> bytes:
    host, port = source
    return hmac.digest(secret, f"{host} {port}".encode(), "sha256")[:COOKIE_SIZE]


def _sealing_key(public: bytes, nonce: bytes) -> bytes:
    # A fresh key for each message, so that random nonces cannot collide under one key.
    return hmac.digest(sha256(_COOKIE_LABEL + public).digest(), nonce, "sha256")

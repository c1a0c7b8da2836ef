"""Handshake messages: what an initiation offers, what a response fixes, and their bytes.

Layouts stand in messages.py. The mathematics is noise.py's, when to send is session.py's. All
functions answer bytes from the network with a `Drop` when they are not good; none raises.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256

from .drops import Drop
from .keypair import Agreement
from .messages import (
    ANSWER,
    COMPRESSION_DEFLATE,
    HANDSHAKE_HEADER,
    INITIATION_SIZE,
    MAC_SIZE,
    OFFER,
    RESPONSE_SIZE,
    VERSION,
    Type,
)
from .noise import Entropy, Identity, Initiator, Keys, Responder
from .settings import Cipher, Security

PROLOGUE = b"openbond tunnel"
MAC1_LABEL = b"openbond mac1"
OLDEST_VERSION = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the initiator asks for. `number` rises for ever: (epoch, count), compared in order."""

    bond_id: int
    leg_id: int
    security: Security
    cipher: Cipher
    number: tuple[int, int]
    compression: int = COMPRESSION_DEFLATE
    oldest_version: int = OLDEST_VERSION
    newest_version: int = VERSION

    def encode(self) -> bytes:
        epoch, count = self.number
        versions = (self.oldest_version, self.newest_version)
        wishes = (self.security, self.cipher, self.compression, 0)
        return OFFER.pack(*versions, *wishes, self.bond_id, self.leg_id, epoch, count)


def decode_offer(content: bytes) -> Offer | None:
    """Return the offer, or None when the bytes make none that we know."""
    if len(content) != OFFER.size:
        return None
    oldest, newest, security, cipher, compression, _, bond, leg, epoch, count = OFFER.unpack(
        content
    )
    if security not in set(Security) or cipher not in set(Cipher):
        return None
    return Offer(
        bond_id=bond,
        leg_id=leg,
        security=Security(security),
        cipher=Cipher(cipher),
        number=(epoch, count),
        compression=compression,
        oldest_version=oldest,
        newest_version=newest,
    )


def agree(offer: Offer, security: Security, cipher: Cipher) -> Agreement | None:
    """Return the stronger of both ends' wishes (behaviour 2.5); None: no version in common."""
    if not (offer.oldest_version <= VERSION and offer.newest_version >= OLDEST_VERSION):
        return None
    return Agreement(
        security=max(offer.security, security),
        cipher=max(offer.cipher, cipher),
        compression=offer.compression & COMPRESSION_DEFLATE,
        version=min(offer.newest_version, VERSION),
    )


class SentInitiation:
    """A handshake that we began: the datagram to repeat, and the reader of its response."""

    def __init__(self, identity: Identity, offer: Offer, session: int, entropy: Entropy) -> None:
        self.session = session
        self.offer = offer
        self._identity = identity
        header = HANDSHAKE_HEADER.pack(Type.INITIATION, VERSION, session)
        self._initiator = Initiator(identity, PROLOGUE + header, entropy)
        self._body = header + self._initiator.write_initiation(offer.encode())
        self.mac1 = mac1_of(self._body, identity.peer_public)

    def datagram(self, cookie: bytes = b"") -> bytes:
        """Return the bytes to send, with mac2 when the peer demanded a cookie."""
        content = self._body + self.mac1
        return content + (mac2_of(content, cookie) if cookie else bytes(MAC_SIZE))

    def read_response(self, datagram: bytes) -> "Agreed | Drop":
        flaw = check_frame(datagram, RESPONSE_SIZE)
        if flaw is not None:
            return flaw
        if HANDSHAKE_HEADER.unpack_from(datagram)[2] != self.session:
            return Drop.UNASKED
        if not has_mac1(datagram, RESPONSE_SIZE - MAC_SIZE, self._identity.public):
            return Drop.BAD_MAC
        result = self._initiator.read_response(datagram[HANDSHAKE_HEADER.size : -MAC_SIZE])
        return Drop.BAD_HANDSHAKE if result is None else self._check_answer(*result)

    def _check_answer(self, content: bytes, keys: Keys) -> "Agreed | Drop":
        version, security, cipher, _, compression, peer_session = ANSWER.unpack(content)
        if security not in set(Security) or cipher not in set(Cipher):
            return Drop.MALFORMED
        offer = self.offer
        if security < offer.security or cipher < offer.cipher:
            return Drop.WEAK_HANDSHAKE
        if not offer.oldest_version <= version <= offer.newest_version:
            return Drop.FOREIGN_VERSION
        agreement = Agreement(
            Security(security), Cipher(cipher), compression & offer.compression, version
        )
        return Agreed(agreement, keys, peer_session)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an initiator learns from a response."""

    agreement: Agreement
    keys: Keys
    peer_session: int


@dataclass(frozen=True, slots=True)
class ReceivedInitiation:
    """An initiation of our peer, read and authentic; not yet answered."""

    offer: Offer
    session: int
    identity: Identity
    responder: Responder

    def answer(self, agreement: Agreement, session: int, entropy: Entropy) -> tuple[bytes, Keys]:
        """Return the response and the keys; `session` is our number of the new keypair."""
        content = ANSWER.pack(
            agreement.version,
            agreement.security,
            agreement.cipher,
            0,
            agreement.compression,
            session,
        )
        sealed, keys = self.responder.write_response(content, entropy)
        body = HANDSHAKE_HEADER.pack(Type.RESPONSE, VERSION, self.session) + sealed
        return body + mac1_of(body, self.identity.peer_public), keys


def check_initiation(datagram: bytes, public: bytes) -> Drop | None:
    """Return why an initiation is not worth a multiplication, if it is not."""
    flaw = check_frame(datagram, INITIATION_SIZE)
    if flaw is not None:
        return flaw
    return None if has_mac1(datagram, INITIATION_SIZE - 2 * MAC_SIZE, public) else Drop.BAD_MAC


def read_initiation(datagram: bytes, identity: Identity) -> ReceivedInitiation | Drop:
    """Read an initiation that passed `check_initiation`: two multiplications."""
    header, sealed = datagram[: HANDSHAKE_HEADER.size], datagram[HANDSHAKE_HEADER.size :]
    message = sealed[: -2 * MAC_SIZE]
    responder = Responder.read_initiation(identity, PROLOGUE + header, message)
    if responder is None:
        return Drop.BAD_HANDSHAKE
    offer = decode_offer(responder.payload)
    if offer is None:
        return Drop.MALFORMED
    return ReceivedInitiation(offer, HANDSHAKE_HEADER.unpack(header)[2], identity, responder)


def body_of(initiation: bytes) -> bytes:
    """Return what is before the two MACs: equal in two datagrams if one repeats the other."""
    return initiation[: -2 * MAC_SIZE]


def check_frame(datagram: bytes, size: int) -> Drop | None:
    if len(datagram) < HANDSHAKE_HEADER.size:
        return Drop.SHORT
    if datagram[1] != VERSION:
        return Drop.FOREIGN_VERSION
    if len(datagram) != size:
        return Drop.SHORT if len(datagram) < size else Drop.MALFORMED
    return None


def mac1_of(content: bytes, receiver_public: bytes) -> bytes:
    key = sha256(MAC1_LABEL + receiver_public).digest()
    return hmac.digest(key, content, "sha256")[:MAC_SIZE]


def mac2_of(content: bytes, cookie: bytes) -> bytes:
    return hmac.digest(cookie, content, "sha256")[:MAC_SIZE]


def has_mac1(datagram: bytes, size: int, public: bytes) -> bool:
    """Report whether the mac1 after the first `size` bytes is that of one who knows `public`."""
    mac = mac1_of(datagram[:size], public)
    return hmac.compare_digest(mac, datagram[size : size + MAC_SIZE])

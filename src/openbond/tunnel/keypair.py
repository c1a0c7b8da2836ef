"""The two keys of a session, and how a datagram is sealed and opened with them (behaviour 2.5).

Hot path: `seal_data` and `open_data` are plain callables chosen once for the security mode, so
that no datagram asks which mode it is in. `encrypt` and `decrypt` are the bound methods of AES-GCM
itself for code that builds runs (None unless the mode is `encryption`).
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .drops import Drop
from .messages import ASIDE, HEADER, REKEY_AFTER_PACKETS, TAG_SIZE, Type
from .replay import ReplayWindow
from .settings import Cipher, Security

NONCE_PREFIX = bytes(4)
NONCE_SIZE = 12  # the leg sequence as a big-endian number of this size is the nonce
HEADER_SIZE = HEADER.size

# header (associated data; holds the leg sequence), body -> datagram
Seal = Callable[[bytes, bytes], bytes]
# datagram, size of its header -> body, or None when it is not authentic
Open = Callable[[bytes, int], bytes | None]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a handshake fixed for both ends (behaviour 2.4)."""

    security: Security
    cipher: Cipher
    compression: int = 0  # bit set, messages.COMPRESSION_*
    version: int = 1


class Keypair:
    """A send and a receive key of one leg, with the numbers that go with them.

    Plain attributes, read by the hot path:
        local_index    the session number the peer writes into what it sends us
        peer_index     the session number we write into what we send
        next_sequence  leg sequence of the next datagram we send; the sender of it adds one
        replay         window of authentic datagrams
        aside_replay   window of MTU_PROBE, whose leg sequences count aside (messages.ASIDE)
        data_replay    window for data: `replay`, but one of its own in security mode `none`, whose
                       data is not authentic and must not move the window of probes
        seal_data, open_data, encrypt, decrypt   see the module
    """

    __slots__ = (
        "_next_aside",
        "agreement",
        "aside_replay",
        "born_at",
        "data_replay",
        "decrypt",
        "encrypt",
        "initiator",
        "local_index",
        "next_sequence",
        "open_control",
        "open_data",
        "peer_index",
        "replay",
        "seal_control",
        "seal_data",
        "security",
    )

    def __init__(
        self,
        *,
        send_key: bytes,
        receive_key: bytes,
        local_index: int,
        peer_index: int,
        agreement: Agreement,
        initiator: bool,
        born_at: float,
    ) -> None:
        self.local_index = local_index
        self.peer_index = peer_index
        self.agreement = agreement
        self.security = agreement.security
        self.initiator = initiator
        self.born_at = born_at
        self.next_sequence = 1
        self._next_aside = ASIDE
        self.replay = ReplayWindow()
        self.aside_replay = ReplayWindow()
        self.data_replay = ReplayWindow() if self.security is Security.NONE else self.replay
        self.encrypt: Callable[..., bytes] | None = None
        self.decrypt: Callable[..., bytes] | None = None
        self._choose_primitives(send_key, receive_key)

    @property
    def is_worn_out(self) -> bool:
        """Report whether a handshake is due whatever the interval (behaviour 2.4)."""
        return self.next_sequence >= REKEY_AFTER_PACKETS

    def take_sequences(self, count: int) -> int:
        """Return the first of `count` leg sequences that are now ours to send with."""
        first = self.next_sequence
        self.next_sequence = first + count
        return first

    def seal_message(self, kind: Type, body: bytes, flags: int = 0) -> bytes:
        """Return a control datagram: header with the next leg sequence, body, tag."""
        sequence = self._take_aside() if kind is Type.MTU_PROBE else self.take_sequences(1)
        return self.seal_control(HEADER.pack(kind, flags, self.peer_index, sequence), body)

    def _take_aside(self) -> int:
        sequence = self._next_aside
        self._next_aside += 1
        return sequence

    def _choose_primitives(self, send_key: bytes, receive_key: bytes) -> None:
        if self.security is Security.ENCRYPTION:
            size = 16 if self.agreement.cipher is Cipher.AES128 else 32
            self.encrypt = AESGCM(send_key[:size]).encrypt
            self.decrypt = AESGCM(receive_key[:size]).decrypt
            self.seal_control = self.seal_data = _sealer(self.encrypt)
            self.open_control = self.open_data = _opener(self.decrypt)
            return
        self.seal_control = self.seal_data = _tagger(send_key)
        self.open_control = self.open_data = _checker(receive_key)
        if self.security is Security.NONE:
            self.seal_data, self.open_data = _seal_plain, _open_plain


@dataclass(frozen=True, slots=True)
class Opened:
    """An authentic control datagram that was not seen before."""

    kind: int
    keypair: Keypair
    sequence: int
    body: bytes

    @property
    def counts(self) -> bool:
        """Report whether its number is one of the row that tells loss and the newest datagram."""
        return self.sequence < ASIDE


def open_sealed(datagram: bytes, keypairs: Mapping[int, Keypair]) -> Opened | Drop:
    """Open a control datagram under the keypair that it names, and remember its number."""
    if len(datagram) < HEADER_SIZE + TAG_SIZE:
        return Drop.SHORT
    kind, _, session, sequence = HEADER.unpack_from(datagram)
    keypair = keypairs.get(session)
    if keypair is None:
        return Drop.UNKNOWN_SESSION
    body = keypair.open_control(datagram, HEADER_SIZE)
    if body is None:
        return Drop.BAD_TAG
    window = keypair.aside_replay if sequence >= ASIDE else keypair.replay
    if not window.accept(sequence):
        return Drop.REPLAYED
    return Opened(kind, keypair, sequence, body)


def _sealer(encrypt: Callable[..., bytes]) -> Seal:
    def seal(header: bytes, body: bytes) -> bytes:
        return header + encrypt(NONCE_PREFIX + header[4:12], body, header)

    return seal


def _opener(decrypt: Callable[..., bytes]) -> Open:
    def open_(datagram: bytes, header_size: int) -> bytes | None:
        nonce = NONCE_PREFIX + datagram[4:12]
        try:
            return decrypt(nonce, datagram[header_size:], datagram[:header_size])
        except InvalidTag:
            return None

    return open_


def _tagger(key: bytes) -> Seal:
    digest = hmac.digest

    def seal(header: bytes, body: bytes) -> bytes:
        datagram = header + body
        return datagram + digest(key, datagram, "sha256")[:TAG_SIZE]

    return seal


def _checker(key: bytes) -> Open:
    digest, equal = hmac.digest, hmac.compare_digest

    def open_(datagram: bytes, header_size: int) -> bytes | None:
        tag = digest(key, datagram[:-TAG_SIZE], "sha256")[:TAG_SIZE]
        return datagram[header_size:-TAG_SIZE] if equal(tag, datagram[-TAG_SIZE:]) else None

    return open_


def _seal_plain(header: bytes, body: bytes) -> bytes:
    return header + body


def _open_plain(datagram: bytes, header_size: int) -> bytes | None:
    return datagram[header_size:]

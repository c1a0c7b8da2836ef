"""Is this config for us, whole, vouched for, newer and plausible (behaviour 1.8, step 1)? Pure."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from openbond.wire.canonical import content_hash
from openbond.wire.config import SCHEMA, Envelope, NodeContent, signed_bytes
from openbond.wire.exchange import CONFIG_SIGNER_OID
from openbond.wire.states import NodeKind, RefusalReason

from .configs import StoredConfig
from .errors import NodeError
from .identity import extension_in, is_issued_by, public_key_of

MOST_BYTES = 32 * 1024 * 1024


class Refusal(NodeError):
    """A config that is not applied. `reason` travels to the server."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a node knows that a config must agree with."""

    node_id: int
    authorities: Sequence[x509.Certificate]

    def verify(
        self, config: StoredConfig, *, newest: StoredConfig | None, now: datetime | None
    ) -> NodeContent:
        """Return the content. `newest`: what the node has; `now` None: the clock is not trusted.

        Raises Refusal.
        """
        envelope = config.envelope
        self._check_whole(envelope)
        self._check_signature(config, now)
        if envelope.node_id != self.node_id:
            raise Refusal(
                RefusalReason.NOT_MINE,
                f"The config is for node {envelope.node_id}, this is node {self.node_id}.",
            )
        content = _read(envelope)
        if newest is not None:
            _check_newer(envelope, newest.envelope)
            _check_plausible(envelope, content, newest)
        return content

    def _check_whole(self, envelope: Envelope) -> None:
        content = bytes(envelope.content)
        if not 0 < len(content) <= MOST_BYTES:
            raise Refusal(RefusalReason.CORRUPT, f"The config has {len(content)} bytes.")
        if content_hash(content) != envelope.hash:
            raise Refusal(RefusalReason.CORRUPT, "The config's hash does not fit its content.")

    def _check_signature(self, config: StoredConfig, now: datetime | None) -> None:
        envelope = config.envelope
        covered = signed_bytes(
            schema=envelope.schema,
            node_id=envelope.node_id,
            revision=envelope.revision,
            forced=envelope.forced,
            hash=envelope.hash,
        )
        try:
            signer = x509.load_pem_x509_certificate(config.signer.encode())
            signature = base64.b64decode(envelope.signature, validate=True)
            key = public_key_of(signer)
            if key is None or not self._may_sign(signer, now):
                raise Refusal(
                    RefusalReason.CORRUPT,
                    "The config is signed by a key that the server's authority has not made, or "
                    "no longer lets, sign configs.",
                )
            key.verify(signature, covered)
        except (ValueError, binascii.Error, InvalidSignature) as error:
            raise Refusal(RefusalReason.CORRUPT, "The config's signature is not valid.") from error

    def _may_sign(self, signer: x509.Certificate, now: datetime | None) -> bool:
        if extension_in(signer, CONFIG_SIGNER_OID) is None:
            return False
        if now is not None and not (
            signer.not_valid_before_utc <= now < signer.not_valid_after_utc
        ):
            return False
        return is_issued_by(signer, self.authorities)


def _read(envelope: Envelope) -> NodeContent:
    if envelope.schema > SCHEMA:
        raise Refusal(
            RefusalReason.SCHEMA,
            f"The config has schema {envelope.schema}, this software knows up to {SCHEMA}: "
            "upgrade this node.",
        )
    try:
        return msgspec.json.decode(envelope.content, type=NodeContent)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(RefusalReason.CORRUPT, f"The config cannot be read: {error}.") from error


def _check_newer(envelope: Envelope, newest: Envelope) -> None:
    # The same one again is harmless: applying it takes no steps.
    is_same = envelope.revision == newest.revision and envelope.hash == newest.hash
    if envelope.revision <= newest.revision and not is_same:
        raise Refusal(
            RefusalReason.STALE,
            f"Revision {envelope.revision} is not above {newest.revision}, which this node has.",
        )


def _check_plausible(envelope: Envelope, content: NodeContent, newest: StoredConfig) -> None:
    if envelope.forced or content.decommission or content.kind is not NodeKind.BONDER:
        return
    before = msgspec.json.decode(newest.envelope.content, type=NodeContent)
    had_legs = any(bond.legs for bond in before.bonds)
    if had_legs and not any(bond.legs for bond in content.bonds):
        raise Refusal(
            RefusalReason.IMPLAUSIBLE,
            "The config takes the bond or all its legs away, without being forced.",
        )

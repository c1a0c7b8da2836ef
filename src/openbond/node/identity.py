"""Who this node is: two private keys that never leave it, and the certificate over them (§1.4)."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID
from msgspec import Struct

from openbond.wire import exchange

from . import store
from .errors import NodeError, NotEnrolled
from .paths import Paths

# Renewed when a third of the certificate's life is left.
RENEW_SHARE = 3

NodeKey: TypeAlias = Ed25519PrivateKey | X25519PrivateKey


class BadIdentity(NodeError):
    """A key or certificate on this node is not what it should be."""


class Enrolment(Struct, frozen=True, kw_only=True):
    """Which node the server said this is."""

    node_id: int


@dataclass(frozen=True, slots=True)
class Keys:
    identity: Ed25519PrivateKey
    tunnel: X25519PrivateKey

    @property
    def tunnel_public(self) -> str:
        return base64.b64encode(self.tunnel.public_key().public_bytes_raw()).decode()

    def certificate_request(self, name: str) -> str:
        """Return a PEM certificate request for the identity key."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "node")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        request = builder.sign(self.identity, None)
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def sign_request(self, *, method: str, target: str, number: int, body: bytes) -> str:
        covered = exchange.signed_request(method=method, target=target, number=number, body=body)
        return base64.b64encode(self.identity.sign(covered)).decode()


@dataclass(frozen=True, slots=True)
class Identity:
    """An enrolled node."""

    node_id: int
    keys: Keys
    certificate: x509.Certificate
    authorities: tuple[x509.Certificate, ...]


def keys_of(paths: Paths) -> Keys:
    """Return this node's keys, made and stored at the first call.

    Raises BadIdentity when a key file is damaged.
    """
    store.make_directory(paths.authority, mode=0o700)
    identity = _stored_key(paths.identity_key, Ed25519PrivateKey.generate)
    tunnel = _stored_key(paths.tunnel_key, X25519PrivateKey.generate)
    if not isinstance(identity, Ed25519PrivateKey) or not isinstance(tunnel, X25519PrivateKey):
        raise BadIdentity(
            f"The keys in {paths.authority} are of the wrong kind: remove them and enrol again."
        )
    return Keys(identity, tunnel)


def _stored_key(path: Path, make: Callable[[], NodeKey]) -> PrivateKeyTypes:
    content = store.read(path)
    if content is None:
        key = make()
        store.write(path, _pem(key), mode=store.PRIVATE)
        return key
    try:
        return serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as damage:
        raise BadIdentity(f"{path} is damaged: remove it and enrol this node again.") from damage


def _pem(key: NodeKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_identity(paths: Paths) -> Identity:
    """Return who this node is.

    Raises NotEnrolled before enrolment, BadIdentity when a file is damaged.
    """
    enrolment = store.read_value(paths.enrolment, Enrolment)
    certificate, authorities = store.read(paths.certificate), store.read(paths.ca)
    if enrolment is None or certificate is None or authorities is None:
        raise NotEnrolled(
            "This node has no certificate yet: run "
            "`openbond node enroll --server HOST:PORT --key KEY`."
        )
    try:
        own = x509.load_pem_x509_certificate(certificate)
        authority = tuple(x509.load_pem_x509_certificates(authorities))
    except ValueError as damage:
        raise BadIdentity(f"A certificate below {paths.authority} is damaged: enrol again.") from (
            damage
        )
    return Identity(enrolment.node_id, keys_of(paths), own, authority)


def store_enrolment(paths: Paths, answer: exchange.EnrolAnswer, keys: Keys) -> Identity:
    """Check and keep what the server answered; the certificate is written last but one.

    Raises BadIdentity when the certificate is not for our keys or not from the authority.
    """
    try:
        certificate = x509.load_pem_x509_certificate(answer.certificate.encode())
        authorities = tuple(x509.load_pem_x509_certificates(answer.ca.encode()))
    except ValueError as damage:
        raise BadIdentity(f"The server's enrolment answer holds no certificate: {damage}.") from (
            damage
        )
    _check_own(certificate, authorities, keys)
    store.write(paths.ca, answer.ca.encode())
    if answer.crl:
        store.write(paths.crl, answer.crl.encode())
    store.write(paths.certificate, answer.certificate.encode())
    store.write_value(paths.enrolment, Enrolment(node_id=answer.node_id))
    return Identity(answer.node_id, keys, certificate, authorities)


def _check_own(
    certificate: x509.Certificate, authorities: Sequence[x509.Certificate], keys: Keys
) -> None:
    if certificate.public_key() != keys.identity.public_key():
        raise BadIdentity("The server's certificate is not for this node's key: enrol again.")
    if tunnel_key_in(certificate) != keys.tunnel.public_key().public_bytes_raw():
        raise BadIdentity(
            "The server's certificate is not for this node's tunnel key: enrol again."
        )
    if not is_issued_by(certificate, authorities):
        raise BadIdentity("This node's certificate was not issued by the server's own authority.")


def tunnel_key_in(certificate: x509.Certificate) -> bytes | None:
    """Return the X25519 public key a node certificate carries (32 bytes), None without one."""
    return extension_in(certificate, exchange.TUNNEL_KEY_OID)


def extension_in(certificate: x509.Certificate, oid: str) -> bytes | None:
    """Return the raw value of an extension that `cryptography` does not know, None without it."""
    try:
        found = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
    except x509.ExtensionNotFound:
        return None
    return found.value if isinstance(found, x509.UnrecognizedExtension) else None


def is_issued_by(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> bool:
    """Report whether one of the authorities signed the certificate itself (no chain between)."""
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def renewal_is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Report whether a third of the certificate's life, or less, is left (behaviour 1.4)."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return end - now <= (end - begin) / RENEW_SHARE


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate, lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def public_key_of(certificate: x509.Certificate) -> Ed25519PublicKey | None:
    key = certificate.public_key()
    return key if isinstance(key, Ed25519PublicKey) else None

"""A small certificate authority for tests: vouches for servers, nodes and config signers."""

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID
from msgspec import Raw

from openbond.node.configs import StoredConfig
from openbond.wire import exchange
from openbond.wire.canonical import canonical_bytes, content_hash
from openbond.wire.config import SCHEMA, Envelope, NodeContent, signed_bytes

ONE_DAY = timedelta(days=1)
PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


class Authority:
    """Signs what it is asked to. `mark_signer` False makes a signer that may not sign configs."""

    def __init__(self, *, mark_signer: bool = True) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._signer_key = Ed25519PrivateKey.generate()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = (
            self._builder("test authority", self._key.public_key(), start=-ONE_DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, None)
        )
        builder = self._builder("signer", self._signer_key.public_key(), start=-ONE_DAY)
        if mark_signer:
            builder = builder.add_extension(_mark(exchange.CONFIG_SIGNER_OID, b"\5\0"), False)
        self.signer = pem(builder.sign(self._key, None))

    @property
    def ca_pem(self) -> str:
        return pem(self.certificate)

    def node_certificate(
        self,
        public_key: Ed25519PublicKey,
        tunnel_key: bytes,
        *,
        start: timedelta = -ONE_DAY,
        length: timedelta = 365 * ONE_DAY,
    ) -> x509.Certificate:
        builder = self._builder("node", public_key, start=start, length=length)
        builder = builder.add_extension(_mark(exchange.TUNNEL_KEY_OID, tunnel_key), False)
        return builder.sign(self._key, None)

    def server_certificate(
        self, address: str, *, start: timedelta = -ONE_DAY, length: timedelta = 30 * ONE_DAY
    ) -> tuple[str, str]:
        """Return certificate and key of an HTTPS server, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = self._builder("server", key.public_key(), start=start, length=length)
        certificate = builder.add_extension(names, False).sign(self._key, None)
        return pem(certificate), private_pem(key)

    def config(
        self,
        content: NodeContent,
        *,
        node_id: int = 7,
        revision: int = 1,
        forced: bool = False,
        schema: int = SCHEMA,
    ) -> StoredConfig:
        """Return a config as a server would hand it out."""
        canonical = canonical_bytes(content)
        digest = content_hash(canonical)
        covered = signed_bytes(
            schema=schema, node_id=node_id, revision=revision, forced=forced, hash=digest
        )
        envelope = Envelope(
            schema=schema,
            node_id=node_id,
            revision=revision,
            forced=forced,
            hash=digest,
            content=Raw(canonical),
            signature=base64.b64encode(self._signer_key.sign(covered)).decode(),
        )
        return StoredConfig(envelope=envelope, signer=self.signer)

    def _builder(
        self,
        name: str,
        public_key: PublicKey,
        *,
        start: timedelta,
        length: timedelta = 365 * ONE_DAY,
    ) -> x509.CertificateBuilder:
        begin = datetime.now(UTC) + start
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return (
            x509.CertificateBuilder(issuer_name=self.name, subject_name=subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + length)
        )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _mark(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)

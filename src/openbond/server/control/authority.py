"""The private certificate authority: one Ed25519 key that vouches for nodes, configs and the web.

Made at installation, 20 years (behaviour 6.7). Files in one directory, mode 0600:
    ca.key, ca.pem           the authority
    signer.key, signer.pem   the key that signs configs, vouched for by the authority
"""

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from openbond.server.system.files import write_private
from openbond.wire.checks import node_name
from openbond.wire.exchange import CONFIG_SIGNER_OID, TUNNEL_KEY_OID

from .state_files import StateError

YEAR = timedelta(days=365)
AUTHORITY_VALIDITY = 20 * YEAR
SIGNER_VALIDITY = 2 * YEAR
NODE_VALIDITY = YEAR
WEB_VALIDITY = YEAR
CRL_VALIDITY = timedelta(days=30)
# A machine whose clock is behind by a day must still find our certificates valid.
BACKDATED = timedelta(days=2)
ASN1_NULL = b"\x05\x00"

CertificateKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


class BadCertificateRequest(ValueError):
    """The request for a certificate cannot be signed; the message says why."""


@dataclass(frozen=True, slots=True)
class Revocation:
    serial: int
    at: datetime


class Authority:
    """Signs with the keys of one directory. Open it with open_or_create."""

    def __init__(
        self,
        *,
        key: Ed25519PrivateKey,
        certificate: x509.Certificate,
        signer_key: Ed25519PrivateKey,
        signer: x509.Certificate,
        directory: Path,
    ) -> None:
        self._key = key
        self._signer_key = signer_key
        self._directory = directory
        self.certificate = certificate
        self.certificate_pem = _pem(certificate)
        self.signer_pem = _pem(signer)

    @classmethod
    def open_or_create(cls, directory: Path, *, now: datetime) -> "Authority":
        """Return the authority of a directory, making what is missing.

        Raises StateError when a key that signed something is gone, or a file is damaged.
        """
        key = _key_of(directory, "ca", made_before=(directory / "ca.pem").exists())
        certificate = _certificate_of(directory / "ca.pem") or _create_root(directory, key, now)
        signer_key, signer = _signer_of(directory, key, certificate, now)
        return cls(
            key=key,
            certificate=certificate,
            signer_key=signer_key,
            signer=signer,
            directory=directory,
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate (DER), lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def node_certificate(
        self, *, csr_pem: str, tunnel_key: bytes, node_id: int, now: datetime
    ) -> x509.Certificate:
        """Vouch for both public keys of a node (behaviour 1.4, step 3).

        The subject is ours, whatever was asked for. Raises BadCertificateRequest.
        """
        public_key = _identity_key(csr_pem)
        if len(tunnel_key) != 32:
            raise BadCertificateRequest("The X25519 tunnel key must be 32 bytes, as base64.")
        tunnel = x509.UnrecognizedExtension(x509.ObjectIdentifier(TUNNEL_KEY_OID), tunnel_key)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(node_name(node_id))])
        builder = self._leaf(f"node {node_id}", public_key, NODE_VALIDITY, now)
        builder = builder.add_extension(tunnel, critical=False)
        builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, None)

    def web_certificate(
        self, *, public_key: ec.EllipticCurvePublicKey, names: list[str], now: datetime
    ) -> x509.Certificate:
        """Vouch for the web server under `names`: host names and addresses."""
        builder = self._leaf(names[0], public_key, WEB_VALIDITY, now)
        alternatives = x509.SubjectAlternativeName(general_names(names))
        return builder.add_extension(alternatives, critical=False).sign(self._key, None)

    def revocation_list(self, revocations: list[Revocation], *, now: datetime) -> str:
        """Return the CRL as PEM."""
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=now - BACKDATED,
            next_update=now + CRL_VALIDITY,
        ).add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        for revocation in revocations:
            row = x509.RevokedCertificateBuilder(revocation.serial, revocation.at).build()
            builder = builder.add_revoked_certificate(row)
        crl = builder.sign(self._key, None)
        return crl.public_bytes(serialization.Encoding.PEM).decode()

    def sign_config(self, signed: bytes) -> bytes:
        """Return the Ed25519 signature of a config, by the key of `signer_pem`."""
        return self._signer_key.sign(signed)

    def context_for_nodes(self) -> ssl.SSLContext:
        """Return how the server connects to a node: shown as the signer of configs (6.1).

        A node's certificate names the node and no host: compare its name with `node_name`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.load_verify_locations(cadata=self.certificate_pem)
        context.load_cert_chain(self._directory / "signer.pem", self._directory / "signer.key")
        return context

    def _leaf(
        self, words: str, public_key: CertificateKey, validity: timedelta, now: datetime
    ) -> x509.CertificateBuilder:
        return _leaf(self.certificate, self._key, words, public_key, validity, now)


def fingerprint_in(directory: Path) -> str:
    """Return the SHA-256 of the certificate in an authority's directory, as nodes are given it;
    "" where there is none."""
    certificate = _certificate_of(directory / "ca.pem")
    return certificate.fingerprint(hashes.SHA256()).hex() if certificate else ""


def general_names(names: list[str]) -> list[x509.GeneralName]:
    """Return host names and addresses as a certificate spells them."""
    return [_general_name(name) for name in names]


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses a certificate is good for."""
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    hosts = alternatives.value.get_values_for_type(x509.DNSName)
    addresses = alternatives.value.get_values_for_type(x509.IPAddress)
    return [*hosts, *(str(address) for address in addresses)]


def needs_renewal(certificate: x509.Certificate, *, now: datetime) -> bool:
    """Report whether a third of the validity, or less, is left (behaviour 1.4)."""
    ends, began = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    return ends - now <= (ends - began) / 3


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _identity_key(csr_pem: str) -> Ed25519PublicKey:
    try:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        public_key = csr.public_key()
    except (ValueError, InvalidSignature) as error:
        raise BadCertificateRequest("The certificate request is not a PEM CSR.") from error
    if not isinstance(public_key, Ed25519PublicKey):
        raise BadCertificateRequest("The certificate request must be for an Ed25519 key.")
    if not csr.is_signature_valid:
        raise BadCertificateRequest("The certificate request is not signed by its own key.")
    return public_key


def _leaf(
    issuer: x509.Certificate,
    issuer_key: Ed25519PrivateKey,
    words: str,
    public_key: CertificateKey,
    validity: timedelta,
    now: datetime,
) -> x509.CertificateBuilder:
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        _builder(_name(words), issuer.subject, validity, now)
        .public_key(public_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(authority_id, critical=False)
    )
    return builder


def _create_root(directory: Path, key: Ed25519PrivateKey, now: datetime) -> x509.Certificate:
    name = _name("openbond private CA")
    certificate = (
        _builder(name, name, AUTHORITY_VALIDITY, now)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, None)
    )
    write_private(directory / "ca.pem", _pem(certificate).encode())
    return certificate


def _signer_of(
    directory: Path, ca_key: Ed25519PrivateKey, ca: x509.Certificate, now: datetime
) -> tuple[Ed25519PrivateKey, x509.Certificate]:
    # The signer's certificate travels beside each config, so a new one may come at any time.
    key = _key_of(directory, "signer", made_before=False)
    signer = _certificate_of(directory / "signer.pem")
    if signer is None or signer.public_key() != key.public_key() or needs_renewal(signer, now=now):
        mark = x509.UnrecognizedExtension(x509.ObjectIdentifier(CONFIG_SIGNER_OID), ASN1_NULL)
        builder = _leaf(ca, ca_key, "config signer", key.public_key(), SIGNER_VALIDITY, now)
        signer = builder.add_extension(mark, critical=False).sign(ca_key, None)
        write_private(directory / "signer.pem", _pem(signer).encode())
    return key, signer


def _key_of(directory: Path, stem: str, *, made_before: bool) -> Ed25519PrivateKey:
    path = directory / f"{stem}.key"
    if not path.exists():
        if made_before:
            raise StateError(f"{path} is missing. Put it back, or restore a backup.")
        key = Ed25519PrivateKey.generate()
        write_private(path, private_pem(key))
        return key
    try:
        read = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise StateError(f"{path} is damaged. Restore a backup.") from error
    if not isinstance(read, Ed25519PrivateKey):
        raise StateError(f"{path} is not an Ed25519 key. Restore a backup.")
    return read


def _certificate_of(path: Path) -> x509.Certificate | None:
    if not path.exists():
        return None
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise StateError(f"{path} is damaged. Restore a backup.") from error


def _builder(
    subject: x509.Name, issuer: x509.Name, validity: timedelta, now: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=now + validity,
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(words: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "openbond")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, words[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()

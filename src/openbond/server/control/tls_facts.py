"""What the certificate in use says of itself, and the request for another (api-v3 08-system 4)."""

import ssl
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from .authority import names_of
from .web_tls import SUBJECT_PARTS, WebTls, read_certificate

EXPIRES_SOON = timedelta(days=30)
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Fingerprints are upper-case hexadecimal pairs joined by colons."""

    common_name: str
    subject_alternative_names: list[str]
    issuer: str
    serial_number: str
    not_before: datetime
    not_after: datetime
    sha1: str
    sha256: str
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The CSR as PEM, and the parts of its subject by name; "" where absent."""

    pem: str
    subject: dict[str, str]


def certificate_facts(
    tls_directory: Path, *, hostname: str, now: datetime
) -> CertificateFacts | None:
    """Return what is said of the web server's certificate; None if there is none.

    `hostname` is the setting server_hostname, which the certificate should be good for.
    """
    files = WebTls(tls_directory)
    leaf = read_certificate(files.chain)
    if leaf is None:
        return None
    chain = x509.load_pem_x509_certificates(files.chain.read_bytes())
    return CertificateFacts(
        common_name=_part(leaf.subject, NameOID.COMMON_NAME),
        subject_alternative_names=names_of(leaf),
        issuer=leaf.issuer.rfc4514_string(),
        serial_number=f"{leaf.serial_number:X}",
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        sha1=_fingerprint(leaf, hashes.SHA1()),  # noqa: S303 - shown to compare, not to trust
        sha256=_fingerprint(leaf, hashes.SHA256()),
        warnings=_warnings(leaf, chain[1:], hostname, now),
    )


def request_facts(tls_directory: Path) -> RequestFacts | None:
    """Return the certificate signing request for the key in use; None if there is none."""
    try:
        pem = WebTls(tls_directory).request.read_bytes()
        request = x509.load_pem_x509_csr(pem)
    except (FileNotFoundError, ValueError):
        return None
    text = request.public_bytes(serialization.Encoding.PEM).decode()
    subject = {name: _part(request.subject, oid) for name, oid in SUBJECT_PARTS.items()}
    return RequestFacts(pem=text, subject=subject)


def _warnings(
    leaf: x509.Certificate, above: list[x509.Certificate], hostname: str, now: datetime
) -> list[str]:
    ends = leaf.not_valid_after_utc
    found = {
        "self_signed": leaf.issuer == leaf.subject,
        "untrusted": not _is_trusted(leaf, above, now),
        "not_yet_valid": now < leaf.not_valid_before_utc,
        "expired": now >= ends,
        "expires_soon": now < ends <= now + EXPIRES_SOON,
        "name_mismatch": hostname.lower() not in (name.lower() for name in names_of(leaf)),
    }
    return [name for name, holds in found.items() if holds]


def _is_trusted(leaf: x509.Certificate, above: list[x509.Certificate], now: datetime) -> bool:
    """Report whether a public authority, as this machine knows them, vouches for it."""
    authorities = _public_authorities()
    names = names_of(leaf)
    if not authorities or not names:
        return False
    # Only the chain is asked about: any name of its own will do, and it has its own warnings.
    within = min(max(now, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
    builder = PolicyBuilder().store(Store(list(authorities))).time(within.replace(tzinfo=None))
    try:
        builder.build_server_verifier(_subject(names[0])).verify(leaf, above)
    except (VerificationError, ValueError):
        return False
    return True


@lru_cache(maxsize=1)
def _public_authorities() -> tuple[x509.Certificate, ...]:
    context = ssl.create_default_context()
    # Where the authorities are a directory OpenSSL looks into it name by name; read the bundle.
    for bundle in BUNDLES:
        with suppress(OSError, ssl.SSLError):
            context.load_verify_locations(bundle)
    return tuple(_readable(context.get_ca_certs(binary_form=True)))


def _readable(encoded: Iterable[bytes]) -> list[x509.Certificate]:
    read = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        for der in encoded:
            # Some old authorities break rules that the parser keeps; they vouch for nobody here.
            with suppress(ValueError, CryptographyDeprecationWarning):
                read.append(x509.load_der_x509_certificate(der))
    return read


def _subject(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fingerprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return certificate.fingerprint(algorithm).hex(":").upper()


def _part(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""

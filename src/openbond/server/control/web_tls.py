"""The certificate under which the web server is reached: made, kept, renewed, or put in by hand.

Its key is ECDSA P-256 and not Ed25519: browsers and many API clients cannot use the latter.
"""

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openbond.server.system.files import write_private

from .authority import Authority, general_names, names_of, needs_renewal, private_pem
from .state_files import StateError


@dataclass(frozen=True, slots=True)
class WebTls:
    """The files of the web server: the chain (the authority last), the private key, a CSR."""

    directory: Path

    @property
    def chain(self) -> Path:
        return self.directory / "server.pem"

    @property
    def key(self) -> Path:
        return self.directory / "server.key"

    @property
    def request(self) -> Path:
        return self.directory / "server.csr"


def web_tls(
    directory: Path, authority: Authority, *, names: Iterable[str], now: datetime
) -> WebTls:
    """Return the web server's certificate, made anew if it is due or a name is missing.

    Names once given stay: a node may know the server by any of them. A certificate of another
    authority, put in by an administrator, is left alone. Raises StateError.
    """
    files = WebTls(directory)
    present = read_certificate(files.chain)
    if present is not None and present.issuer != authority.certificate.subject:
        return files
    kept = names_of(present) if present else []
    wanted = _in_order([*own_names(), *names, *kept])
    if present is None or needs_renewal(present, now=now) or set(wanted) - set(kept):
        _issue(files, authority, wanted, now)
    if not files.request.exists():
        write_request(files, subject={"common_name": wanted[0]}, names=wanted)
    return files


def own_names() -> list[str]:
    """Return the names by which this machine can always be reached from itself."""
    return _in_order([socket.gethostname(), "localhost", "127.0.0.1", "::1"])


SUBJECT_PARTS = {
    "common_name": NameOID.COMMON_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "state": NameOID.STATE_OR_PROVINCE_NAME,
    "country": NameOID.COUNTRY_NAME,
    "email": NameOID.EMAIL_ADDRESS,
}


def write_request(files: WebTls, *, subject: dict[str, str], names: list[str]) -> None:
    """Write a CSR for another authority, for the key in use. Raises StateError."""
    try:
        parts = [x509.NameAttribute(SUBJECT_PARTS[part], text) for part, text in subject.items()]
    except ValueError as error:
        raise StateError(f"The request cannot be made: {error}") from error
    alternatives = x509.SubjectAlternativeName(general_names(names))
    request = x509.CertificateSigningRequestBuilder(x509.Name(parts))
    signed = request.add_extension(alternatives, critical=False).sign(_key(files), hashes.SHA256())
    write_private(files.request, signed.public_bytes(serialization.Encoding.PEM))


def put_in(files: WebTls, chain_pem: bytes) -> x509.Certificate:
    """Use a certificate of another authority, with the ones above it. Raises StateError."""
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except ValueError as error:
        raise StateError("The file holds no certificate as PEM.") from error
    if chain[0].public_key() != _key(files).public_key():
        raise StateError(
            f"The certificate is not for the key {files.key}. Have the one signed that "
            f"{files.request} asks for, and put the server's own certificate first."
        )
    write_private(files.chain, chain_pem)
    return chain[0]


class LiveTls:
    """The TLS context of a running server; new connections get what the files hold now."""

    def __init__(self, files: WebTls, context: ssl.SSLContext) -> None:
        self._files = files
        self._context = context
        self._seen = self._stamp()

    def refresh(self) -> bool:
        """Take over a certificate that was renewed or put in; return whether there was one."""
        if self._stamp() == self._seen:
            return False
        self._context.load_cert_chain(self._files.chain, self._files.key)
        self._seen = self._stamp()
        return True

    def _stamp(self) -> tuple[int, int]:
        status = self._files.chain.stat()
        return status.st_mtime_ns, status.st_ino


def read_certificate(path: Path) -> x509.Certificate | None:
    """Return the first certificate of a file, None without the file. Raises StateError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StateError(f"{path} is damaged. Remove it and start again.") from error


def _issue(files: WebTls, authority: Authority, names: list[str], now: datetime) -> None:
    key = _key(files)
    leaf = authority.web_certificate(public_key=key.public_key(), names=names, now=now)
    pem = leaf.public_bytes(serialization.Encoding.PEM)
    write_private(files.chain, pem + authority.certificate_pem.encode())


def _key(files: WebTls) -> ec.EllipticCurvePrivateKey:
    # Kept for good: it is written before any certificate for it, so a pair always fits.
    if not files.key.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_private(files.key, private_pem(made))
        return made
    try:
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    except ValueError as error:
        raise StateError(f"{files.key} is damaged. Remove it and start again.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StateError(f"{files.key} is not an ECDSA key. Remove it and start again.")
    return key


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))

"""The certificate under which the web server is reached: made, kept and renewed.

Its key is ECDSA P-256 and not Ed25519: browsers and many API clients cannot use the latter.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from openbond.server.system.files import write_private

from .authority import Authority, names_of, needs_renewal, private_pem
from .state_files import StateError


@dataclass(frozen=True, slots=True)
class WebTls:
    """Two files that a TLS server loads: the chain (the authority last) and the private key."""

    chain: Path
    key: Path


def web_tls(
    directory: Path, authority: Authority, *, names: Iterable[str], now: datetime
) -> WebTls:
    """Return the web server's certificate, made anew if it is due or a name is missing.

    Names once given stay: a node may know the server by any of them. A certificate of another
    authority, put there by an administrator, is left alone.
    """
    files = WebTls(chain=directory / "server.pem", key=directory / "server.key")
    present = _read(files.chain)
    if present is not None and present.issuer != authority.certificate.subject:
        return files
    kept = names_of(present) if present else []
    wanted = _in_order([*own_names(), *names, *kept])
    if present is None or needs_renewal(present, now=now) or set(wanted) - set(kept):
        _issue(files, authority, wanted, now)
    return files


def own_names() -> list[str]:
    """Return the names by which this machine can always be reached from itself."""
    return _in_order([socket.gethostname(), "localhost", "127.0.0.1", "::1"])


def _issue(files: WebTls, authority: Authority, names: list[str], now: datetime) -> None:
    # The key is kept: it is written before any certificate for it, so a pair always fits.
    if files.key.exists():
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise StateError(f"{files.key} is not an ECDSA key. Remove it and start again.")
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(files.key, private_pem(key))
    leaf = authority.web_certificate(public_key=key.public_key(), names=names, now=now)
    pem = leaf.public_bytes(serialization.Encoding.PEM)
    write_private(files.chain, pem + authority.certificate_pem.encode())


def _read(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StateError(f"{path} is damaged. Remove it and start again.") from error


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))

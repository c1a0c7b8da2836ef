"""A path MTU is lowered with ICMP blocked: it is found, and large TLS transfers go on."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openbond.lab.layout import INTERNET, LINES, AccessLine
from openbond.lab.line import Shape
from openbond.lab.relay import Shapes
from openbond.lab.waiting import wait_until

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

LINE = LINES[2]
LARGE_BYTES = 3_000_000


def narrow(site: Site, line: AccessLine, *, up: int, down: int) -> None:
    ways = Shapes(
        up=Shape(delay_ms=line.delay_ms, mtu=up), down=Shape(delay_ms=line.delay_ms, mtu=down)
    )
    site.lab.topology.relay(line).set_shapes(ways)


def detect(site: Site, line: AccessLine) -> None:
    site.api.post(f"{site.leg(line).url}detect_mtus/", {}, msgspec.Raw)


def wait_for_mtu(site: Site, line: AccessLine, mtu: int) -> float:
    return wait_until(
        lambda: site.leg(line).mtu == mtu, what=f"the leg's MTU reads {mtu}", patience=40
    )


@pytest.mark.parametrize(
    ("up", "down"),
    [
        pytest.param(1400, 1400, id="both ways"),
        pytest.param(1400, 1450, id="narrower up"),
        pytest.param(1450, 1400, id="narrower down"),
    ],
)
def test_the_smaller_direction_is_found(site: Site, up: int, down: int) -> None:
    narrow(site, LINE, up=up, down=down)

    detect(site, LINE)

    wait_for_mtu(site, LINE, 1400)


def test_tls_through_the_bond_does_not_stall_on_a_narrow_leg(site: Site, tmp_path: Path) -> None:
    narrow(site, LINE, up=1400, down=1400)
    detect(site, LINE)
    wait_for_mtu(site, LINE, 1400)

    with_server = serve_large_file(site, tmp_path)
    try:
        got = site.customer.run(
            ["curl", "-sS", "--cacert", str(tmp_path / "tls.pem"), "--max-time", "15",
             "-o", "/dev/null", "-w", "%{size_download}", f"https://{INTERNET}:7443/large"]
        )  # fmt: skip
    finally:
        site.lab.programs.end(with_server)

    assert int(got) == LARGE_BYTES


def serve_large_file(site: Site, directory: Path) -> str:
    """Start a TLS server on the internet host; return the program's name."""
    write_certificate(directory)
    (directory / "large").write_bytes(bytes(LARGE_BYTES))
    argv = ["openssl", "s_server", "-accept", f"{INTERNET}:7443", "-WWW", "-quiet"]
    files = ["-cert", str(directory / "tls.pem"), "-key", str(directory / "tls.key")]
    inside = ["env", "-C", str(directory), *argv, *files]
    site.lab.programs.start("tls", site.internet.argv(inside))
    wait_until(lambda: can_connect(site), what="the TLS server listens", patience=5)
    return "tls"


def can_connect(site: Site) -> bool:
    return ":7443" in site.internet.run(["ss", "-Hltn"])


def write_certificate(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "large")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(INTERNET))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (directory / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

"""The web server's certificate: put in by hand, taken over while running, and what it says."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openbond.server.control.authority import Authority
from openbond.server.control.state_files import StateDirectory, StateError
from openbond.server.control.tls_facts import certificate_facts, request_facts
from openbond.server.control.web_tls import LiveTls, WebTls, put_in, web_tls, write_request

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path / "state")
    state.create()
    return state


@pytest.fixture
def authority(state: StateDirectory) -> Authority:
    return Authority.open_or_create(state.authority, now=NOW)


@pytest.fixture
def files(state: StateDirectory, authority: Authority) -> WebTls:
    return web_tls(state.tls, authority, names=["mgmt.example.net"], now=NOW)


def other_authority(request_pem: bytes, *, ends: datetime) -> bytes:
    """A certificate as a public authority would give it for a request."""
    request = x509.load_pem_x509_csr(request_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example CA")])
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    certificate = (
        x509.CertificateBuilder(issuer, request.subject, request.public_key())
        .serial_number(0x4A3)
        .not_valid_before(NOW - DAY)
        .not_valid_after(ends)
        .add_extension(names.value, critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_the_first_certificate_says_what_it_is(state: StateDirectory, files: WebTls) -> None:
    facts = certificate_facts(state.tls, hostname="mgmt.example.net", now=NOW)

    assert facts is not None
    assert facts.issuer == "CN=openbond private CA,O=openbond"
    assert "mgmt.example.net" in facts.subject_alternative_names
    assert facts.not_after == NOW + 365 * DAY
    assert facts.sha256.count(":") == 31
    assert facts.sha1.count(":") == 19
    assert facts.sha256 == facts.sha256.upper()
    assert facts.warnings == ["untrusted"]


def test_there_may_be_none(tmp_path: Path) -> None:
    assert certificate_facts(tmp_path, hostname="x", now=NOW) is None
    assert request_facts(tmp_path) is None


@pytest.mark.parametrize(
    ("at", "hostname", "warning"),
    [
        pytest.param(NOW + 340 * DAY, "mgmt.example.net", "expires_soon", id="a month before"),
        pytest.param(NOW + 400 * DAY, "mgmt.example.net", "expired", id="after"),
        pytest.param(NOW - 9 * DAY, "mgmt.example.net", "not_yet_valid", id="before"),
        pytest.param(NOW, "other.example.net", "name_mismatch", id="another name"),
    ],
)
def test_what_is_wrong_is_said(
    state: StateDirectory, files: WebTls, at: datetime, hostname: str, warning: str
) -> None:
    facts = certificate_facts(state.tls, hostname=hostname, now=at)

    assert facts is not None
    assert facts.warnings == ["untrusted", warning]


def test_a_request_for_another_authority_is_always_there(
    state: StateDirectory, files: WebTls
) -> None:
    facts = request_facts(state.tls)

    assert facts is not None
    assert facts.pem.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert facts.subject["organization"] == ""


def test_a_request_carries_what_the_operator_says(state: StateDirectory, files: WebTls) -> None:
    subject = {"common_name": "mgmt.example.net", "organization": "Example", "country": "CA"}

    write_request(files, subject=subject, names=["mgmt.example.net"])

    facts = request_facts(state.tls)
    assert facts is not None
    assert facts.subject | subject == facts.subject
    request = x509.load_pem_x509_csr(facts.pem.encode())
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert request.public_key() == key.public_key()


def test_a_country_of_three_letters_is_refused_in_words(files: WebTls) -> None:
    with pytest.raises(StateError, match="The request cannot be made"):
        write_request(files, subject={"common_name": "a", "country": "CAN"}, names=["a"])


def test_a_certificate_put_in_is_used_and_left_alone(
    state: StateDirectory, authority: Authority, files: WebTls
) -> None:
    chain = other_authority(files.request.read_bytes(), ends=NOW + 20 * DAY)

    put_in(files, chain)
    web_tls(state.tls, authority, names=["new.example.net"], now=NOW)

    assert files.chain.read_bytes() == chain
    facts = certificate_facts(state.tls, hostname="mgmt.example.net", now=NOW)
    assert facts is not None
    assert (facts.issuer, facts.serial_number) == ("CN=Example CA", "4A3")
    assert facts.warnings == ["untrusted", "expires_soon"]


def test_a_certificate_for_another_key_is_refused_and_the_old_one_stays(
    files: WebTls, tmp_path: Path
) -> None:
    before = files.chain.read_bytes()
    other = WebTls(tmp_path)
    write_request(other, subject={"common_name": "a"}, names=["a"])
    chain = other_authority(other.request.read_bytes(), ends=NOW + DAY)

    with pytest.raises(StateError, match="is not for the key"):
        put_in(files, chain)
    with pytest.raises(StateError, match="holds no certificate"):
        put_in(files, b"rubbish")

    assert files.chain.read_bytes() == before


def served_serial(server: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection is shown."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
    client = client_context.wrap_bio(down, up)
    ends = [client, server.wrap_bio(up, down, server_side=True)]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    der = client.getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der).serial_number


def test_a_running_server_takes_a_new_certificate_over(files: WebTls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    live = LiveTls(files, context)
    put_in(files, other_authority(files.request.read_bytes(), ends=NOW + DAY))
    before = served_serial(context)

    taken, again = live.refresh(), live.refresh()

    assert (taken, again) == (True, False)
    assert served_serial(context) == 0x4A3 != before

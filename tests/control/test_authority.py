import base64
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from openbond.server.control.authority import (
    Authority,
    BadCertificateRequest,
    Revocation,
    names_of,
    needs_renewal,
)
from openbond.server.control.state_files import StateDirectory, StateError
from openbond.server.control.web_tls import web_tls
from openbond.server.system.files import write_private
from openbond.wire.exchange import CONFIG_SIGNER_OID, TUNNEL_KEY_OID

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
TUNNEL_KEY = bytes(range(32))


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path / "state")
    state.create()
    return state


@pytest.fixture
def authority(state: StateDirectory) -> Authority:
    return Authority.open_or_create(state.authority, now=NOW)


def csr_for(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever the node likes")])
    algorithm = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm)
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def test_the_authority_lives_twenty_years_and_its_keys_are_private(
    state: StateDirectory, authority: Authority
) -> None:
    certificate = authority.certificate

    assert isinstance(certificate.public_key(), Ed25519PublicKey)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=20 * 365)
    files = list(state.authority.iterdir())
    assert {file.name for file in files} == {"ca.key", "ca.pem", "signer.key", "signer.pem"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(state.root.stat().st_mode) == 0o700


def test_opened_again_it_is_the_same_authority(state: StateDirectory, authority: Authority) -> None:
    again = Authority.open_or_create(state.authority, now=NOW + timedelta(days=30))

    assert again.certificate_pem == authority.certificate_pem
    assert again.signer_pem == authority.signer_pem


@pytest.mark.parametrize("missing", ["ca.pem", "signer.key", "signer.pem"])
def test_killed_while_it_was_made_it_is_finished_at_the_next_start(
    state: StateDirectory, authority: Authority, missing: str
) -> None:
    (state.authority / missing).unlink()

    again = Authority.open_or_create(state.authority, now=NOW)

    again.certificate.verify_directly_issued_by(again.certificate)
    signer = x509.load_pem_x509_certificate(again.signer_pem.encode())
    signer.verify_directly_issued_by(again.certificate)


def test_a_lost_key_of_the_authority_is_not_replaced_in_silence(
    state: StateDirectory, authority: Authority
) -> None:
    (state.authority / "ca.key").unlink()

    with pytest.raises(StateError, match="restore a backup"):
        Authority.open_or_create(state.authority, now=NOW)


def test_a_damaged_file_is_named(state: StateDirectory, authority: Authority) -> None:
    (state.authority / "ca.pem").write_bytes(b"half")

    with pytest.raises(StateError, match=r"ca\.pem is damaged"):
        Authority.open_or_create(state.authority, now=NOW)


def test_a_node_certificate_vouches_for_both_keys(authority: Authority) -> None:
    key = Ed25519PrivateKey.generate()

    certificate = authority.node_certificate(
        csr_pem=csr_for(key), tunnel_key=TUNNEL_KEY, node_id=17, now=NOW
    )

    certificate.verify_directly_issued_by(authority.certificate)
    assert certificate.public_key() == key.public_key()
    extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(TUNNEL_KEY_OID))
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert extension.value.value == TUNNEL_KEY
    assert certificate.subject.rfc4514_string() == "CN=node 17,O=openbond"
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)


def test_a_machine_whose_clock_is_behind_by_a_day_finds_its_certificate_valid(
    authority: Authority,
) -> None:
    certificate = authority.node_certificate(
        csr_pem=csr_for(Ed25519PrivateKey.generate()), tunnel_key=TUNNEL_KEY, node_id=1, now=NOW
    )

    a_day_ago = NOW - timedelta(days=1)
    assert certificate.not_valid_before_utc <= a_day_ago
    assert authority.certificate.not_valid_before_utc <= a_day_ago


@pytest.mark.parametrize(
    ("csr", "tunnel_key", "words"),
    [
        pytest.param("rubbish", TUNNEL_KEY, "not a PEM CSR", id="rubbish"),
        pytest.param(
            csr_for(ec.generate_private_key(ec.SECP256R1())), TUNNEL_KEY, "Ed25519", id="wrong kind"
        ),
        pytest.param(
            csr_for(Ed25519PrivateKey.generate()), b"short", "32 bytes", id="short tunnel key"
        ),
    ],
)
def test_a_request_that_cannot_be_signed_is_refused_in_words(
    authority: Authority, csr: str, tunnel_key: bytes, words: str
) -> None:
    with pytest.raises(BadCertificateRequest, match=words):
        authority.node_certificate(csr_pem=csr, tunnel_key=tunnel_key, node_id=1, now=NOW)


def test_a_request_signed_by_another_key_is_refused(authority: Authority) -> None:
    pem = csr_for(Ed25519PrivateKey.generate())
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    forged = (
        "-----BEGIN CERTIFICATE REQUEST-----\n"
        + base64.encodebytes(bytes(der)).decode()
        + "-----END CERTIFICATE REQUEST-----\n"
    )

    with pytest.raises(BadCertificateRequest, match="own key"):
        authority.node_certificate(csr_pem=forged, tunnel_key=TUNNEL_KEY, node_id=1, now=NOW)


def test_configs_are_signed_by_a_key_marked_for_that(authority: Authority) -> None:
    signer = x509.load_pem_x509_certificate(authority.signer_pem.encode())

    signature = authority.sign_config(b"openbond config")

    signer.verify_directly_issued_by(authority.certificate)
    mark = signer.extensions.get_extension_for_oid(x509.ObjectIdentifier(CONFIG_SIGNER_OID))
    assert isinstance(mark.value, x509.UnrecognizedExtension)
    assert mark.value.value == b"\x05\x00"
    public_key = signer.public_key()
    assert isinstance(public_key, Ed25519PublicKey)
    public_key.verify(signature, b"openbond config")


def test_the_signer_is_renewed_when_a_third_of_its_time_is_left(
    state: StateDirectory, authority: Authority
) -> None:
    again = Authority.open_or_create(state.authority, now=NOW + timedelta(days=600))

    assert again.signer_pem != authority.signer_pem
    assert again.certificate_pem == authority.certificate_pem


def test_the_revocation_list_names_what_was_revoked(authority: Authority) -> None:
    revoked = Revocation(serial=4711, at=NOW - timedelta(hours=1))

    pem = authority.revocation_list([revoked], now=NOW)

    crl = x509.load_pem_x509_crl(pem.encode())
    public_key = authority.certificate.public_key()
    assert isinstance(public_key, Ed25519PublicKey)
    assert crl.is_signature_valid(public_key)
    assert [row.serial_number for row in crl] == [4711]
    assert crl.next_update_utc is not None
    assert crl.next_update_utc > NOW + timedelta(days=7)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A TLS handshake in memory. Raises ssl.SSLError when either end refuses."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "mgmt.example.net", "198.51.100.1"])
def test_a_client_that_trusts_the_authority_reaches_the_server_by_every_name(
    state: StateDirectory, name: str
) -> None:
    now = datetime.now(UTC)  # OpenSSL looks at the real clock
    authority = Authority.open_or_create(state.authority, now=now)

    files = web_tls(state.tls, authority, names=["mgmt.example.net", "198.51.100.1"], now=now)

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.chain, files.key)
    client = ssl.create_default_context(cadata=authority.certificate_pem)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    shake_hands(server, client, name)


def leaf_of(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_web_certificate_stays_until_it_is_due_or_a_name_is_new(
    state: StateDirectory, authority: Authority
) -> None:
    first = leaf_of(web_tls(state.tls, authority, names=["a.example"], now=NOW).chain)
    same = leaf_of(web_tls(state.tls, authority, names=[], now=NOW + timedelta(days=9)).chain)
    more = leaf_of(web_tls(state.tls, authority, names=["b.example"], now=NOW).chain)
    later = leaf_of(web_tls(state.tls, authority, names=[], now=NOW + timedelta(days=300)).chain)

    assert same == first
    assert {"a.example", "b.example"} <= set(names_of(more))
    assert needs_renewal(more, now=NOW + timedelta(days=300))
    assert later != more
    assert later.public_key() == first.public_key()


def test_a_second_server_on_one_state_directory_is_refused_in_words(state: StateDirectory) -> None:
    lock = state.lock()

    with pytest.raises(StateError, match=r"already runs on .*--state"):
        state.lock()

    lock.release()
    state.lock().release()


def test_a_directory_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StateError, match=r"Cannot use .*--state"):
        StateDirectory(tmp_path / "file" / "state").create()


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    write_private(path, b"old")

    with pytest.raises(TypeError):
        write_private(path, "text is refused")  # type: ignore[arg-type]

    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["ca.pem"]

"""A machine that speaks the channel for real: own keys, signatures, checks. No tunnel."""

import base64
from dataclasses import dataclass, field

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from openbond.server.control.signed_requests import SignedRequest, read_signed_request
from openbond.wire.canonical import content_hash
from openbond.wire.config import Envelope, NodeContent, signed_bytes
from openbond.wire.exchange import (
    CONFIG_SIGNER_OID,
    HEADER_NODE,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    EnrolRequest,
    PollRequest,
    ReportRequest,
    signed_request,
)

VERSION = "0.1.0"


@dataclass
class Machine:
    """A machine before and after it enrolled. `numbers` are those of the requests it made."""

    machine_id: str = "machine-1"
    node_id: int = 0
    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    tunnel: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def tunnel_key(self) -> str:
        return base64.b64encode(self.tunnel.public_key().public_bytes_raw()).decode()

    def enrol_request(self) -> EnrolRequest:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.machine_id)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self.identity, None)
        return EnrolRequest(
            csr=csr.public_bytes(serialization.Encoding.PEM).decode(),
            tunnel_key=self.tunnel_key,
            machine_id=self.machine_id,
            hardware={"product": "bench"},
            software_version=VERSION,
        )

    def headers(self, target: str, body: bytes, *, number: int | None = None) -> dict[str, str]:
        """Sign a request; without `number` with the next one."""
        if number is None:
            number = self.numbers.get(target, 0) + 1
            self.numbers[target] = number
        covered = signed_request(method="POST", target=target, number=number, body=body)
        return {
            HEADER_NODE: str(self.node_id),
            HEADER_NUMBER: str(number),
            HEADER_SIGNATURE: base64.b64encode(self.identity.sign(covered)).decode(),
        }

    def signed(
        self, target: str, value: PollRequest | ReportRequest, *, number: int | None = None
    ) -> SignedRequest:
        """The request as the server reads it."""
        body = msgspec.json.encode(value)
        headers = self.headers(target, body, number=number)
        lower = {name.lower(): text for name, text in headers.items()}
        return read_signed_request(method="POST", target=target, headers=lower, body=body)


def checked_content(
    envelope: Envelope, *, signer_pem: str, ca: x509.Certificate, node_id: int
) -> NodeContent:
    """Check an envelope as a node must: length, hash, signer, signature, node."""
    content = bytes(envelope.content)
    assert content_hash(content) == envelope.hash
    assert envelope.node_id == node_id
    signer = x509.load_pem_x509_certificate(signer_pem.encode())
    signer.verify_directly_issued_by(ca)
    signer.extensions.get_extension_for_oid(x509.ObjectIdentifier(CONFIG_SIGNER_OID))
    key = signer.public_key()
    assert isinstance(key, Ed25519PublicKey)
    signed = signed_bytes(
        schema=envelope.schema,
        node_id=envelope.node_id,
        revision=envelope.revision,
        forced=envelope.forced,
        hash=envelope.hash,
    )
    key.verify(base64.b64decode(envelope.signature), signed)
    return msgspec.json.decode(content, type=NodeContent)

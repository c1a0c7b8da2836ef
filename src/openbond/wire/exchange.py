"""The three exchanges of the management channel (behaviour 1.5): enrol, poll, report.

All are POSTs of JSON below PREFIX. Enrolment carries the node key in a header; poll and report are
signed with the node's Ed25519 key over method, target, number and the SHA-256 of the body. The
number only rises, per node and exchange, so a recorded request is worth nothing.
"""

import hashlib
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from .config import Envelope
from .reports import Report

PREFIX = "/node/v1/"
ENROL = PREFIX + "enrol/"
POLL = PREFIX + "poll/"
REPORT = PREFIX + "report/"

HEADER_NODE_KEY = "X-Openbond-Node-Key"
HEADER_NODE = "X-Openbond-Node"
HEADER_NUMBER = "X-Openbond-Number"
HEADER_SIGNATURE = "X-Openbond-Signature"

# The object identifier of the certificate extension that holds the X25519 key (32 raw bytes),
# below the arc for private use of UUIDs; marks a certificate as a node's.
TUNNEL_KEY_OID = "2.25.281377219372013620713456127350911420733.1"
# The extension (value: ASN.1 NULL) that marks the certificate of the key that signs configs.
CONFIG_SIGNER_OID = "2.25.281377219372013620713456127350911420733.2"


class _Value(Struct, frozen=True, kw_only=True):
    pass


class EnrolRequest(_Value):
    csr: str  # PEM, Ed25519
    tunnel_key: str  # X25519 public key, base64
    machine_id: str
    hardware: dict[str, str]
    software_version: str


class EnrolAnswer(_Value):
    node_id: int
    certificate: str  # PEM
    ca: str  # PEM; one or more certificates
    signer: str  # PEM; the certificate of the key that signs configs
    crl: str = ""  # PEM


class PollRequest(_Value):
    revision: int  # 0: has none
    hash: str
    software_version: str
    wait_ms: int = 50_000


class PollStatus(StrEnum):
    CONFIG = "config"
    NOTHING = "nothing"
    SUPERSEDED = "superseded"  # a newer enrolment with the same node key exists (behaviour 1.4)


class PollAnswer(_Value):
    status: PollStatus
    envelope: Envelope | UnsetType = UNSET
    signer: str = ""  # PEM, beside an envelope
    detail: str = ""


class ReportRequest(_Value):
    sent_at_ms: int  # the node's wall clock, so that the server can correct times
    reports: list[Report]
    software_version: str = ""


class ReportAnswer(_Value):
    """`taken`: the highest report number that is stored; the node may forget up to it."""

    taken: int


class ErrorAnswer(_Value):
    """What a refused exchange answers, beside its HTTP status."""

    code: str
    detail: str


def signed_request(*, method: str, target: str, number: int, body: bytes) -> bytes:
    """Return the bytes that a node signs for one request."""
    digest = hashlib.sha256(body).hexdigest()
    return f"openbond request\n{method}\n{target}\n{number}\n{digest}\n".encode()

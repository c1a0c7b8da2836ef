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
from .speed_tests import SpeedTestOrder

PREFIX = "/node/v1/"
ENROL = PREFIX + "enrol/"
POLL = PREFIX + "poll/"
REPORT = PREFIX + "report/"
# GET, unsigned: the CA's certificate as PEM. For a node that was given only its fingerprint: it
# fetches this over an unchecked connection, compares the SHA-256 of the DER, and only then enrols.
CA = PREFIX + "ca/"

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


class EnrolRequest(_Value, frozen=True, kw_only=True):
    csr: str  # PEM, Ed25519
    tunnel_key: str  # X25519 public key, base64
    machine_id: str
    hardware: dict[str, str]
    software_version: str


class EnrolAnswer(_Value, frozen=True, kw_only=True):
    node_id: int
    certificate: str  # PEM
    ca: str  # PEM; one or more certificates
    signer: str  # PEM; the certificate of the key that signs configs
    crl: str = ""  # PEM


class PollRequest(_Value, frozen=True, kw_only=True):
    """`revision`, `hash`: of the newest config the node took: applied, or being applied now.

    After a roll-back or a refusal: of its last-good one. The server then offers the failed
    revision again after 1, 5 and 15 min, then nightly; a newer one at once (behaviour 1.9).
    """

    revision: int  # 0: has none
    hash: str
    software_version: str
    wait_ms: int = 50_000
    # The speed tests it was last told of, and whether they had begun; it is answered at once when
    # that is not so any more. None: it knows of none, as it is older than they are.
    speed_tests: dict[int, bool] | None = None


class PollStatus(StrEnum):
    CONFIG = "config"
    NOTHING = "nothing"
    SUPERSEDED = "superseded"  # a newer enrolment with the same node key exists (behaviour 1.4)


class PollAnswer(_Value, frozen=True, kw_only=True):
    status: PollStatus
    envelope: Envelope | UnsetType = UNSET
    signer: str = ""  # PEM, beside an envelope
    detail: str = ""
    crl: str = ""  # PEM, beside an envelope
    # All speed tests of this node, where they are not those of the request.
    speed_tests: list[SpeedTestOrder] | UnsetType = UNSET


class ReportRequest(_Value, frozen=True, kw_only=True):
    sent_at_ms: int  # the node's wall clock, so that the server can correct times
    reports: list[Report]
    software_version: str = ""


class ReportAnswer(_Value, frozen=True, kw_only=True):
    """`taken`: the highest report number that is stored; the node may forget up to it."""

    taken: int


class ErrorCode(StrEnum):
    """Why an exchange was refused. A node shows a code it does not know, and tries again."""

    UNKNOWN_KEY = "unknown_key"  # enrol: no node has this node key
    SLOW_DOWN = "slow_down"  # enrol: too many wrong keys from this address
    BAD_REQUEST = "bad_request"  # the body or a header does not parse
    BAD_SIGNATURE = "bad_signature"
    REPLAYED_NUMBER = "replayed_number"  # see ErrorAnswer.number
    NOT_ENROLLED = "not_enrolled"  # the node has no certificate here: enrol
    CERTIFICATE_EXPIRED = "certificate_expired"  # enrol again with the node key
    SUPERSEDED = "superseded"  # report: a newer enrolment exists; poll says it as a status
    UNKNOWN_NODE = "unknown_node"  # no such node, and no tombstone of one
    UNAVAILABLE = "unavailable"  # try again later


class ErrorAnswer(_Value, frozen=True, kw_only=True):
    """What a refused exchange answers, beside its HTTP status. `code` is one of ErrorCode.

    `number`, with replayed_number: the highest number taken so far; continue above it.
    """

    code: str
    detail: str
    number: int = 0


def signed_request(*, method: str, target: str, number: int, body: bytes) -> bytes:
    """Return the bytes that a node signs for one request."""
    digest = hashlib.sha256(body).hexdigest()
    return f"openbond request\n{method}\n{target}\n{number}\n{digest}\n".encode()

"""What the agent and a bond's tunnel daemon say to each other: one file and one Unix socket.

DIR/run/bonding/tun<ID>.json holds a DaemonSettings (mode 0600); the daemon starts from it alone.
DIR/run/bonding/tun<ID>.sock takes one JSON object per line: a Request, answered in order by exactly
one Answer. After `Subscribe` the connection also carries Events, whenever they happen; whoever asks
and listens uses two connections. The same request twice is harmless. Unknown keys are ignored, so
that agent and daemon may differ by a version.

Units: speeds kbit/s, times ms (wall clock, `at_ms`) or as named, sizes bytes.
"""

from pathlib import Path
from typing import TypeAlias

import msgspec
from msgspec import Struct

from openbond.wire.config import BondConfig, QosProfileConfig
from openbond.wire.speed_tests import TrialSettings
from openbond.wire.states import NodeKind, ShownState

SCHEMA = 1


def settings_path(root: Path, bond_id: int) -> Path:
    return root / "run" / "bonding" / f"tun{bond_id}.json"


def socket_path(root: Path, bond_id: int) -> Path:
    return root / "run" / "bonding" / f"tun{bond_id}.sock"


class LegLink(Struct, frozen=True, kw_only=True):
    """Where one leg's datagrams leave and arrive.

    Bonder: the socket is tied to `interface` and `source`; without a `source` (no lease yet) or an
    interface the leg waits until a later Reload names them, or until the interface appears.
    Aggregator: the socket listens on `source` ("" = any address) and `source_port`; the peer's
    address is learnt from its datagrams.
    """

    leg_id: int
    interface: str = ""
    source: str = ""
    source_port: int = 0  # aggregator: leg.tunnel_port; bonder: 0, any free one
    peer: str = ""  # bonder: the aggregator's address
    peer_port: int = 0  # bonder: leg.tunnel_port


class DaemonSettings(Struct, frozen=True, kw_only=True):
    """All a tunnel daemon must know. A leg of `bond.legs` without a link waits."""

    role: NodeKind
    bond: BondConfig
    private_key: str  # path of our X25519 private key: 32 raw bytes, base64 text, or PEM (PKCS #8)
    links: list[LegLink]
    qos: QosProfileConfig | None = None  # None: one class, no margin
    schema: int = SCHEMA


# ------------------------------------------------------------------------------------- requests


class Ping(Struct, frozen=True, kw_only=True, tag="ping"):
    """Answered at once by Done while the daemon's loop turns."""


class Reload(Struct, frozen=True, kw_only=True, tag="reload"):
    """Go over to new settings without losing a packet.

    A daemon started as root has dropped its rights and cannot read the 0600 file any more: the
    agent writes the file (for the next start) and gives the same settings here. Without `settings`
    the daemon reads the file, and is Refused when it may not.
    """

    settings: DaemonSettings | None = None


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    """Answered by StatusAnswer."""


class Subscribe(Struct, frozen=True, kw_only=True, tag="subscribe"):
    """From now on this connection carries Events too."""


class DetectMtu(Struct, frozen=True, kw_only=True, tag="detect_mtu"):
    """Measure the path MTU again; an empty list means every leg that carries data."""

    leg_ids: list[int] = []


class LegDown(Struct, frozen=True, kw_only=True, tag="leg_down"):
    """Carrier, address, PPP or modem are gone (behaviour 3.3, LOST)."""

    leg_id: int
    why: str


class LegReady(Struct, frozen=True, kw_only=True, tag="leg_ready"):
    """Carrier, address and route are there again; without a change of the settings file."""

    leg_id: int


class BeginTest(Struct, frozen=True, kw_only=True, tag="begin_test"):
    """Begin a speed test over a leg, or over the bond without one (tunnel/speed_test.py).

    limit_kbps: of a leg test, outer IP packets. It ends by itself `within_ms` from now. trial: what
    a bond test is run with in place of the settings.
    """

    test_id: int
    leg_id: int | None
    limit_kbps: int | None
    within_ms: int
    trial: TrialSettings | None = None


class EndTest(Struct, frozen=True, kw_only=True, tag="end_test"):
    """End whatever speed test runs; the leg returns to its bond."""


class Stop(Struct, frozen=True, kw_only=True, tag="stop"):
    """End the daemon in order; the TUN device stays."""


Request: TypeAlias = (
    Ping | Reload | Status | Subscribe | DetectMtu | LegDown | LegReady | BeginTest | EndTest | Stop
)

# ------------------------------------------------------------------------------------- answers


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    pass


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    """The request changed nothing; `why` is a sentence for the operator."""

    why: str


class LegStatus(Struct, frozen=True, kw_only=True):
    """What this end knows of one leg. Loss and adapted speed: of the direction we send in."""

    leg_id: int
    state: ShownState
    path_mtu: int
    path_mtu_measured: bool
    rtt_us: int | None = None
    jitter_us: int | None = None
    loss_permille: int | None = None
    adapted_kbps: int | None = None
    spill_reason: str = ""
    peer: str = ""  # "192.0.2.1:2003", as last authenticated
    waiting_for: str = ""  # e.g. "interface eth7 does not exist"
    counters: dict[str, int] = {}  # names: openbond.tunnel.counters.LEG_COUNTERS


class SpeedTestStatus(Struct, frozen=True, kw_only=True):
    """What the speed test that runs has counted since it began, at `at_us` (monotonic).

    Octets and datagrams are those of outer IP packets. `queue_us`: datagrams that waited, times the
    microseconds for which they did; `rtt_square_sum` in square microseconds.
    """

    test_id: int
    at_us: int
    sent_octets: int
    sent_datagrams: int
    received_octets: int
    received_datagrams: int
    queue_us: int
    rtt_count: int
    rtt_sum_us: int
    rtt_square_sum: int


class StatusAnswer(Struct, frozen=True, kw_only=True, tag="status_answer"):
    bond_id: int
    pid: int
    started_at_ms: int
    inner_mtu: int
    legs: list[LegStatus]
    counters: dict[str, int] = {}  # names: openbond.tunnel.counters.BOND_COUNTERS
    warnings: list[str] = []
    speed_test: SpeedTestStatus | None = None
    offloads: list[str] = []  # those in use, e.g. "tun_tso4", "udp_gro"


Answer: TypeAlias = Done | Refused | StatusAnswer

# -------------------------------------------------------------------------------------- events


class LegStateMoved(Struct, frozen=True, kw_only=True, tag="leg_state_moved"):
    leg_id: int
    old: ShownState
    new: ShownState
    signal: str
    at_ms: int


class PathMtuMeasured(Struct, frozen=True, kw_only=True, tag="path_mtu_measured"):
    leg_id: int
    mtu: int
    at_ms: int


class InnerMtuMoved(Struct, frozen=True, kw_only=True, tag="inner_mtu_moved"):
    """The agent sets the device's MTU and the MSS clamp: the daemon has no privileges left."""

    mtu: int
    at_ms: int


class PeerAddressMoved(Struct, frozen=True, kw_only=True, tag="peer_address_moved"):
    leg_id: int
    peer: str
    at_ms: int


class Warned(Struct, frozen=True, kw_only=True, tag="warned"):
    """Something is not as it should be, e.g. a missing interface; said once, and once when over."""

    about: str  # "leg 21", "bond"
    text: str  # "" = over
    at_ms: int


DaemonEvent: TypeAlias = LegStateMoved | PathMtuMeasured | InnerMtuMoved | PeerAddressMoved | Warned

Line: TypeAlias = Answer | DaemonEvent

_encoder = msgspec.json.Encoder()
_request_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_line_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_settings_decoder: msgspec.json.Decoder[DaemonSettings] = msgspec.json.Decoder(DaemonSettings)


def encode_line(message: Request | Line) -> bytes:
    """Return one message as it travels, its newline included."""
    return _encoder.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises msgspec.ValidationError or msgspec.DecodeError, whose text names the field."""
    return _request_decoder.decode(line)


def decode_line(line: bytes) -> Line:
    """Raises msgspec.ValidationError or msgspec.DecodeError, whose text names the field."""
    return _line_decoder.decode(line)


def encode_settings(settings: DaemonSettings) -> bytes:
    return msgspec.json.format(_encoder.encode(settings), indent=1)


def decode_settings(text: bytes) -> DaemonSettings:
    """Raises msgspec.ValidationError or msgspec.DecodeError, whose text names the field."""
    return _settings_decoder.decode(text)

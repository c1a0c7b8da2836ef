"""What a tunnel end is told: settings of the bond and of its legs.

Units inside the tunnel: seconds (float, monotonic), bit/s, bytes. Names follow behaviour 2 and 3.
"""

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from ipaddress import IPv4Network, IPv6Network


class Role(Enum):
    BONDER = "bonder"  # initiator: speaks first
    AGGREGATOR = "aggregator"


class Security(IntEnum):
    """Ordered by strength: the stronger of the two ends' modes is used (behaviour 2.5)."""

    NONE = 0
    HMAC = 1
    ENCRYPTION = 2


class Cipher(IntEnum):
    AES128 = 0
    AES256 = 1


class LinkMode(Enum):
    OFFLINE = "offline"
    IDLE = "idle"
    ACTIVE = "active"


class Distribution(Enum):
    IDMPQ = "idmpq"
    WEIGHTED_ROUND_ROBIN = "weighted_round_robin"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSettings:
    """One leg, seen from this end. Speeds are those configured, per direction of sending."""

    id: int
    mode: LinkMode
    failover: bool
    send_bps: float  # this end's sending direction; 0 bars the leg from data that way
    receive_bps: float
    path_mtu_ceiling: int = 1500  # `interface_mtu`, or 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class QosClass:
    """A queue class (behaviour 5.10): its guaranteed share of the capacity, 0 to 1, and on how many
    legs each of its packets goes (behaviour 2.14).
    """

    share: float
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class QosFilter:
    """Conditions, all of which a packet must meet, and the index of its class then.

    None: any. Sizes in bytes, both limits included; `ports` are ranges that hold the source or the
    destination port; `network` holds the source or the destination; `max_packet_rate` is of the
    flow, in packets/s.
    """

    target: int
    ip_version: int | None = None
    protocols: frozenset[int] | None = None
    ports: tuple[tuple[int, int], ...] = ()
    network: IPv4Network | IPv6Network | None = None
    dscp: int | None = None
    min_packet_size: int | None = None
    max_packet_size: int | None = None
    min_flow_size: int | None = None
    max_flow_size: int | None = None
    max_packet_rate: int | None = None
    tcp_ack: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """Classes in the order of service, filters in the order of trial. margin: 0 to 0.5."""

    classes: tuple[QosClass, ...] = (QosClass(share=1.0),)
    default: int = 0
    filters: tuple[QosFilter, ...] = ()
    margin: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BondSettings:
    id: int
    role: Role
    private_key: bytes  # X25519, 32 bytes; ours
    peer_public_key: bytes  # X25519, 32 bytes; empty: no session is made
    secret: bytes  # 32 bytes, the pre-shared key
    security: Security = Security.NONE
    cipher: Cipher = Cipher.AES128
    handshake_interval: float = 3600.0  # 0: never
    compression: bool = False
    distribution: Distribution = Distribution.IDMPQ
    reorder_max_hold: float = 0.150
    flow_collision_detection: bool = False
    automatic_ping_timing: bool = True
    ping_interval: float = 0.5
    ping_timeout: float = 3.0
    bandwidth_adaptation: bool = False
    packet_loss_detection: bool = False
    packet_loss_threshold: float = 0.05
    flap_detection: bool = False
    flap_threshold: int = 4
    flap_window: float = 300.0
    qos: Qos = Qos()  # without a profile: one class, no margin
    legs: tuple[LegSettings, ...] = field(default=())

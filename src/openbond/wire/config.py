"""A node's config: everything it must know, one document (behaviour 1.7).

Units: speeds kbit/s, times ms, sizes bytes; integers only. Networks are CIDR text. Keys and
secrets are base64. The same bond stands in two configs: the bonder's (with access, connected IPs)
and the current aggregator's (with `networks`, without any secret of the bonder's lines).
"""

from typing import TypeAlias

from msgspec import Raw, Struct

from .states import Cipher, Distribution, LegType, LinkMode, NodeKind, Security

SCHEMA = 1


class _Value(Struct, frozen=True, kw_only=True):
    """A frozen value. Unknown keys are ignored, so that N speaks with N-1."""


class StaticAccess(_Value, frozen=True, kw_only=True, tag="static"):
    ip: str
    prefix: int
    gateway: str


class DhcpAccess(_Value, frozen=True, kw_only=True, tag="dhcp"):
    pass


class PppoeAccess(_Value, frozen=True, kw_only=True, tag="pppoe"):
    username: str
    password: str
    service_name: str = ""


class MobileAccess(_Value, frozen=True, kw_only=True, tag="mobilebroadband"):
    apn: str
    username: str = ""
    password: str = ""
    modem: str = ""


Access: TypeAlias = StaticAccess | DhcpAccess | PppoeAccess | MobileAccess


class LegConfig(_Value, frozen=True, kw_only=True):
    """One leg. At the aggregator `access` is None and the interface fields are empty."""

    id: int
    type: LegType
    link_mode: LinkMode
    failover: bool
    tunnel_port: int
    down_kbps: int
    up_kbps: int
    access: Access | None = None
    interface: str = ""
    interface_mac: str | None = None
    interface_mtu: int | None = None
    interface_mode: str = "auto"
    # Counters of actions: act once when higher than the one last acted upon (behaviour 1.7).
    renew_count: int = 0
    detect_mtu_count: int = 0


class ConnectedIpConfig(_Value, frozen=True, kw_only=True):
    id: int
    interface: str
    ip: str
    prefix: int
    agg_routing: str = "auto"
    dhcp_lease_s: int = 0  # of the DHCP server with DNS on it; 0: none


class RouteConfig(_Value, frozen=True, kw_only=True):
    """A network behind a router at the customer's site; bonders only."""

    id: int
    network: str
    gateway: str
    interface: str = "auto"
    agg_routing: str = "auto"


class CpeNatIpConfig(_Value, frozen=True, kw_only=True):
    """One public address translated on the bonder (behaviour 5.2)."""

    id: int
    ip: str
    dest_nat_ip: str
    dest_nat_network: str


class QosClassConfig(_Value, frozen=True, kw_only=True):
    """A queue class: its guaranteed share in percent, and on how many legs each packet goes."""

    name: str
    share: int
    copies: int = 1


class QosFilterConfig(_Value, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions, all of which a packet must meet, and the index of its class then.

    Left out: any. Sizes in bytes; `ports` are ranges, both ends included; rate in packets/s.
    """

    target: int
    ip_version: int | None = None
    protocol: str | None = None
    ports: list[tuple[int, int]] = []
    network: str | None = None
    dscp: int | None = None
    min_packet_size: int | None = None
    max_packet_size: int | None = None
    min_flow_size: int | None = None
    max_flow_size: int | None = None
    max_packet_rate: int | None = None
    tcp_ack: bool = False


class QosProfileConfig(_Value, frozen=True, kw_only=True):
    """A QoS profile (behaviour 5.10): classes in the order of service, filters in that of trial.

    `default`: index of the class of all that no filter matches.
    """

    id: int
    margin_permille: int
    default: int
    classes: list[QosClassConfig]
    filters: list[QosFilterConfig] = []


class TrunkConfig(_Value, frozen=True, kw_only=True):
    """Our tunnel to another aggregator: what private WANs of both send goes in it (§5.8)."""

    id: int
    node_id: int  # the other aggregator
    subnet: str  # /31; lower address: the end that dials
    dials: bool  # else this end listens
    own_ip: str
    peer_ip: str
    port: int  # UDP, of the end that listens
    peer_public_key: str  # as in BondConfig
    secret: str


class PrivateNetworkConfig(_Value, frozen=True, kw_only=True):
    """A network of a private WAN, the bond it is behind, and the aggregator that has the bond."""

    network: str
    bond_id: int
    node_id: int


class PrivateWanConfig(_Value, frozen=True, kw_only=True):
    """The private WAN of a space, at an aggregator that has bonds of it.

    `shadowed`: networks of bonds here that another bond of the space has, too, and wins.
    """

    space_id: int
    space_key: str
    node_id: int  # this aggregator
    networks: list[PrivateNetworkConfig]
    shadowed: list[PrivateNetworkConfig] = []


class BondConfig(_Value, frozen=True, kw_only=True):
    id: int
    tunnel_subnet: str  # /31; lower address: bonder, upper: aggregator
    aggregator_ip: str
    peer_public_key: str  # X25519, base64; "" while the peer has none or its certificate is void
    secret: str  # 32 bytes, base64: the pre-shared key of the handshakes
    security: Security
    cipher: Cipher
    handshake_interval_ms: int
    compression: bool
    clamp_tcp: bool
    packet_distribution: Distribution
    reorder_max_hold_ms: int
    flow_collision_detection: bool
    automatic_ping_timing: bool
    ping_interval_ms: int
    ping_timeout_ms: int
    bandwidth_adaptation: bool
    packet_loss_detection: bool
    packet_loss_threshold_permille: int
    flap_detection: bool
    flap_threshold: int
    flap_window_ms: int
    tcp_proxy: bool
    tcp_proxy_ports: list[int]
    legs: list[LegConfig]
    aggregator_ipv6: str | None = None
    qos_profile_id: int | None = None  # of NodeContent.qos_profiles
    # Bonder only: addresses and routes at the site.
    connected_ips: list[ConnectedIpConfig] = []
    routes: list[RouteConfig] = []
    cpe_nat_ips: list[CpeNatIpConfig] = []
    # Aggregator only. `networks`: routed into the tunnel. `sources`: what may come out of it.
    networks: list[str] = []
    sources: list[str] = []
    # The space, while it has a private WAN; at the aggregator, what of `sources` takes part in it.
    private_wan: int | None = None
    private_sources: list[str] = []
    restart_count: int = 0


class NodeContent(_Value, frozen=True, kw_only=True):
    kind: NodeKind
    name: str
    hostname: str
    debug: bool
    metric_collection_interval_ms: int
    metric_reporting_interval_ms: int
    bonds: list[BondConfig]
    cpu_governor: str | None = None
    tcp_congestion_control_algorithm: str | None = None
    decommission: bool = False
    qos_profiles: list[QosProfileConfig] = []  # those that the bonds use, by id
    # Aggregators only: of the spaces whose bonds are here, and the ways to the other aggregators.
    private_wans: list[PrivateWanConfig] = []
    trunks: list[TrunkConfig] = []


class Envelope(_Value, frozen=True, kw_only=True):
    """A config as it travels. `content` is the canonical JSON of a NodeContent.

    `signature` is base64 Ed25519 over `signed_bytes`, by the key of the certificate that the
    private CA issued for configs (delivered beside it, see exchange.PollAnswer.signer).
    """

    schema: int
    node_id: int
    revision: int
    forced: bool
    hash: str
    content: Raw
    signature: str


def signed_bytes(*, schema: int, node_id: int, revision: int, forced: bool, hash: str) -> bytes:
    """Return what the signature of an envelope covers; the hash stands for the content."""
    return f"openbond config\n{schema}\n{node_id}\n{revision}\n{int(forced)}\n{hash}\n".encode()

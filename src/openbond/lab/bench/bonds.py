"""The config of a bond of a bench: the server's defaults, without a server.

But for one: legs are cut here more often than four times in five minutes, which would rightly read
`unhealthy` (behaviour 3.5) where only the cuts themselves matter.
"""

from ipaddress import ip_network

from openbond.node.daemon_messages import LegLink
from openbond.wire.config import BondConfig, LegConfig
from openbond.wire.states import Cipher, Distribution, LegType, LinkMode, Security

PORT_BEFORE = 2000  # behaviour 2.2: a leg's port is 2000 and its id


def bond_config(
    bond_id: int,
    *,
    tunnel_subnet: str,
    peer_public_key: str,
    secret: str,
    legs: list[LegConfig],
    security: Security = Security.ENCRYPTION,
    adapts: bool = False,
    handshake_interval: float = 3600.0,
) -> BondConfig:
    """Return what a node is told of a bond; `adapts`: with bandwidth adaptation on;
    `handshake_interval` in seconds.
    """
    return BondConfig(
        id=bond_id,
        tunnel_subnet=tunnel_subnet,
        aggregator_ip=str(ip_network(tunnel_subnet)[-1]),
        peer_public_key=peer_public_key,
        secret=secret,
        security=security,
        cipher=Cipher.AES256,
        handshake_interval_ms=round(handshake_interval * 1000),
        compression=False,
        clamp_tcp=True,
        packet_distribution=Distribution.IDMPQ,
        reorder_max_hold_ms=150,
        flow_collision_detection=False,
        automatic_ping_timing=True,
        ping_interval_ms=500,
        ping_timeout_ms=3000,
        bandwidth_adaptation=adapts,
        packet_loss_detection=False,
        packet_loss_threshold_permille=50,
        flap_detection=False,
        flap_threshold=100,
        flap_window_ms=300_000,
        tcp_proxy=False,
        tcp_proxy_ports=[],
        legs=legs,
    )


def leg_config(
    leg_id: int, *, down_kbps: int, up_kbps: int, mode: LinkMode = LinkMode.ACTIVE
) -> LegConfig:
    return LegConfig(
        id=leg_id,
        type=LegType.STATIC,
        link_mode=mode,
        failover=False,
        tunnel_port=PORT_BEFORE + leg_id,
        down_kbps=down_kbps,
        up_kbps=up_kbps,
    )


def leg_link(leg_id: int, *, line: int, network: str, is_site: bool) -> LegLink:
    """Return what a daemon opens for a leg on line `line`; `network`: its first three bytes."""
    port = PORT_BEFORE + leg_id
    if not is_site:
        return LegLink(leg_id=leg_id, source_port=port)
    return LegLink(
        leg_id=leg_id,
        interface=f"l{line}",
        source=f"{network}.1",
        peer=f"{network}.2",
        peer_port=port,
    )

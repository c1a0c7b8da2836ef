"""The config of a bond of a bench: the server's defaults, without a server.

But for one: legs are cut here more often than four times in five minutes, which would rightly read
`unhealthy` (behaviour 3.5) where only the cuts themselves matter.
"""

from ipaddress import ip_network

from openbond.wire.config import BondConfig, LegConfig
from openbond.wire.states import Cipher, Distribution, Security


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

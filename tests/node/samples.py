"""Configs for tests: one bond with what the test names, everything else ordinary."""

import base64
from typing import Any

from openbond.wire.config import (
    BondConfig,
    ConnectedIpConfig,
    DhcpAccess,
    LegConfig,
    MobileAccess,
    NodeContent,
    PppoeAccess,
    StaticAccess,
)
from openbond.wire.states import Cipher, Distribution, LegType, LinkMode, NodeKind, Security

SECRET = base64.b64encode(bytes(32)).decode()


def static_leg(
    leg_id: int = 21,
    interface: str = "eth1",
    *,
    ip: str = "192.0.2.2",
    prefix: int = 24,
    gateway: str = "192.0.2.1",
    mode: LinkMode = LinkMode.ACTIVE,
    **more: Any,
) -> LegConfig:
    access = StaticAccess(ip=ip, prefix=prefix, gateway=gateway)
    return _leg(leg_id, LegType.STATIC, mode, interface=interface, access=access, **more)


def dhcp_leg(
    leg_id: int = 22, interface: str = "eth2", *, mode: LinkMode = LinkMode.ACTIVE, **more: Any
) -> LegConfig:
    return _leg(leg_id, LegType.DHCP, mode, interface=interface, access=DhcpAccess(), **more)


def pppoe_leg(leg_id: int = 23, interface: str = "eth3", **more: Any) -> LegConfig:
    words = {"username": "line7@isp.example", "password": "secret", "service_name": ""}
    access = PppoeAccess(**{name: more.pop(name, word) for name, word in words.items()})
    mode = more.pop("mode", LinkMode.ACTIVE)
    return _leg(leg_id, LegType.PPPOE, mode, interface=interface, access=access, **more)


def mobile_leg(leg_id: int = 24, **more: Any) -> LegConfig:
    words = {"apn": "internet.example", "username": "", "password": "", "modem": ""}
    access = MobileAccess(**{name: more.pop(name, word) for name, word in words.items()})
    mode = more.pop("mode", LinkMode.ACTIVE)
    return _leg(leg_id, LegType.MOBILEBROADBAND, mode, access=access, **more)


def far_leg(leg_id: int = 21, *, mode: LinkMode = LinkMode.ACTIVE, **more: Any) -> LegConfig:
    """A leg as the aggregator knows it."""
    return _leg(leg_id, LegType.STATIC, mode, **more)


def _leg(leg_id: int, kind: LegType, mode: LinkMode, **more: Any) -> LegConfig:
    more.setdefault("failover", False)
    return LegConfig(
        id=leg_id,
        type=kind,
        link_mode=mode,
        tunnel_port=2000 + leg_id,
        down_kbps=20_000,
        up_kbps=10_000,
        **more,
    )


def connected_ip(
    ident: int = 5,
    interface: str = "lan0",
    ip: str = "10.1.0.1",
    prefix: int = 24,
    *,
    lease: int = 0,
) -> ConnectedIpConfig:
    return ConnectedIpConfig(
        id=ident, interface=interface, ip=ip, prefix=prefix, dhcp_lease_s=lease
    )


def bond(bond_id: int = 7, *, legs: list[LegConfig], **more: Any) -> BondConfig:
    ordinary: dict[str, Any] = {
        "tunnel_subnet": "240.0.0.0/31",
        "aggregator_ip": "203.0.113.1",
        "peer_public_key": "",
        "secret": SECRET,
        "security": Security.ENCRYPTION,
        "cipher": Cipher.AES128,
        "handshake_interval_ms": 3_600_000,
        "compression": False,
        "clamp_tcp": True,
        "packet_distribution": Distribution.IDMPQ,
        "reorder_max_hold_ms": 150,
        "flow_collision_detection": False,
        "automatic_ping_timing": True,
        "ping_interval_ms": 500,
        "ping_timeout_ms": 3000,
        "bandwidth_adaptation": False,
        "packet_loss_detection": False,
        "packet_loss_threshold_permille": 50,
        "flap_detection": False,
        "flap_threshold": 4,
        "flap_window_ms": 300_000,
        "tcp_proxy": False,
        "tcp_proxy_ports": [80, 443],
    }
    return BondConfig(id=bond_id, legs=legs, **{**ordinary, **more})


def bonder(*bonds: BondConfig, **more: Any) -> NodeContent:
    return _content(NodeKind.BONDER, bonds, **more)


def aggregator(*bonds: BondConfig, **more: Any) -> NodeContent:
    return _content(NodeKind.AGGREGATOR, bonds, **more)


def _content(kind: NodeKind, bonds: tuple[BondConfig, ...], **more: Any) -> NodeContent:
    return NodeContent(
        kind=kind,
        name="a-node",
        hostname="a-node",
        debug=False,
        metric_collection_interval_ms=10_000,
        metric_reporting_interval_ms=60_000,
        bonds=list(bonds),
        **more,
    )

"""From rows to the config of a node: a pure function, same rows, same bytes (behaviour 1.7).

Everything is in the rows handed in; nothing is read from the database, the clock or dice here.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field

from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.fleet.models import Node, Tombstone
from openbond.server.qos.models import QosProfile
from openbond.wire.config import (
    Access,
    BondConfig,
    ConnectedIpConfig,
    CpeNatIpConfig,
    DhcpAccess,
    LegConfig,
    MobileAccess,
    NodeContent,
    PppoeAccess,
    RouteConfig,
    StaticAccess,
)
from openbond.wire.states import Cipher, Distribution, LegType, LinkMode, NodeKind, Security

from .private_wans import NO_WANS, WanRows, compile_private_wan, compile_trunk
from .qos import compile_profile
from .routed import (
    cpe_nat_network,
    is_loaded,
    networks_of,
    private_networks_of,
    sources_of,
)

MS = 1000
DECOMMISSION_INTERVAL_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class BondRows:
    """One bond and all that belongs to it, by id."""

    bond: Bond
    peer_key: bytes  # of the other end; empty while it has no valid certificate
    private_wan: bool
    legs: list[Leg]
    connected_ips: list[ConnectedIP] = field(default_factory=list)
    cpe_nat_ips: list[CpeNatIP] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class NodeRows:
    """A node with the bonds it carries now: a bonder's own, an aggregator's current ones."""

    node: Node
    hostname: str
    bonds: list[BondRows]
    qos_profiles: list[QosProfile] = field(default_factory=list)  # of the bonds, by id
    private_wans: WanRows = NO_WANS


def compile_node(rows: NodeRows) -> NodeContent:
    """Return all that a node must know."""
    node = rows.node
    compile_bond = _BOND_COMPILERS[NodeKind(node.kind)]
    return NodeContent(
        kind=NodeKind(node.kind),
        name=node.name,
        hostname=rows.hostname,
        debug=node.debug,
        metric_collection_interval_ms=node.metric_collection_interval * MS,
        metric_reporting_interval_ms=node.metric_reporting_interval * MS,
        bonds=[compile_bond(bond) for bond in rows.bonds],
        qos_profiles=[compile_profile(profile) for profile in rows.qos_profiles],
        cpu_governor=node.cpu_governor,
        tcp_congestion_control_algorithm=node.tcp_congestion_control_algorithm,
        private_wans=[
            compile_private_wan(space, node_id=node.pk) for space in rows.private_wans.spaces
        ],
        trunks=[compile_trunk(trunk, node_id=node.pk) for trunk in rows.private_wans.trunks],
    )


def compile_tombstone(tombstone: Tombstone) -> NodeContent:
    """Return the last config of a deleted node: stand down, drop all bonds (behaviour 1.4)."""
    return NodeContent(
        kind=NodeKind(tombstone.kind),
        name=tombstone.name,
        hostname="",
        debug=False,
        metric_collection_interval_ms=DECOMMISSION_INTERVAL_MS,
        metric_reporting_interval_ms=DECOMMISSION_INTERVAL_MS,
        bonds=[],
        decommission=True,
    )


def _for_bonder(rows: BondRows) -> BondConfig:
    return _bond(
        rows,
        legs=[_bonder_leg(leg) for leg in rows.legs],
        connected_ips=[_connected_ip(row) for row in rows.connected_ips if row.enabled],
        routes=[_route(row) for row in rows.routes if is_loaded(row, rows.connected_ips)],
        cpe_nat_ips=list(_cpe_nat_ips(rows.cpe_nat_ips, rows.connected_ips)),
    )


def _for_aggregator(rows: BondRows) -> BondConfig:
    return _bond(
        rows,
        legs=[_aggregator_leg(leg) for leg in rows.legs],
        networks=networks_of(
            rows.connected_ips, rows.routes, rows.cpe_nat_ips, private_wan=rows.private_wan
        ),
        sources=sources_of(rows.connected_ips, rows.routes, rows.cpe_nat_ips),
        private_sources=(
            private_networks_of(rows.connected_ips, rows.routes, is_source=True)
            if rows.private_wan
            else []
        ),
    )


_BOND_COMPILERS = {NodeKind.BONDER: _for_bonder, NodeKind.AGGREGATOR: _for_aggregator}


def _bond(
    rows: BondRows,
    *,
    legs: list[LegConfig],
    connected_ips: Iterable[ConnectedIpConfig] = (),
    routes: Iterable[RouteConfig] = (),
    cpe_nat_ips: Iterable[CpeNatIpConfig] = (),
    networks: Iterable[str] = (),
    sources: Iterable[str] = (),
    private_sources: Iterable[str] = (),
) -> BondConfig:
    bond = rows.bond
    return BondConfig(
        id=bond.pk,
        tunnel_subnet=bond.tunnel_subnet,
        aggregator_ip=bond.current_aggregator.ip,
        aggregator_ipv6=bond.current_aggregator.ipv6,
        peer_public_key=base64.b64encode(rows.peer_key).decode(),
        qos_profile_id=bond.qos_profile_id,
        secret=bond.secret,
        security=Security(bond.tunnel_security),
        cipher=Cipher(bond.encryption_cipher),
        handshake_interval_ms=bond.encryption_handshake_interval * MS,
        compression=bond.compression,
        clamp_tcp=bond.clamp_tcp,
        packet_distribution=Distribution(bond.packet_distribution),
        reorder_max_hold_ms=bond.reorder_max_hold,
        flow_collision_detection=bond.flow_collision_detection,
        automatic_ping_timing=bond.automatic_ping_timing,
        ping_interval_ms=bond.ping_interval,
        ping_timeout_ms=bond.ping_timeout,
        bandwidth_adaptation=bond.bandwidth_adaptation,
        packet_loss_detection=bond.packet_loss_detection,
        packet_loss_threshold_permille=bond.packet_loss_threshold_permille,
        flap_detection=bond.flap_detection,
        flap_threshold=bond.flap_threshold,
        flap_window_ms=bond.flap_window * MS,
        tcp_proxy=bond.tcp_proxy,
        tcp_proxy_ports=[int(port) for port in bond.tcp_proxy_ports.split(",") if port],
        legs=legs,
        connected_ips=list(connected_ips),
        routes=list(routes),
        cpe_nat_ips=list(cpe_nat_ips),
        networks=list(networks),
        sources=list(sources),
        private_wan=bond.space_id if rows.private_wan else None,
        private_sources=list(private_sources),
        restart_count=bond.restart_count,
    )


def _bonder_leg(leg: Leg) -> LegConfig:
    return LegConfig(
        id=leg.pk,
        type=LegType(leg.type),
        link_mode=LinkMode(leg.link_mode),
        failover=leg.failover,
        tunnel_port=_tunnel_port(leg),
        down_kbps=leg.down_kbps,
        up_kbps=leg.up_kbps,
        access=_ACCESSES[LegType(leg.type)](leg),
        interface=leg.interface or "",
        interface_mac=leg.interface_mac,
        interface_mtu=leg.interface_mtu,
        interface_mode=leg.interface_mode,
        renew_count=leg.renew_count,
        detect_mtu_count=leg.detect_mtu_count,
    )


def _aggregator_leg(leg: Leg) -> LegConfig:
    return LegConfig(
        id=leg.pk,
        type=LegType(leg.type),
        link_mode=LinkMode(leg.link_mode),
        failover=leg.failover,
        tunnel_port=_tunnel_port(leg),
        down_kbps=leg.down_kbps,
        up_kbps=leg.up_kbps,
        # The ceiling of the path MTU search holds for both directions (behaviour 3.7).
        interface_mtu=leg.interface_mtu,
        detect_mtu_count=leg.detect_mtu_count,
    )


def _tunnel_port(leg: Leg) -> int:
    if leg.tunnel_port is None:
        raise ValueError(f"leg {leg.pk} has no tunnel port: its making was not finished")
    return leg.tunnel_port


def _static(leg: Leg) -> Access:
    return StaticAccess(ip=leg.ip or "", prefix=leg.prefix or 0, gateway=leg.gateway or "")


def _dhcp(leg: Leg) -> Access:
    return DhcpAccess()


def _pppoe(leg: Leg) -> Access:
    return PppoeAccess(
        username=leg.username or "", password=leg.password, service_name=leg.service_name
    )


def _mobile(leg: Leg) -> Access:
    profile = leg.provider_profile
    if profile is None:
        raise ValueError(f"leg {leg.pk} has no provider profile: a constraint was lost")
    return MobileAccess(
        apn=profile.apn, username=profile.username, password=profile.password, modem=leg.modem
    )


_ACCESSES = {
    LegType.STATIC: _static,
    LegType.DHCP: _dhcp,
    LegType.PPPOE: _pppoe,
    LegType.MOBILEBROADBAND: _mobile,
}


def _connected_ip(row: ConnectedIP) -> ConnectedIpConfig:
    return ConnectedIpConfig(
        id=row.pk,
        interface=row.interface,
        ip=row.ip,
        prefix=row.prefix,
        agg_routing=row.agg_routing,
        dhcp_lease_s=row.dhcp_lease,
    )


def _route(row: Route) -> RouteConfig:
    return RouteConfig(
        id=row.pk,
        network=row.network,
        gateway=row.gateway,
        interface=row.interface,
        agg_routing=row.agg_routing,
    )


def _cpe_nat_ips(
    rows: Iterable[CpeNatIP], connected_ips: list[ConnectedIP]
) -> Iterable[CpeNatIpConfig]:
    for row in rows:
        network = cpe_nat_network(row, connected_ips)
        if row.enabled and network is not None:
            yield CpeNatIpConfig(
                id=row.pk, ip=row.ip, dest_nat_ip=row.dest_nat_ip, dest_nat_network=network
            )

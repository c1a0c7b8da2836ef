"""Which hooks of the operator's shall be started, with which variables (§1.11). Pure."""

from ipaddress import ip_interface, ip_network

from openbond.wire.config import (
    BondConfig,
    ConnectedIpConfig,
    CpeNatIpConfig,
    LegConfig,
    MobileAccess,
    NodeContent,
    RouteConfig,
    StaticAccess,
)
from openbond.wire.states import LinkMode, NodeKind

from .facts import Facts
from .lines import leg_interface
from .numbers import device_of, space_table
from .values import Hook, HookKind
from .wishes import Wishes

# The names of the published interface, in its order; what is not in here reaches no hook.
_NAMES = {
    HookKind.BOND: """ID AGGREGATOR_IP COMPRESSION QOS_PROFILE_ID TUNNEL_SUBNET TUNNEL_BONDER_IP
        TUNNEL_AGGREGATOR_IP TUNNEL_LOCAL_IP TUNNEL_PEER_IP CLAMP_TCP TUNNEL_SECURITY
        ENCRYPTION_CIPHER ENCRYPTION_HANDSHAKE_INTERVAL AUTOMATIC_PING_TIMING""",
    HookKind.LEG: """ID BOND_ID LINK_MODE FAILOVER TUNNEL_PORT INTERFACE INTERFACE_BASE
        INTERFACE_MAC INTERFACE_MTU INTERFACE_MODE IP NETMASK GATEWAY""",
    HookKind.CONNECTED_IP: "ID BOND_ID IP NETMASK NETWORK INTERFACE AGG_ROUTING",
    HookKind.CPE_NAT_IP: "ID BOND_ID IP DEST_NAT_IP DEST_NAT_NETMASK",
    HookKind.ROUTE: "ID BOND_ID NETWORK NETMASK VIA AGG_ROUTING",
    HookKind.TUN: "ID TUN_NAME LOCAL_IP PEER_IP",
    HookKind.PRIVATE_WAN: "NODE_ID SPACE_ID SPACE_KEY SPACE_TABLE",
}
VARIABLES = {kind: names.split() for kind, names in _NAMES.items()}


def wish_hooks(wishes: Wishes, content: NodeContent, facts: Facts) -> None:
    """Wish for the hooks of everything a node serves. Legs in mode `offline` have none."""
    for wan in content.private_wans:
        variables: dict[str, object] = {
            "NODE_ID": wan.node_id,
            "SPACE_ID": wan.space_id,
            "SPACE_KEY": wan.space_key,
            "SPACE_TABLE": space_table(wan.space_id),
        }
        _wish(wishes, HookKind.PRIVATE_WAN, wan.space_id, 0, variables)
    for bond in content.bonds:
        _wish(wishes, HookKind.TUN, bond.id, bond.id, _tun(content.kind, bond))
        for leg in bond.legs:
            if leg.link_mode is not LinkMode.OFFLINE and _is_found(leg, facts):
                _wish(wishes, HookKind.LEG, leg.id, bond.id, _leg(bond, leg, facts))
        for connected in bond.connected_ips:
            variables = _connected_ip(bond, connected)
            _wish(wishes, HookKind.CONNECTED_IP, connected.id, bond.id, variables)
        for translated in bond.cpe_nat_ips:
            variables = _cpe_nat_ip(bond, translated)
            _wish(wishes, HookKind.CPE_NAT_IP, translated.id, bond.id, variables)
        for route in bond.routes:
            _wish(wishes, HookKind.ROUTE, route.id, bond.id, _route(bond, route))
        _wish(wishes, HookKind.BOND, bond.id, bond.id, _bond(content.kind, bond))


def _wish(
    wishes: Wishes, kind: HookKind, ident: int, bond_id: int, found: dict[str, object]
) -> None:
    environment = tuple((name, _text(found[name])) for name in VARIABLES[kind] if name in found)
    wishes.hook(Hook(kind, ident, bond_id, environment), f"{kind} {ident}")


def _text(value: object) -> str:
    """Return `True` or `False` of booleans, "" of what is absent."""
    return "" if value is None else str(value)


def _is_found(leg: LegConfig, facts: Facts) -> bool:
    # A modem's interface is known once the modem is: hooks of the leg wait for it.
    return not isinstance(leg.access, MobileAccess) or bool(leg_interface(leg, facts))


def _ends(kind: NodeKind, bond: BondConfig) -> tuple[str, str]:
    """Return the tunnel's address here, and the one there."""
    subnet = ip_network(bond.tunnel_subnet)
    lower, upper = str(subnet[0]), str(subnet[-1])
    return (lower, upper) if kind is NodeKind.BONDER else (upper, lower)


def _bond(kind: NodeKind, bond: BondConfig) -> dict[str, object]:
    subnet = ip_network(bond.tunnel_subnet)
    local, peer = _ends(kind, bond)
    return {
        "ID": bond.id,
        "AGGREGATOR_IP": bond.aggregator_ip,
        "COMPRESSION": bond.compression,
        "QOS_PROFILE_ID": bond.qos_profile_id,
        "TUNNEL_SUBNET": subnet,
        "TUNNEL_BONDER_IP": subnet[0],
        "TUNNEL_AGGREGATOR_IP": subnet[-1],
        "TUNNEL_LOCAL_IP": local,
        "TUNNEL_PEER_IP": peer,
        "CLAMP_TCP": bond.clamp_tcp,
        "TUNNEL_SECURITY": bond.security.value,
        "ENCRYPTION_CIPHER": bond.cipher.value,
        "ENCRYPTION_HANDSHAKE_INTERVAL": bond.handshake_interval_ms // 1000,
        "AUTOMATIC_PING_TIMING": bond.automatic_ping_timing,
    }


def _leg(bond: BondConfig, leg: LegConfig, facts: Facts) -> dict[str, object]:
    # Hooks of a PPPoE leg see the raw interface (behaviour 3.8).
    is_mobile = isinstance(leg.access, MobileAccess)
    interface = leg_interface(leg, facts) if is_mobile else leg.interface
    found: dict[str, object] = {
        "ID": leg.id,
        "BOND_ID": bond.id,
        "LINK_MODE": leg.link_mode.value,
        "FAILOVER": leg.failover,
        "TUNNEL_PORT": leg.tunnel_port,
        "INTERFACE": interface,
        "INTERFACE_BASE": interface.partition(".")[0],
        "INTERFACE_MAC": leg.interface_mac,
        "INTERFACE_MTU": leg.interface_mtu,
        "INTERFACE_MODE": leg.interface_mode,
    }
    if isinstance(leg.access, StaticAccess):
        own = ip_interface(f"{leg.access.ip}/{leg.access.prefix}")
        found |= {"IP": own.ip, "NETMASK": own.netmask, "GATEWAY": leg.access.gateway}
    return found


def _connected_ip(bond: BondConfig, connected: ConnectedIpConfig) -> dict[str, object]:
    own = ip_interface(f"{connected.ip}/{connected.prefix}")
    return {
        "ID": connected.id,
        "BOND_ID": bond.id,
        "IP": own.ip,
        "NETMASK": own.netmask,
        "NETWORK": own.network.network_address,
        "INTERFACE": connected.interface,
        "AGG_ROUTING": connected.agg_routing,
    }


def _cpe_nat_ip(bond: BondConfig, translated: CpeNatIpConfig) -> dict[str, object]:
    return {
        "ID": translated.id,
        "BOND_ID": bond.id,
        "IP": translated.ip,
        "DEST_NAT_IP": translated.dest_nat_ip,
        "DEST_NAT_NETMASK": ip_network(translated.dest_nat_network).netmask,
    }


def _route(bond: BondConfig, route: RouteConfig) -> dict[str, object]:
    network = ip_network(route.network)
    return {
        "ID": route.id,
        "BOND_ID": bond.id,
        "NETWORK": network.network_address,
        "NETMASK": network.netmask,
        "VIA": route.gateway,
        "AGG_ROUTING": route.agg_routing,
    }


def _tun(kind: NodeKind, bond: BondConfig) -> dict[str, object]:
    local, peer = _ends(kind, bond)
    return {"ID": bond.id, "TUN_NAME": device_of(bond.id), "LOCAL_IP": local, "PEER_IP": peer}

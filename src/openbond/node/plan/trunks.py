"""Trunks: our own tunnel between two aggregators, as if each were a bond of one leg (§5.8). Pure.

Nothing of a private WAN may cross the networks between aggregators in the clear, so the tunnel
always encrypts, and the packet filter lets VXLAN pass by trunks alone (ruleset.py).
"""

from ipaddress import IPv4Address, ip_network

from openbond.node.daemon_messages import DaemonSettings, LegLink
from openbond.wire.config import BondConfig, LegConfig, NodeContent, TrunkConfig
from openbond.wire.states import Cipher, Distribution, LegType, LinkMode, NodeKind, Security

from .facts import Facts
from .numbers import TRUNK_IDS, device_of
from .tunnels import wish_tunnel
from .wishes import Wishes

# Faster than a daemon is: data centres have no line that must be paced.
KBPS = 2_000_000
HOUR_MS = 3_600_000


def tunnel_ids(content: NodeContent) -> list[int]:
    """Return the numbers of all tunnels of a node: those of its bonds and of its trunks."""
    return [bond.id for bond in content.bonds] + [TRUNK_IDS + one.id for one in content.trunks]


def trunk_device(trunk: TrunkConfig) -> str:
    return device_of(TRUNK_IDS + trunk.id)


def far_address(trunk: TrunkConfig) -> IPv4Address:
    """Return the other aggregator's address in the trunk."""
    subnet = ip_network(trunk.subnet)
    return IPv4Address(int(subnet[-1] if trunk.dials else subnet[0]))


def wish_trunk(wishes: Wishes, trunk: TrunkConfig, facts: Facts) -> None:
    """Wish for one end of a trunk."""
    about = f"trunk to node {trunk.node_id}"
    settings = DaemonSettings(
        role=NodeKind.BONDER if trunk.dials else NodeKind.AGGREGATOR,
        bond=trunk_bond(trunk),
        private_key=facts.machine.tunnel_key,
        links=[_link(trunk, facts)],
    )
    if not trunk.peer_public_key:
        wishes.warn(about, "waits: the other aggregator has no valid certificate")
    wish_tunnel(wishes, settings, facts, about)


def _link(trunk: TrunkConfig, facts: Facts) -> LegLink:
    # Behind a NAT an aggregator does not have the address that others speak to.
    source = trunk.own_ip if trunk.own_ip in facts.own_addresses else "0.0.0.0"  # noqa: S104
    leg_id = TRUNK_IDS + trunk.id
    if trunk.dials:
        return LegLink(leg_id=leg_id, source=source, peer=trunk.peer_ip, peer_port=trunk.port)
    return LegLink(leg_id=leg_id, source=source, source_port=trunk.port)


def trunk_bond(trunk: TrunkConfig) -> BondConfig:
    """Return a trunk as its tunnel daemon wants it: a bond of one leg."""
    number = TRUNK_IDS + trunk.id
    leg = LegConfig(
        id=number,
        type=LegType.STATIC,
        link_mode=LinkMode.ACTIVE,
        failover=False,
        tunnel_port=trunk.port,
        down_kbps=KBPS,
        up_kbps=KBPS,
    )
    return BondConfig(
        id=number,
        tunnel_subnet=trunk.subnet,
        aggregator_ip=trunk.peer_ip if trunk.dials else trunk.own_ip,
        peer_public_key=trunk.peer_public_key,
        secret=trunk.secret,
        security=Security.ENCRYPTION,
        cipher=Cipher.AES128,
        handshake_interval_ms=HOUR_MS,
        compression=False,
        clamp_tcp=False,
        packet_distribution=Distribution.IDMPQ,
        reorder_max_hold_ms=0,
        flow_collision_detection=False,
        automatic_ping_timing=True,
        ping_interval_ms=500,
        ping_timeout_ms=3000,
        bandwidth_adaptation=False,
        packet_loss_detection=False,
        packet_loss_threshold_permille=50,
        flap_detection=False,
        flap_threshold=4,
        flap_window_ms=300_000,
        tcp_proxy=False,
        tcp_proxy_ports=[],
        legs=[leg],
    )

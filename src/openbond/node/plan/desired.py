"""What a config wants of the machine, given the facts (behaviour 1.8, step 2). Pure."""

from openbond.node.daemon_messages import DaemonSettings, LegLink
from openbond.wire.config import BondConfig, NodeContent, QosProfileConfig
from openbond.wire.states import LinkMode, NodeKind

from .core import wish_core
from .facts import Facts
from .hooks import wish_hooks
from .lines import leg_interface, leg_source
from .management import wish_management_leg
from .modems import wish_modems
from .private_wans import wish_private_wans
from .routing_daemon import wish_routing_daemon
from .ruleset import ruleset_of
from .site import wish_site
from .trunks import wish_trunk
from .tunnels import wish_tunnel
from .values import Desired, Sysctl
from .wishes import Wishes


def desired_for(content: NodeContent, facts: Facts) -> Desired:
    """Return everything a node shall have; nothing else of ours stays."""
    wishes = Wishes()
    # First: nothing may be up before what guards it.
    wishes.setting(ruleset_of(content, facts), "node")
    profiles = {profile.id: profile for profile in content.qos_profiles}
    for bond in content.bonds:
        qos = None if bond.qos_profile_id is None else profiles.get(bond.qos_profile_id)
        _wish_bond(wishes, content.kind, bond, qos, facts)
        if content.kind is NodeKind.BONDER:
            wish_site(wishes, bond, facts)
        else:
            wish_core(wishes, bond, facts)
    if content.bonds:
        wishes.setting(Sysctl("net.ipv4.ip_forward", "1"), "node")
    if content.bonds and _has_ipv6(content):
        wishes.setting(Sysctl("net.ipv6.conf.all.forwarding", "1"), "node")
    for trunk in content.trunks:
        wish_trunk(wishes, trunk, facts)
    wish_private_wans(wishes, content, facts)
    wish_routing_daemon(wishes, content, facts)
    wish_modems(wishes, content, facts)
    wish_hooks(wishes, content, facts)
    wish_management_leg(wishes, content, facts)
    return wishes.desired()


def _wish_bond(
    wishes: Wishes, kind: NodeKind, bond: BondConfig, qos: QosProfileConfig | None, facts: Facts
) -> None:
    about = f"bond {bond.id}"
    if bond.tcp_proxy:
        wishes.warn(about, "tcp_proxy_unavailable: TCP is carried as without it")
    wish_tunnel(wishes, _settings(kind, bond, qos, facts), facts, about)


def _settings(
    kind: NodeKind, bond: BondConfig, qos: QosProfileConfig | None, facts: Facts
) -> DaemonSettings:
    links = _near_links(bond, facts) if kind is NodeKind.BONDER else _far_links(bond, facts)
    return DaemonSettings(
        role=kind, bond=bond, private_key=facts.machine.tunnel_key, links=links, qos=qos
    )


def _near_links(bond: BondConfig, facts: Facts) -> list[LegLink]:
    return [
        LegLink(
            leg_id=leg.id,
            interface=leg_interface(leg, facts),
            source=leg_source(leg, facts),
            peer=bond.aggregator_ip,
            peer_port=leg.tunnel_port,
        )
        for leg in bond.legs
        if leg.link_mode is not LinkMode.OFFLINE
    ]


def _far_links(bond: BondConfig, facts: Facts) -> list[LegLink]:
    # Behind a NAT the aggregator does not have the address that bonders speak to.
    own = bond.aggregator_ip in facts.own_addresses
    source = bond.aggregator_ip if own else ""
    return [
        LegLink(leg_id=leg.id, source=source, source_port=leg.tunnel_port)
        for leg in bond.legs
        if leg.link_mode is not LinkMode.OFFLINE
    ]


def _has_ipv6(content: NodeContent) -> bool:
    networks = [network for bond in content.bonds for network in (*bond.networks, *bond.sources)]
    addresses = [address.ip for bond in content.bonds for address in bond.connected_ips]
    return any(":" in text for text in (*networks, *addresses))

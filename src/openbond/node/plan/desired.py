"""What a config wants of the machine, given the facts (behaviour 1.8, step 2). Pure."""

from ipaddress import IPv4Interface, ip_network

from openbond.node.daemon_messages import DaemonSettings, LegLink, encode_settings
from openbond.wire.config import BondConfig, NodeContent, QosProfileConfig
from openbond.wire.states import LinkMode, NodeKind, Security

from .core import wish_core
from .facts import Facts
from .hooks import wish_hooks
from .lines import leg_interface, leg_mtu_most, leg_source
from .management import wish_management_leg
from .modems import wish_modems
from .numbers import device_of
from .ruleset import ruleset_of
from .site import wish_site
from .values import Address, Desired, Device, LinkMtu, LinkUp, RunningProgram, SettingsFile, Sysctl
from .wishes import Wishes

# Outer IPv4 and UDP, our header, our tag (behaviour 2.3); the daemon measures, this is the start.
UNMEASURED_MTU = 1500
OVERHEAD_PLAIN, OVERHEAD_TAGGED = 48, 64


def desired_for(content: NodeContent, facts: Facts) -> Desired:
    """Return everything a node shall have; nothing else of ours stays."""
    wishes = Wishes()
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
    mtus = {bond.id: inner_mtu(bond, facts) for bond in content.bonds}
    wishes.setting(ruleset_of(content, mtus, facts), "node")
    wish_modems(wishes, content, facts)
    wish_hooks(wishes, content, facts)
    wish_management_leg(wishes, content, facts)
    return wishes.desired()


def inner_mtu(bond: BondConfig, facts: Facts) -> int:
    """Return the device MTU in bytes: as the daemon found it, else for unmeasured legs."""
    found = facts.inner_mtus.get(bond.id)
    if found is not None:
        return found
    overhead = OVERHEAD_PLAIN if bond.security is Security.NONE else OVERHEAD_TAGGED
    sizes = [min(leg_mtu_most(leg) or UNMEASURED_MTU, UNMEASURED_MTU) for leg in bond.legs]
    return min(sizes, default=UNMEASURED_MTU) - overhead


def tunnel_address(bond: BondConfig, kind: NodeKind) -> IPv4Interface:
    """Return this end's address in the bond's /31: the lower one is the bonder's (§2.1)."""
    subnet = ip_network(bond.tunnel_subnet)
    own = subnet[0] if kind is NodeKind.BONDER else subnet[-1]
    return IPv4Interface(f"{own}/{subnet.prefixlen}")


def _wish_bond(
    wishes: Wishes, kind: NodeKind, bond: BondConfig, qos: QosProfileConfig | None, facts: Facts
) -> None:
    about, name = f"bond {bond.id}", device_of(bond.id)
    if bond.tcp_proxy:
        wishes.warn(about, "tcp_proxy_unavailable: TCP is carried as without it")
    wishes.device(Device(name), about)
    wishes.setting(LinkMtu(name, inner_mtu(bond, facts)), about)
    wishes.setting(LinkUp(name, True), about)
    wishes.setting(Sysctl(f"net.ipv4.conf.{name}.promote_secondaries", "1", name), about)
    # Replies may come by another way than the kernel would send: the tunnel checks sources itself.
    wishes.setting(Sysctl(f"net.ipv4.conf.{name}.rp_filter", "0", name), about)
    # No link-local address: its chatter would only cross the tunnel to be dropped.
    wishes.setting(Sysctl(f"net.ipv6.conf.{name}.addr_gen_mode", "1", name), about)
    wishes.address(Address(name, tunnel_address(bond, kind)), about)
    wishes.file(SettingsFile(bond.id, encode_settings(_settings(kind, bond, qos, facts))), about)
    argv = (*facts.machine.tunnel_argv, str(bond.id))
    wishes.program(RunningProgram(f"tunnel-{bond.id}", argv), about)


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

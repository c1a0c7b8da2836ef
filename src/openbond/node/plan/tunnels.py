"""What the tunnel of a bond needs on the machine: device, address, daemon (§2.1). Pure."""

from ipaddress import IPv4Interface, ip_network

from openbond.node.daemon_messages import DaemonSettings, encode_settings
from openbond.wire.config import BondConfig
from openbond.wire.states import NodeKind, Security

from .facts import Facts
from .lines import leg_mtu_most
from .numbers import device_of
from .values import Address, Device, LinkMtu, LinkUp, RunningProgram, SettingsFile, Sysctl
from .wishes import Wishes

# Outer IPv4 and UDP, our header, our tag (behaviour 2.3); the daemon measures, this is the start.
UNMEASURED_MTU = 1500
OVERHEAD_PLAIN, OVERHEAD_TAGGED = 48, 64


def wish_tunnel(wishes: Wishes, settings: DaemonSettings, facts: Facts, about: str) -> None:
    """Wish for the TUN device of one end, its address, and the daemon with its settings."""
    bond, name = settings.bond, device_of(settings.bond.id)
    wishes.device(Device(name), about)
    wishes.setting(LinkMtu(name, inner_mtu(bond, facts)), about)
    wishes.setting(LinkUp(name, True), about)
    wishes.setting(Sysctl(f"net.ipv4.conf.{name}.promote_secondaries", "1", name), about)
    # Replies may come by another way than the kernel would send: the tunnel checks sources itself.
    wishes.setting(Sysctl(f"net.ipv4.conf.{name}.rp_filter", "0", name), about)
    # No link-local address: its chatter would only cross the tunnel to be dropped.
    wishes.setting(Sysctl(f"net.ipv6.conf.{name}.addr_gen_mode", "1", name), about)
    wishes.address(Address(name, tunnel_address(bond, settings.role)), about)
    wishes.file(SettingsFile(bond.id, encode_settings(settings)), about)
    argv = (*facts.machine.tunnel_argv, str(bond.id))
    wishes.program(RunningProgram(f"tunnel-{bond.id}", argv), about)


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

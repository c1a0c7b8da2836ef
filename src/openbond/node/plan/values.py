"""What a node can have: frozen values whose text is what an operator would read aloud."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import TypeAlias

from .numbers import PROTOCOL, SPACE_PREFIX

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpInterface: TypeAlias = IPv4Interface | IPv6Interface
IpNetwork: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Device:
    """A persistent TUN device of ours."""

    name: str

    def __str__(self) -> str:
        return f"device {self.name}"


@dataclass(frozen=True, slots=True)
class Vlan:
    """A VLAN interface of ours (IEEE 802.1Q) on another interface: `eth3.3` is tag 3 on eth3."""

    name: str

    @property
    def interface(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def tag(self) -> int:
        return int(self.name.rpartition(".")[2])

    def __str__(self) -> str:
        return f"VLAN {self.name}"


@dataclass(frozen=True, slots=True)
class Vxlan:
    """The VXLAN of a space's private WAN; its name holds the space's id, which is the VNI."""

    name: str

    @property
    def vni(self) -> int:
        return int(self.name.removeprefix(SPACE_PREFIX))

    def __str__(self) -> str:
        return f"VXLAN {self.name}"


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Another aggregator of a VXLAN: frames for stations not known yet go there, too."""

    interface: str
    ip: IpAddress

    def __str__(self) -> str:
        return f"far end {self.ip} dev {self.interface}"


@dataclass(frozen=True, slots=True)
class EthernetMode:
    """Speed and duplex of an Ethernet interface, e.g. `100full`; `auto` is what both ends agree."""

    interface: str
    mode: str

    def __str__(self) -> str:
        return f"link {self.interface} mode {self.mode}"


@dataclass(frozen=True, slots=True)
class LinkMac:
    interface: str
    mac: str

    def __str__(self) -> str:
        return f"link {self.interface} address {self.mac}"


@dataclass(frozen=True, slots=True)
class LinkMtu:
    interface: str
    mtu: int

    def __str__(self) -> str:
        return f"link {self.interface} mtu {self.mtu}"


@dataclass(frozen=True, slots=True)
class LinkUp:
    interface: str
    up: bool

    def __str__(self) -> str:
        return f"link {self.interface} {'up' if self.up else 'down'}"


@dataclass(frozen=True, slots=True)
class Address:
    """An address; without `has_network` the kernel makes no route to its network."""

    interface: str
    ip: IpInterface
    has_network: bool = True

    def __str__(self) -> str:
        return (
            f"address {self.ip} dev {self.interface}{'' if self.has_network else ' noprefixroute'}"
        )


@dataclass(frozen=True, slots=True)
class Route:
    """A route of ours. Without device and gateway it answers "unreachable"."""

    network: IpNetwork
    table: int
    interface: str | None = None
    gateway: IpAddress | None = None
    source: IpAddress | None = None
    metric: int = 0
    protocol: int = PROTOCOL

    @property
    def key(self) -> tuple[IpNetwork, int, int]:
        """What the kernel allows once only."""
        return self.network, self.table, self.metric

    def __str__(self) -> str:
        words = [f"route {self.network}"]
        words += [f"via {self.gateway}"] if self.gateway else []
        words += [f"dev {self.interface}"] if self.interface else ["unreachable"]
        words += [f"src {self.source}"] if self.source else []
        words += [f"metric {self.metric}"] if self.metric else []
        return " ".join([*words, f"table {self.table}"])


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule of ours: selectors, then a table; without a table it answers "unreachable"."""

    priority: int
    table: int | None
    family: int = 4
    source: IpNetwork | None = None
    arriving: str | None = None
    leaving: str | None = None
    mark: int | None = None
    # Ignore the default route of the table: look only for networks it names.
    is_only_networks: bool = False

    def __str__(self) -> str:
        words = [f"rule {self.priority}:"]
        words += [f"from {self.source}"] if self.source else []
        words += [f"iif {self.arriving}"] if self.arriving else []
        words += [f"oif {self.leaving}"] if self.leaving else []
        words += [f"fwmark {self.mark:#x}"] if self.mark is not None else []
        words += [f"lookup {self.table}"] if self.table is not None else ["unreachable"]
        words += ["suppress_prefixlength 0"] if self.is_only_networks else []
        words += ["inet6"] if self.family == 6 else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel setting; `interface` when it is one of an interface, which may be missing."""

    key: str
    value: str
    interface: str | None = None

    def __str__(self) -> str:
        return f"sysctl {self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Our whole packet filter table, as canonical nftables JSON; "" = no table."""

    text: str

    def __str__(self) -> str:
        return "packet filter" if self.text else "no packet filter"


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What the tunnel daemon of a bond starts from (node/daemon_messages.py)."""

    bond_id: int
    text: bytes

    def __str__(self) -> str:
        return f"settings of bond {self.bond_id}"


@dataclass(frozen=True, slots=True)
class ClientFile:
    """What a program that the supervisor keeps starts from, below DIR/run/bonding; it may hold a
    password.
    """

    name: str
    text: bytes

    @classmethod
    def named_by_content(cls, directory: str, text: str) -> "ClientFile":
        """Return a file whose name follows from its text: another text means another program."""
        content = text.encode()
        return cls(f"{directory}/{sha256(content).hexdigest()[:12]}.conf", content)

    def __str__(self) -> str:
        return f"settings {self.name}"


@dataclass(frozen=True, slots=True)
class RunningProgram:
    """A program the supervisor keeps running."""

    name: str
    argv: tuple[str, ...]
    # It is started once this is there; of a running program nobody knows it any more.
    interface: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"program {self.name}"


class HookKind(StrEnum):
    """The kinds of hooks, in the order in which they are started (behaviour 1.11)."""

    TUN = "tun"
    PRIVATE_WAN = "privatewan-router-space"
    LEG = "leg"
    CONNECTED_IP = "connectedip"
    CPE_NAT_IP = "cpenatip"
    ROUTE = "route"
    BOND = "bond"


@dataclass(frozen=True, slots=True)
class Hook:
    """The operator's hooks of one object, started with these variables."""

    kind: HookKind
    id: int
    bond_id: int
    environment: tuple[tuple[str, str], ...]

    @property
    def interface(self) -> str | None:
        """Return the interface that must be there first."""
        return dict(self.environment).get("INTERFACE") or None

    def __str__(self) -> str:
        return f"hooks {self.kind} {self.id}"


# Things that are there or not, and settings of which only the value changes.
OwnDevice: TypeAlias = Device | Vlan | Vxlan
Thing: TypeAlias = (
    OwnDevice | FarEnd | Address | Route | Rule | SettingsFile | ClientFile | RunningProgram | Hook
)
Setting: TypeAlias = LinkMac | LinkMtu | LinkUp | EthernetMode | Sysctl | Ruleset
Item: TypeAlias = Thing | Setting


@dataclass(frozen=True, slots=True)
class Desired:
    """What a config wants. Each mapping: item → whose trouble it is when it fails ("leg 21")."""

    devices: Mapping[OwnDevice, str] = field(default_factory=dict)
    far_ends: Mapping[FarEnd, str] = field(default_factory=dict)
    settings: Mapping[Setting, str] = field(default_factory=dict)
    addresses: Mapping[Address, str] = field(default_factory=dict)
    routes: Mapping[Route, str] = field(default_factory=dict)
    rules: Mapping[Rule, str] = field(default_factory=dict)
    files: Mapping[SettingsFile, str] = field(default_factory=dict)
    client_files: Mapping[ClientFile, str] = field(default_factory=dict)
    programs: Mapping[RunningProgram, str] = field(default_factory=dict)
    hooks: Mapping[Hook, str] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as the kernel has it."""

    name: str
    up: bool
    carrier: bool
    mtu: int
    mac: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the kernel and the supervisor have. All but links and foreign addresses: ours only."""

    links: Mapping[str, Link] = field(default_factory=dict)
    devices: frozenset[OwnDevice] = frozenset()
    far_ends: frozenset[FarEnd] = frozenset()
    addresses: frozenset[Address] = frozenset()
    foreign_addresses: frozenset[tuple[str, IpInterface]] = frozenset()
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ruleset: Ruleset | None = None  # None: changed by others since we wrote it
    files: frozenset[SettingsFile] = frozenset()
    client_files: frozenset[ClientFile] = frozenset()
    # By interface; one that is not here negotiates, or cannot be asked.
    ethernet_modes: Mapping[str, str] = field(default_factory=dict)
    programs: frozenset[RunningProgram] = frozenset()
    # Those started, in their order; None: the hook runner does not answer.
    hooks: tuple[Hook, ...] | None = None
    # Hooks are there, and nobody to run them.
    hooks_wait: bool = False

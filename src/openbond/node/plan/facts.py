"""What a config cannot know: leases, measured sizes, this machine's own paths. Frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from openbond.node.routing_settings import NOBODY_IS_TOLD, RoutingSettings

from .numbers import PROTOCOL


class Lease(Struct, frozen=True, kw_only=True):
    """What a DHCP server lent a leg; written by the client's hook. Times: wall clock, s."""

    ip: str
    prefix: int
    obtained: int
    seconds: int
    gateway: str = ""
    name_servers: list[str] = []
    server: str = ""
    client: int = 0  # process id of the client that got it

    @property
    def expires(self) -> int:
        return self.obtained + self.seconds


class Line(Struct, frozen=True, kw_only=True):
    """What the client of a PPPoE or mobile leg has: where packets leave, and from which address.

    An `ip` of "" with an `interface`: the address comes by DHCP on that interface. `trouble`: why
    there is no line, in words.
    """

    interface: str = ""
    ip: str = ""
    prefix: int = 32
    gateway: str = ""
    name_servers: list[str] = []
    mtu: int = 0  # what the line takes, bytes; 0 = not told
    trouble: str = ""


class ManagementLeg(Struct, frozen=True, kw_only=True):
    """The DHCP leg by which a decommissioned node still asks for its config (behaviour 1.4)."""

    leg_id: int
    interface: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What is so on this machine, whatever the config says."""

    tunnel_key: str  # path of the X25519 private key
    dhcp_hook: str  # path of the script the DHCP clients start
    leases: str  # directory where it puts what it got
    tunnel_argv: tuple[str, ...]  # starts a tunnel daemon; the bond's id is appended
    ppp_argv: tuple[str, ...] = ()  # starts a PPPoE client; the leg's id is appended
    modem_argv: tuple[str, ...] = ()  # starts the client of all modems
    ppp_hook: str = ""  # path of the script that pppd starts
    lines: str = ""  # directory where these clients put what they got
    dnsmasq: str = ""  # path of the program, "" while it is not installed
    bird: str = ""  # as dnsmasq
    routing: RoutingSettings = NOBODY_IS_TOLD
    client_files: str = ""  # directory of ClientFiles
    client_leases: str = ""  # file where dnsmasq keeps what it lent to customers
    route_table: int = 254
    protocol: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class Facts:
    machine: Machine
    leases: Mapping[int, Lease] = field(default_factory=dict)
    lines: Mapping[int, Line] = field(default_factory=dict)
    inner_mtus: Mapping[int, int] = field(default_factory=dict)
    # Bonds whose networks an aggregator stopped announcing: no leg for 30 s (behaviour 5.7).
    withdrawn: frozenset[int] = frozenset()
    own_addresses: frozenset[str] = frozenset()
    management_leg: ManagementLeg | None = None

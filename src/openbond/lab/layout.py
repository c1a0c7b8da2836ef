"""What the lab is made of, as values: hosts, addresses, lines. No kernel here.

                         ┌─ line1 ─ isp1 ─┐        ┌─ agg1
    customer ── bonder ──┼─ line2 ─ isp2 ─┼─ core ─┼─ agg2
                         └─ line3 ─ isp3 ─┘        ├─ server
                                                   └─ internet

A line is two namespaces: `lineN` holds the relay (delay, jitter, loss, path MTU), `ispN` is the
ISP's router (rate and queue in both directions, DHCP server, address translation). All addresses
are of the ranges kept for documentation and tests (RFC 5737, RFC 2544) or private.
"""

from dataclasses import dataclass
from enum import Enum

CORE = "198.51.100.1"
SERVER = "198.51.100.2"
INTERNET = "198.18.0.2"
CORE_TOWARDS_INTERNET = "198.18.0.1"
SERVER_PORT = 8443

# A TBF counts the Ethernet header, an ISP's promise does not.
ETHERNET_SHARE = 1514 / 1500


class Addressing(Enum):
    STATIC = "static"
    DHCP = "dhcp"
    NAT = "nat"  # static behind an ISP's router that translates addresses


@dataclass(frozen=True, slots=True)
class AggregatorHost:
    host: str
    ip: str


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One access line. Rates in Mbit/s of IP packets, delay in ms one way."""

    number: int
    word: str
    addressing: Addressing
    network: str
    gateway: str
    ip: str
    prefix: int
    uplink: str
    mbps: float
    delay_ms: float

    @property
    def name(self) -> str:
        return f"line{self.number}"

    @property
    def isp(self) -> str:
        return f"isp{self.number}"

    @property
    def interface(self) -> str:
        return f"eth{self.number}"

    @property
    def netmask(self) -> str:
        return str(self.prefix)

    def answers_to(self, words: str) -> bool:
        """Say whether the operator means this line by `words`."""
        return words in (
            str(self.number), f"leg{self.number}", self.name, self.interface, self.word
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """The customer's network behind the bonder."""

    interface: str
    network: str
    bonder_ip: str
    customer_ip: str
    prefix: int


AGGREGATORS = (
    AggregatorHost("agg1", "198.51.100.11"),
    AggregatorHost("agg2", "198.51.100.12"),
)

LINES = (
    AccessLine(1, "dsl", Addressing.STATIC, "192.0.2.0/28", "192.0.2.1", "192.0.2.2", 28,
             "192.0.2.241", mbps=20, delay_ms=15),
    AccessLine(2, "cable", Addressing.DHCP, "192.0.2.16/28", "192.0.2.17", "192.0.2.18", 28,
             "192.0.2.242", mbps=50, delay_ms=25),
    AccessLine(3, "fibre", Addressing.NAT, "192.168.3.0/24", "192.168.3.1", "192.168.3.2", 24,
             "192.0.2.243", mbps=100, delay_ms=8),
)  # fmt: skip

# Private, and routed by the aggregator all the same (`agg_routing`): it needs no IP allocation.
SITE = Site("eth0", "10.20.0.0/24", "10.20.0.1", "10.20.0.2", 24)

HOSTS = (
    "core", "server", "internet", *(one.host for one in AGGREGATORS),
    *(line.isp for line in LINES), *(line.name for line in LINES), "bonder", "customer",
)  # fmt: skip
NODES = (*(one.host for one in AGGREGATORS), "bonder")

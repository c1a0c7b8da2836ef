"""What a QoS profile may be (api-v3 06-qos-mobile 1), and the one that installation makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

MAX_CLASSES = 16
MAX_FILTERS = 256
MAX_PORTS = 32
IP_VERSIONS = ("any", "4", "6")
PROTOCOLS = ("any", "tcp", "udp", "icmp", "gre", "esp", "ah", "sctp")
WITH_PORTS = frozenset({"any", "tcp", "udp", "sctp"})
MAX_MARGIN_PERMILLE = 500
MAX_NAME = 64
MAX_COPIES = 4
# What a number of a filter may be: lowest and highest (sizes in bytes, rate in packets/s).
LIMITS: dict[str, tuple[int, int]] = {
    "dscp": (0, 63),
    "min_packet_size": (1, 65535),
    "max_packet_size": (1, 65535),
    "min_flow_size": (1, 10**12),
    "max_flow_size": (1, 10**12),
    "max_packet_rate": (1, 1_000_000),
}

NO_CLASS = "A profile has 1 to 16 classes."
TOO_MANY_FILTERS = "A profile has at most 256 filters."
ONE_DEFAULT = "Exactly one class is the default."
TOO_MUCH = "The bandwidths add up to {sum} %, more than 100."
TWICE = "Two classes are named {name!r}."
NO_CONDITION = "Filter {position} has no condition."
NO_SUCH_CLASS = "Filter {position} names the class {name!r}, which the profile does not have."
BAD_PORTS = "Filter {position}: give up to 32 ports or ranges, ascending, such as 22,5060-5061."
PORTS_WITHOUT_PROTOCOL = "Filter {position}: ports need protocol tcp, udp, sctp or any."
BAD_MARGIN = "The overhead margin is 0 to 50 %, with one decimal."
BAD_SHARE = "Class {name!r}: the bandwidth is 1 to 100 %."
BAD_COPIES = "Class {name!r}: a packet goes on 1 to 4 legs."
BAD_NAME = "A name has 1 to 64 characters."
BAD_WORD = "Filter {position}: {what} is one of {words}."
BAD_NETWORK = "Filter {position}: {network!r} is no network such as 192.0.2.0/24."
OUT_OF_LIMITS = "Filter {position}: {what} is {low} to {high}."
MAX_BELOW_MIN = "Filter {position}: the largest {what} is below the smallest."


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """A class in order of service. `bandwidth` in percent; `copies`: legs that each packet goes on
    (behaviour 2.14).
    """

    name: str
    bandwidth: int
    is_default: bool = False
    copies: int = 1


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A filter in order of trial; `target` is the name of its class. Sizes in bytes."""

    target: str
    name: str = ""
    ip_version: str = "any"
    protocol: str = "any"
    ports: str = ""
    network: str | None = None
    dscp: int | None = None
    min_packet_size: int | None = None
    max_packet_size: int | None = None
    min_flow_size: int | None = None
    max_flow_size: int | None = None
    max_packet_rate: int | None = None
    tcp_ack: bool = False

    @property
    def has_condition(self) -> bool:
        limits = (
            self.network,
            self.dscp,
            self.min_packet_size,
            self.max_packet_size,
            self.min_flow_size,
            self.max_flow_size,
            self.max_packet_rate,
        )
        return (
            self.ip_version != "any"
            or self.protocol != "any"
            or bool(self.ports)
            or self.tcp_ack
            or any(limit is not None for limit in limits)
        )


DEFAULT_CLASSES = (
    ClassSpec("Real-time", 40),
    ClassSpec("Interactive", 20),
    ClassSpec("Routine", 20, is_default=True),
    ClassSpec("Bulk", 20),
)
DEFAULT_FILTERS = (
    FilterSpec("Real-time", "ICMP", protocol="icmp", max_packet_size=500),
    FilterSpec("Real-time", "IAX2", protocol="udp", ports="4569"),
    FilterSpec("Real-time", "SIP", protocol="udp", ports="5060-5061"),
    FilterSpec("Real-time", "SIP over TCP", protocol="tcp", ports="5060-5061"),
    FilterSpec("Real-time", "H.323 control", protocol="tcp", ports="1720"),
    FilterSpec("Real-time", "H.323 registration", protocol="udp", ports="1718-1719"),
    FilterSpec("Real-time", "DSCP EF", dscp=46),
    FilterSpec("Interactive", "DNS", ports="53"),
    FilterSpec("Interactive", "RDP", ports="3389"),
    FilterSpec("Interactive", "SSH", protocol="tcp", ports="22", max_packet_rate=20),
    FilterSpec("Interactive", "TCP ACK", protocol="tcp", tcp_ack=True),
    FilterSpec("Bulk", "FTP", protocol="tcp", ports="20-21"),
    FilterSpec(
        "Bulk", "Large web transfers", protocol="tcp", ports="80,443", min_flow_size=2_000_000
    ),
)


def faults_of_profile(
    classes: Sequence[ClassSpec], filters: Sequence[FilterSpec]
) -> dict[str, list[str]]:
    """Return what is wrong with the classes and filters of a profile."""
    faults = {"classes": faults_of_classes(classes), "filters": []}
    names = {one.name.lower() for one in classes}
    if len(filters) > MAX_FILTERS:
        faults["filters"].append(TOO_MANY_FILTERS)
    for position, one in enumerate(filters, start=1):
        faults["filters"] += _faults_of_filter(one, position, names)
    return {field: messages for field, messages in faults.items() if messages}


def faults_of_classes(classes: Sequence[ClassSpec]) -> list[str]:
    """Return what is wrong with the classes of a profile."""
    faults = []
    if not 1 <= len(classes) <= MAX_CLASSES:
        faults.append(NO_CLASS)
    if sum(one.is_default for one in classes) != 1:
        faults.append(ONE_DEFAULT)
    total = sum(one.bandwidth for one in classes)
    if total > 100:
        faults.append(TOO_MUCH.format(sum=total))
    faults += [BAD_SHARE.format(name=one.name) for one in classes if not 1 <= one.bandwidth <= 100]
    faults += [
        BAD_COPIES.format(name=one.name) for one in classes if not 1 <= one.copies <= MAX_COPIES
    ]
    faults += [BAD_NAME for one in classes if not 1 <= len(one.name) <= MAX_NAME]
    names = [one.name.lower() for one in classes]
    faults += [TWICE.format(name=one.name) for one in classes if names.count(one.name.lower()) > 1]
    return faults


def is_port_list(text: str) -> bool:
    """Report whether `text` lists up to 32 ports or ranges 1-65535, ascending."""
    last = 0
    parts = text.split(",")
    for part in parts:
        low, dash, high = part.partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            return False
        first, end = int(low), int(high or low)
        if not last < first <= end <= 65535:
            return False
        last = end
    return len(parts) <= MAX_PORTS


def is_margin(permille: int) -> bool:
    """Report whether an overhead margin, in tenths of a percent, is allowed."""
    return 0 <= permille <= MAX_MARGIN_PERMILLE


def _faults_of_filter(one: FilterSpec, position: int, names: set[str]) -> list[str]:
    faults = [*_faults_of_words(one, position), *_faults_of_numbers(one, position)]
    if not one.has_condition:
        faults.append(NO_CONDITION)
    if one.target.lower() not in names:
        faults.append(NO_SUCH_CLASS)
    if one.ports and not is_port_list(one.ports):
        faults.append(BAD_PORTS)
    if one.ports and one.protocol not in WITH_PORTS:
        faults.append(PORTS_WITHOUT_PROTOCOL)
    return [fault.format(position=position, name=one.target) for fault in faults]


def _faults_of_words(one: FilterSpec, position: int) -> list[str]:
    faults = [
        BAD_WORD.format(position=position, what=what, words=", ".join(words))
        for what, word, words in (
            ("ip_version", one.ip_version, IP_VERSIONS),
            ("protocol", one.protocol, PROTOCOLS),
        )
        if word not in words
    ]
    if len(one.name) > MAX_NAME:
        faults.append(BAD_NAME)
    if one.network is not None and not _is_network(one.network):
        faults.append(BAD_NETWORK.format(position=position, network=one.network))
    return faults


def _faults_of_numbers(one: FilterSpec, position: int) -> list[str]:
    faults = []
    for what, (low, high) in LIMITS.items():
        number: int | None = getattr(one, what)
        if number is not None and not low <= number <= high:
            faults.append(OUT_OF_LIMITS.format(position=position, what=what, low=low, high=high))
    for what, least, most in (
        ("packet size", one.min_packet_size, one.max_packet_size),
        ("flow size", one.min_flow_size, one.max_flow_size),
    ):
        if least is not None and most is not None and most < least:
            faults.append(MAX_BELOW_MIN.format(position=position, what=what))
    return faults


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True

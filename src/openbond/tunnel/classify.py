"""Which QoS class a packet falls into: the first filter that matches decides (behaviour 5.10).

`matches` is pure: one filter, the facts of one packet. The Classifier adds what filters ask of a
flow so far, its size and its packet rate.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from .packets import (
    GSO_ECN,
    GSO_NONE,
    TCP,
    TCP_FIN,
    UDP,
    VNET_HEADER,
    VNET_SIZE,
    flow_of,
    header_size,
    transport_of,
)
from .settings import Qos, QosFilter

_SCTP = 132
_WITH_PORTS = frozenset((TCP, UDP, _SCTP))
_TCP_SYN, _TCP_RST, _TCP_ACK = 0x02, 0x04, 0x10
_IPV6_HEADER = 40
_RATE_OVER = 1.0  # seconds over which a packet rate is taken
_FLOWS_MOST = 65536


class Facts(NamedTuple):
    """What filters look at. `size` in bytes, that of the largest packet of a super-packet; `flow_*`
    are of its flow before it; `network` addresses as numbers.
    """

    version: int
    protocol: int
    source: int
    destination: int
    ports: tuple[int, int] | None
    dscp: int
    size: int
    is_tcp_ack: bool
    flow_size: int = 0
    flow_rate: int = 0


def matches(wanted: QosFilter, facts: Facts) -> bool:
    """Say whether the packet meets all conditions of the filter."""
    return (
        (wanted.ip_version is None or wanted.ip_version == facts.version)
        and (wanted.protocols is None or facts.protocol in wanted.protocols)
        and (wanted.dscp is None or wanted.dscp == facts.dscp)
        and (not wanted.tcp_ack or facts.is_tcp_ack)
        and _is_between(wanted.min_packet_size, facts.size, wanted.max_packet_size)
        and _is_between(wanted.min_flow_size, facts.flow_size, wanted.max_flow_size)
        and _is_between(None, facts.flow_rate, wanted.max_packet_rate)
        and (not wanted.ports or _has_port(wanted.ports, facts.ports))
        and (wanted.network is None or _is_of_network(wanted.network, facts))
    )


def facts_of(buffer: bytes, start: int = 0, *, size: int | None = None) -> Facts | None:
    """Return the facts of the packet at `start`; None when it is no IP packet.

    size: of the packets that a super-packet will be cut into; None: it is one packet.
    """
    found = transport_of(buffer, start)
    length = len(buffer) - start
    if length < 20:
        return None
    version = buffer[start] >> 4
    if version == 4:
        protocol = buffer[start + 9]
        source, destination = start + 12, start + 16
        dscp, width = buffer[start + 1] >> 2, 4
    elif version == 6 and length >= _IPV6_HEADER:
        protocol = found.protocol if found else buffer[start + 6]
        source, destination = start + 8, start + 24
        dscp, width = (buffer[start] & 0x0F) << 2 | buffer[start + 1] >> 6, 16
    else:
        return None
    at = start + found.at if found else None
    has_ports = at is not None and protocol in _WITH_PORTS and at + 4 <= len(buffer)
    return Facts(
        version=version,
        protocol=protocol,
        source=int.from_bytes(buffer[source : source + width], "big"),
        destination=int.from_bytes(buffer[destination : destination + width], "big"),
        ports=_ports(buffer, at) if has_ports and at is not None else None,
        dscp=dscp,
        size=length if size is None else size,
        is_tcp_ack=at is not None and protocol == TCP and _is_bare_ack(buffer, start, at),
    )


class _FlowSoFar:
    __slots__ = ("packets", "packets_before", "since", "size")

    def __init__(self, now: float) -> None:
        self.size = 0
        self.since = now
        self.packets = 0
        self.packets_before = 0

    def rate(self, now: float) -> int:
        """Return the packets of the last full second, or of this one when it has more already."""
        if now - self.since >= _RATE_OVER:
            is_next = now - self.since < 2 * _RATE_OVER
            self.packets_before = self.packets if is_next else 0
            self.packets = 0
            self.since = now
        return max(self.packets, self.packets_before)


class Classifier:
    """Sorts the reads of a turn by class. has_vnet_header: as for segments.Cutter."""

    def __init__(self, qos: Qos, *, has_vnet_header: bool) -> None:
        self._qos = qos
        self._has_vnet_header = has_vnet_header
        self._flows: dict[int, _FlowSoFar] = {}
        self._looks_at_flows = any(
            (each.min_flow_size, each.max_flow_size, each.max_packet_rate) != (None, None, None)
            for each in qos.filters
        )

    def sort(self, reads: Iterable[bytes], now: float) -> Sequence[tuple[int, list[bytes]]]:
        """Return the classes that have reads, by index, each with its reads in order."""
        sorted_reads: dict[int, list[bytes]] = {}
        for read in reads:
            sorted_reads.setdefault(self.class_of(read, now), []).append(read)
        return sorted(sorted_reads.items())

    def class_of(self, read: bytes, now: float) -> int:
        """Return the index of the class of one read of the TUN device."""
        start = VNET_SIZE if self._has_vnet_header else 0
        facts = facts_of(read, start, size=self._segment_size(read))
        if facts is None:
            return self._qos.default
        if self._looks_at_flows:
            facts = self._with_flow(facts, read, start, now)
        for each in self._qos.filters:
            if matches(each, facts):
                return each.target
        return self._qos.default

    def _segment_size(self, read: bytes) -> int | None:
        if not self._has_vnet_header or len(read) <= VNET_SIZE:
            return None
        _, gso, _, step, _, _ = VNET_HEADER.unpack_from(read)
        is_super = gso & ~GSO_ECN != GSO_NONE
        return header_size(read, VNET_SIZE) + step if is_super else None

    def _with_flow(self, facts: Facts, read: bytes, start: int, now: float) -> Facts:
        number = flow_of(read, start)
        so_far = self._flows.get(number)
        if so_far is None:
            if len(self._flows) >= _FLOWS_MOST:
                self._flows.clear()
            so_far = self._flows[number] = _FlowSoFar(now)
        known = facts._replace(flow_size=so_far.size, flow_rate=so_far.rate(now))
        octets = len(read) - start
        so_far.size += octets
        so_far.packets += max(1, octets // max(1, facts.size))
        return known


def _is_between(least: int | None, value: int, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _has_port(ranges: tuple[tuple[int, int], ...], ports: tuple[int, int] | None) -> bool:
    if ports is None:
        return False
    return any(low <= port <= high for low, high in ranges for port in ports)


def _is_of_network(network: IPv4Network | IPv6Network, facts: Facts) -> bool:
    if network.version != facts.version:
        return False
    mask, wanted = int(network.netmask), int(network.network_address)
    return wanted in (facts.source & mask, facts.destination & mask)


def _ports(buffer: bytes, at: int) -> tuple[int, int]:
    return buffer[at] << 8 | buffer[at + 1], buffer[at + 2] << 8 | buffer[at + 3]


def _is_bare_ack(buffer: bytes, start: int, at: int) -> bool:
    """Say whether a TCP packet acknowledges and carries nothing."""
    headers = header_size(buffer, start)
    if not headers or start + headers < start + _total_length(buffer, start):
        return False
    return buffer[at + 13] & (_TCP_ACK | _TCP_SYN | _TCP_RST | TCP_FIN) == _TCP_ACK


def _total_length(buffer: bytes, start: int) -> int:
    if buffer[start] >> 4 == 4:
        return buffer[start + 2] << 8 | buffer[start + 3]
    return _IPV6_HEADER + (buffer[start + 4] << 8 | buffer[start + 5])

"""Which QoS class a packet falls into: the first filter that matches decides (behaviour 5.10).

`matches` is pure: one filter, the facts of one packet. The Classifier adds what filters ask of a
flow so far, its size and its packet rate, and remembers where fragments belong.
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
    header_size,
    transport_of,
)
from .settings import Qos, QosFilter

_SCTP = 132
_WITH_PORTS = frozenset((TCP, UDP, _SCTP))
_TCP_SYN, _TCP_RST, _TCP_ACK = 0x02, 0x04, 0x10
_IPV6_HEADER = 40
_FRAGMENT_HEADER = 44  # IPv6
_FLOW_ENDS = 120.0  # seconds without a packet (api-v3 06-qos-mobile 1.3)
_BURST = 1.0  # seconds of its rate that a flow may send at once
_FLOWS_MOST = 65536
_FRAGMENTS_MOST = 1024


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
    is_tcp_syn: bool = False  # and no ACK: a connection begins


def matches(wanted: QosFilter, facts: Facts) -> bool:
    """Say whether the packet meets all conditions of the filter but that of the packet rate."""
    return (
        (wanted.ip_version is None or wanted.ip_version == facts.version)
        and (wanted.protocols is None or facts.protocol in wanted.protocols)
        and (wanted.dscp is None or wanted.dscp == facts.dscp)
        and (not wanted.tcp_ack or facts.is_tcp_ack)
        and _is_between(wanted.min_packet_size, facts.size, wanted.max_packet_size)
        and (wanted.min_flow_size is None or facts.flow_size >= wanted.min_flow_size)
        and (wanted.max_flow_size is None or facts.flow_size < wanted.max_flow_size)
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
        is_tcp_syn=at is not None and protocol == TCP and _is_syn(buffer, at),
    )


class _FlowSoFar:
    """Octets sent, when the last packet was, and per filter what the flow may send of its rate."""

    __slots__ = ("allowed", "seen_at", "size")

    def __init__(self, now: float) -> None:
        self.size = 0
        self.seen_at = now
        self.allowed: dict[int, tuple[float, float]] = {}  # packets, as of when

    def admits(self, index: int, rate: int, packets: int, now: float) -> bool:
        """Say whether so many packets are within the rate, a burst of one second included."""
        saved, at = self.allowed.get(index, (rate * _BURST, now))
        saved = min(rate * _BURST, saved + (now - at) * rate)
        is_within = saved >= packets
        self.allowed[index] = (saved - packets if is_within else saved, now)
        return is_within


class _Fragments:
    """Into which class the first fragment of a packet fell: the others follow it."""

    def __init__(self) -> None:
        self._classes: dict[bytes, int] = {}

    def note(self, key: bytes, index: int) -> None:
        if len(self._classes) >= _FRAGMENTS_MOST:
            del self._classes[next(iter(self._classes))]
        self._classes[key] = index

    def get(self, key: bytes) -> int | None:
        return self._classes.get(key)


class Classifier:
    """Sorts the reads of a turn by class. has_vnet_header: as for segments.Cutter."""

    def __init__(self, qos: Qos, *, has_vnet_header: bool) -> None:
        self._qos = qos
        self._has_vnet_header = has_vnet_header
        self._flows: dict[tuple[object, ...], _FlowSoFar] = {}
        self._fragments = _Fragments()
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
        fragment = _fragment_of(read, start)
        if fragment is None:
            return self._first_match(facts, len(read) - start, now)
        key, is_first = fragment
        known = None if is_first else self._fragments.get(key)
        if known is not None:
            return known
        found = self._first_match(facts, len(read) - start, now)
        if is_first:
            self._fragments.note(key, found)
        return found

    def _first_match(self, facts: Facts, octets: int, now: float) -> int:
        packets, flow = max(1, octets // max(1, facts.size)), None
        if self._looks_at_flows:
            flow = self._flow(facts, now)
            facts = facts._replace(flow_size=flow.size)
            flow.size += octets
        for index, each in enumerate(self._qos.filters):
            rate = each.max_packet_rate
            if matches(each, facts) and (
                rate is None or flow is None or flow.admits(index, rate, packets, now)
            ):
                return each.target
        return self._qos.default

    def _segment_size(self, read: bytes) -> int | None:
        if not self._has_vnet_header or len(read) <= VNET_SIZE:
            return None
        _, gso, _, step, _, _ = VNET_HEADER.unpack_from(read)
        is_super = gso & ~GSO_ECN != GSO_NONE
        return header_size(read, VNET_SIZE) + step if is_super else None

    def _flow(self, facts: Facts, now: float) -> _FlowSoFar:
        """Return the packet's flow so far; a connection that begins is a new one."""
        key = (facts.protocol, facts.source, facts.destination, facts.ports)
        found = self._flows.get(key)
        if found is None or facts.is_tcp_syn or now - found.seen_at > _FLOW_ENDS:
            if found is None and len(self._flows) >= _FLOWS_MOST:
                self._forget(now)
            found = self._flows[key] = _FlowSoFar(now)
        found.seen_at = now
        return found

    def _forget(self, now: float) -> None:
        """Forget the flows that ended; when there are too many others, all."""
        flows = self._flows
        self._flows = {key: flow for key, flow in flows.items() if now - flow.seen_at <= _FLOW_ENDS}
        if len(self._flows) >= _FLOWS_MOST:
            self._flows.clear()


def _fragment_of(buffer: bytes, start: int) -> tuple[bytes, bool] | None:
    """Return what all fragments of a packet have in common, and whether this is the first one.

    None: it is a whole packet.
    """
    if buffer[start] >> 4 == 4:
        place = (buffer[start + 6] & 0x3F) << 8 | buffer[start + 7]
        if not place:
            return None
        ends = buffer[start + 12 : start + 20]
        return ends + buffer[start + 4 : start + 6] + buffer[
            start + 9 : start + 10
        ], place == 0x2000
    header = start + _IPV6_HEADER
    if buffer[start + 6] != _FRAGMENT_HEADER or header + 8 > len(buffer):
        return None
    place = (buffer[header + 2] << 8 | buffer[header + 3]) & 0xFFF8
    return buffer[start + 8 : start + 40] + buffer[header + 4 : header + 8], not place


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


def _is_syn(buffer: bytes, at: int) -> bool:
    """Say whether a TCP packet begins a connection."""
    return at + 14 <= len(buffer) and buffer[at + 13] & (_TCP_ACK | _TCP_SYN) == _TCP_SYN


def _total_length(buffer: bytes, start: int) -> int:
    if buffer[start] >> 4 == 4:
        return buffer[start + 2] << 8 | buffer[start + 3]
    return _IPV6_HEADER + (buffer[start + 4] << 8 | buffer[start + 5])

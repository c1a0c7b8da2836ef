"""What tests on the simulated internet send, and how they look at what came of it."""

import struct
from collections import Counter
from itertools import pairwise

from openbond.tunnel.packets import VNET_SIZE
from openbond.tunnel.settings import Role
from tests.sim.internet import Internet, Line, inner
from tests.tunnel.inner import ipv4, plain_read, tcp_packet, udp_header

READY = 6.0  # seconds until the legs have been tested and are up
_UDP, _ICMP = 17, 1


def up(lines: dict[int, Line], **more: object) -> Internet:
    internet = Internet(lines, **more)  # type: ignore[arg-type]
    internet.run(READY)
    return internet


def stream(internet: Internet, role: Role, *, mbps: float, seconds: float, size: int = 1200) -> int:
    """Send packets of one flow at a rate; return how many."""
    number = int(mbps * 1e6 * seconds / 8 / size)
    for n in range(number):
        at = internet.now + n * seconds / number
        internet.send(role, plain_read(numbered(n, size)), at=at)
    return number


def numbered(number: int, size: int = 1200) -> bytes:
    packet = bytearray(tcp_packet(size - 40))
    packet[24:28] = number.to_bytes(4, "big")  # where TCP has its sequence
    return bytes(packet)


def numbers(packets: list[bytes]) -> list[int]:
    return [int.from_bytes(inner(packet)[24:28], "big") for packet in packets]


def shares(internet: Internet, role: Role, before: Counter[tuple[Role, int]]) -> dict[int, float]:
    """Return each leg's share of what was sent since `before`."""
    carried = {leg: internet.carried[role, leg] - before[role, leg] for leg in internet.lines}
    return {leg: octets / sum(carried.values()) for leg, octets in carried.items()}


def sent_since(internet: Internet, role: Role, before: Counter[tuple[Role, int]], leg: int) -> int:
    return internet.carried[role, leg] - before[role, leg]


class Marked:
    """Small packets that carry their number and are found again among all others.

    They leave every `every` seconds; `dscp` as in the IP header, protocol ICMP or UDP.
    """

    def __init__(
        self,
        internet: Internet,
        role: Role,
        *,
        seconds: float,
        every: float,
        size: int = 100,
        dscp: int = 0,
        protocol: int = _UDP,
    ) -> None:
        self._internet = internet
        self._protocol = protocol
        self.sent: dict[int, float] = {}
        for number in range(int(seconds / every)):
            at = internet.now + number * every
            self.sent[number] = at
            packet = bytearray(ipv4(protocol, self._body(number, size)))
            packet[1] = dscp << 2
            internet.send(role, plain_read(bytes(packet)), at=at)

    def arrivals(self, role: Role) -> list[tuple[float, int]]:
        """Return when which number came out at an end."""
        return [
            (at, int.from_bytes(packet[28:32], "big"))
            for at, write in self._internet.delivered[role]
            if (packet := write[VNET_SIZE:])[9] == self._protocol and packet[32:36] == b"MARK"
        ]

    def waits(self, role: Role) -> list[float]:
        """Return how long each was on its way, in order of sending; the first copy counts."""
        came: dict[int, float] = {}
        for at, number in self.arrivals(role):
            came.setdefault(number, at)
        return [came[number] - self.sent[number] for number in sorted(came)]

    def longest_gap(self, role: Role) -> float:
        times = [at for at, _ in self.arrivals(role)]
        return max(later - earlier for earlier, later in pairwise(times))

    def _body(self, number: int, size: int) -> bytes:
        mark = struct.pack(">I4s", number, b"MARK")
        if self._protocol == _ICMP:
            return struct.pack(">BBHHH", 8, 0, 0, 7, number & 0xFFFF) + mark + bytes(size)
        return udp_header(size + 8, port=4000) + mark + bytes(size)

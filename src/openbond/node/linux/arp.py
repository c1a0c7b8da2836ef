"""Is somebody else using an IPv4 address of ours on this network? ARP probes of RFC 5227.

A probe has no sender address, so it disturbs nobody's cache, and our own kernel does not answer it.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

ETHERTYPE_ARP = 0x0806
BROADCAST = b"\xff" * 6
REQUEST = 1
ETHERNET, IPV4 = 1, 0x0800
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_FRAME = struct.Struct("!6s6sH")
# RFC 5227, 1.1
PROBES = 3
PROBE_MIN_S, PROBE_MAX_S = 1.0, 2.0
WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class ArpPacket:
    operation: int
    sender_mac: bytes
    sender_ip: IPv4Address
    target_ip: IPv4Address


def probe(mac: bytes, address: IPv4Address) -> bytes:
    """Return the Ethernet frame that asks who has an address (RFC 5227, 2.1.1)."""
    arp = _ARP.pack(
        ETHERNET, IPV4, 6, 4, REQUEST, mac, bytes(4), bytes(6), address.packed
    )  # fmt: skip
    return _FRAME.pack(BROADCAST, mac, ETHERTYPE_ARP) + arp


def read_arp(frame: bytes) -> ArpPacket | None:
    """Return what an ARP frame says, None when it is none of Ethernet and IPv4."""
    if len(frame) < _FRAME.size + _ARP.size:
        return None
    fields = _ARP.unpack_from(frame, _FRAME.size)
    if fields[:4] != (ETHERNET, IPV4, 6, 4):
        return None
    operation, mac, sender, _, target = fields[4:]
    return ArpPacket(operation, mac, IPv4Address(sender), IPv4Address(target))


def claims(packet: ArpPacket, address: IPv4Address, own_mac: bytes) -> bool:
    """Report whether somebody else uses the address, or is about to (RFC 5227, 2.1.1)."""
    if packet.sender_mac == own_mac:
        return False
    is_probe = packet.operation == REQUEST and packet.sender_ip == IPv4Address(0)
    return packet.sender_ip == address or (is_probe and packet.target_ip == address)


async def find_other_user(
    interface: str, address: IPv4Address, *, dice: float, pause_factor: float = 1.0
) -> str | None:
    """Ask three times; return the hardware address of whoever else has the address, None if nobody.

    `dice` in [0, 1) spreads the probes. Raises OSError when the interface cannot be asked.
    """
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_PACKET, kind, socket.htons(ETHERTYPE_ARP)) as opened:
        opened.bind((interface, ETHERTYPE_ARP))
        own_mac = opened.getsockname()[4]
        if len(own_mac) != 6:
            return None  # no Ethernet: nobody to ask
        for number in range(PROBES):
            opened.send(probe(own_mac, address))
            pause = PROBE_MIN_S + dice * (PROBE_MAX_S - PROBE_MIN_S)
            last = number == PROBES - 1
            wait_s = (WAIT_S if last else pause) * pause_factor
            other = await _listen(opened, address, own_mac, wait_s)
            if other is not None:
                return other.hex(":")
    return None


async def _listen(
    opened: socket.socket, address: IPv4Address, own_mac: bytes, seconds: float
) -> bytes | None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            while True:
                packet = read_arp(await loop.sock_recv(opened, 2048))
                if packet is not None and claims(packet, address, own_mac):
                    return packet.sender_mac
    except TimeoutError:
        return None

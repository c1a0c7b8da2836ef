"""Single packets: made by hand, put into a TUN device, caught behind the node."""

import fcntl
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from openbond.node.linux.links import IFF_NO_PI, IFF_TUN, TUNSETIFF

SYN = 0x02
ETHERNET_IPV4 = 0x0800


def tcp_syn(source: str, target: str, *, mss: int = 1460) -> bytes:
    """Return an IPv4 packet with a TCP SYN that offers `mss`."""
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 0, 6 << 4, SYN, 65535, 0, 0)
    tcp += struct.pack("!BBH", 2, 4, mss)
    ends = ip_address(source).packed + ip_address(target).packed
    checksum = _checksum(ends + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", checksum) + tcp[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + ends
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + tcp


def _checksum(content: bytes) -> int:
    padded = content + b"\0" * (len(content) % 2)
    total = sum(int.from_bytes(padded[at : at + 2]) for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mss_in(packet: bytes) -> int:
    """Return the MSS option, which tcp_syn puts first."""
    return int.from_bytes(packet[42:44])


def source_in(packet: bytes) -> str:
    return str(ip_address(packet[12:16]))


@contextmanager
def far_end(device: str) -> Iterator[int]:
    """Be the tunnel daemon of a device: what is written comes out of the tunnel."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    try:
        request = struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI)
        fcntl.ioctl(descriptor, TUNSETIFF, request)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def caught(interface: str) -> Iterator[Callable[[], list[bytes]]]:
    """Catch IPv4 packets that arrive on an interface; call the answer to get them."""
    kind = socket.htons(ETHERNET_IPV4)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, kind) as ear:
        ear.bind((interface, ETHERNET_IPV4))
        ear.setblocking(False)
        yield lambda: list(_heard(ear))


def _heard(ear: socket.socket) -> Iterator[bytes]:
    time.sleep(0.2)  # the kernel forwards at once; this is for a busy machine
    while True:
        try:
            yield ear.recv(65536)
        except BlockingIOError:
            return

"""The TUN device of a bond: whole IP packets, super-packets where the kernel can (behaviour 2.1).

Linux, include/uapi/linux/if_tun.h. Every offload is probed, none assumed: a kernel that refuses one
is asked for less.
"""

import errno
import fcntl
import os
import struct
from contextlib import suppress

from openbond.node.errors import AlreadyRunning, NodeError, NotPrivileged, NoTunDevice

DEVICE = "/dev/net/tun"

_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_TUNSETOFFLOAD = 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CSUM, _TSO4, _TSO6, _TSO_ECN, _USO = 0x01, 0x02, 0x04, 0x08, 0x60

# Asked for from the most to the least: USO came with Linux 6.2.
_OFFLOADS = (
    (_CSUM | _TSO4 | _TSO6 | _TSO_ECN | _USO, ("checksum", "tso4", "tso6", "uso")),
    (_CSUM | _TSO4 | _TSO6 | _TSO_ECN, ("checksum", "tso4", "tso6")),
    (_CSUM, ("checksum",)),
)
_READ_MOST = 65535 + 10

_REFUSALS: dict[int, tuple[type[NodeError], str]] = {
    errno.ENOENT: (
        NoTunDevice,
        f"there is no {DEVICE}: load the kernel module with `modprobe tun`, or give the "
        "container the device",
    ),
    errno.ENODEV: (
        NoTunDevice,
        f"the kernel behind {DEVICE} is missing: load it with `modprobe tun`",
    ),
    errno.EACCES: (
        NotPrivileged,
        f"no right to open {DEVICE}: start the daemon as root or with CAP_NET_ADMIN",
    ),
    errno.EPERM: (
        NotPrivileged,
        "no right to attach to it: start the daemon as root or with CAP_NET_ADMIN in this "
        "network namespace",
    ),
    errno.EBUSY: (
        AlreadyRunning,
        "another program is attached to it: is the tunnel daemon of this bond running twice?",
    ),
    errno.EINVAL: (
        NodeError,
        "an interface of this name exists and is no TUN device: rename or delete it",
    ),
}


class TunDevice:
    """An open TUN device. `offloads` names those in use, `has_vnet_header` whether reads and writes
    begin with the virtio-net header, `joins_udp` whether UDP segments may be written joined.
    """

    def __init__(self, fd: int, name: str, offloads: tuple[str, ...], *, plain: bool) -> None:
        self.name = name
        self.offloads = offloads
        self.has_vnet_header = not plain
        self.joins_udp = "uso" in offloads
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def read_packets(self, most: int, octets_most: int) -> list[bytes]:
        """Return what waits to be read: at most `most` reads, about `octets_most` bytes."""
        fd, read = self._fd, os.read
        reads: list[bytes] = []
        octets = 0
        with suppress(OSError):  # nothing waits, or the device is down
            while len(reads) < most and octets < octets_most:
                packet = read(fd, _READ_MOST)
                reads.append(packet)
                octets += len(packet)
        return reads

    def write_packet(self, buffers: list[bytes]) -> bool:
        """Write one packet or super-packet; False when the kernel would not take it."""
        try:
            os.writev(self._fd, buffers)
        except OSError:
            return False
        return True

    def close(self) -> None:
        os.close(self._fd)


def open_tun(name: str, *, plain: bool = False) -> TunDevice:
    """Attach to the TUN device `name`; one that is missing is made, and stays (behaviour 1.2).

    plain: no offloads, one packet a read. Raises NoTunDevice, NotPrivileged, AlreadyRunning, or
    another NodeError.
    """
    try:
        fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as trouble:
        raise _refusal(name, trouble) from trouble
    flags = _IFF_TUN | _IFF_NO_PI | (0 if plain else _IFF_VNET_HDR)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    except OSError as trouble:
        os.close(fd)
        raise _refusal(name, trouble) from trouble
    return TunDevice(fd, name, () if plain else _set_offloads(fd), plain=plain)


def _set_offloads(fd: int) -> tuple[str, ...]:
    for bits, names in _OFFLOADS:
        with suppress(OSError):
            fcntl.ioctl(fd, _TUNSETOFFLOAD, bits)
            return names
    return ()


def _refusal(name: str, trouble: OSError) -> NodeError:
    unknown = (NodeError, trouble.strerror or str(trouble))
    kind, words = _REFUSALS.get(trouble.errno or 0, unknown)
    return kind(f"TUN device {name}: {words}.")

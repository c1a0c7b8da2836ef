"""Interfaces: the TUN devices of our own, and up, MTU and address of all."""

import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from pyroute2.netlink.exceptions import NetlinkError

from openbond.node.errors import NotPrivileged, NoTunDevice
from openbond.node.plan.numbers import DEVICE_ALIAS, SPACE_PREFIX
from openbond.node.plan.values import (
    Device,
    Link,
    LinkMac,
    LinkMtu,
    LinkUp,
    OwnDevice,
    Vlan,
    Vxlan,
)

from .netlink import Kernel, Message, NotNow, Refused, explained

TUN_PATH = Path("/dev/net/tun")
# linux/if_tun.h
TUNSETIFF = 0x400454CA
TUNSETPERSIST = 0x400454CB
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
# linux/if.h
IFF_UP = 0x1
IFF_LOWER_UP = 0x10000


def observe_links(kernel: Kernel) -> tuple[dict[str, Link], frozenset[OwnDevice]]:
    """Return all interfaces by name, and which of them we made."""
    links: dict[str, Link] = {}
    devices: set[OwnDevice] = set()
    for message in kernel.get_links():
        link = _link(message)
        links[link.name] = link
        if message.get_attr("IFLA_IFALIAS") == DEVICE_ALIAS:
            devices.add(_kind_of(link.name)(link.name))
    return links, frozenset(devices)


def _kind_of(name: str) -> type[OwnDevice]:
    if name.startswith(SPACE_PREFIX):
        return Vxlan
    return Vlan if "." in name else Device


def _link(message: Message) -> Link:
    return Link(
        name=message.get_attr("IFLA_IFNAME"),
        up=bool(message["flags"] & IFF_UP),
        carrier=bool(message["flags"] & IFF_LOWER_UP),
        mtu=message.get_attr("IFLA_MTU") or 0,
        mac=message.get_attr("IFLA_ADDRESS") or "",
    )


def index_of(name: str) -> int:
    """Return the number of an interface. Raises Refused when there is none."""
    # Asked for at nearly every step: three times as quick as by netlink.
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise Refused(f"interface {name} does not exist") from error


def add_device(kernel: Kernel, device: Device) -> None:
    """Make a persistent TUN device and mark it as ours.

    Raises NoTunDevice, NotPrivileged, Refused.
    """
    if kernel.link_lookup(ifname=device.name):
        raise Refused(f"an interface {device.name} of another program exists: remove it")
    try:
        descriptor = os.open(TUN_PATH, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NoTunDevice(
            f"{TUN_PATH} cannot be opened ({error.strerror}): load the module with `modprobe tun`, "
            "or pass the device into the container."
        ) from error
    try:
        _make_persistent(descriptor, device.name)
    finally:
        os.close(descriptor)
    with explained():
        kernel.link("set", index=index_of(device.name), IFLA_IFALIAS=DEVICE_ALIAS)


def _make_persistent(descriptor: int, name: str) -> None:
    request = struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, request)
        fcntl.ioctl(descriptor, TUNSETPERSIST, 1)
    except OSError as error:
        if error.errno == errno.EPERM:
            raise NotPrivileged(
                "No TUN device may be made: run the agent as root, or give it CAP_NET_ADMIN."
            ) from error
        raise Refused(f"the TUN device cannot be made: {error.strerror}") from error


def add_vlan(kernel: Kernel, vlan: Vlan) -> None:
    """Make a VLAN interface and mark it as ours.

    Raises NotNow when this kernel has no VLANs, Refused, NotPrivileged.
    """
    missing = (
        "this kernel has no VLANs: load the module with `modprobe 8021q`, or use an "
        "interface without a VLAN suffix"
    )
    lower = index_of(vlan.interface)
    add_own_link(kernel, vlan.name, missing=missing, kind="vlan", link=lower, vlan_id=vlan.tag)


def add_own_link(kernel: Kernel, name: str, *, missing: str, **attributes: object) -> None:
    """Make an interface of a kind that a kernel may lack, and mark it as ours.

    Raises NotNow with the words of `missing` when it does lack it, Refused, NotPrivileged.
    """
    if kernel.link_lookup(ifname=name):
        raise Refused(f"an interface {name} of another program exists: remove it")
    try:
        with explained():
            kernel.link("add", ifname=name, **attributes)
            kernel.link("set", index=index_of(name), IFLA_IFALIAS=DEVICE_ALIAS)
    except Refused as refused:
        cause = refused.__cause__
        if isinstance(cause, NetlinkError) and cause.code == errno.EOPNOTSUPP:
            raise NotNow(missing) from refused
        raise


def delete_device(kernel: Kernel, device: OwnDevice) -> None:
    with explained(gone_is_fine=True):
        for index in kernel.link_lookup(ifname=device.name):
            kernel.link("del", index=index)


def set_link(kernel: Kernel, item: LinkMac | LinkMtu | LinkUp) -> None:
    """Change one property of an interface. Raises Refused, NotPrivileged."""
    with explained():
        index = index_of(item.interface)
        if isinstance(item, LinkMac):
            _set_mac(kernel, index, item.mac)
        elif isinstance(item, LinkMtu):
            kernel.link("set", index=index, mtu=item.mtu)
        else:
            kernel.link("set", index=index, state="up" if item.up else "down")


def _set_mac(kernel: Kernel, index: int, mac: str) -> None:
    try:
        kernel.link("set", index=index, address=mac)
    except NetlinkError as error:
        if error.code != errno.EBUSY:
            raise
        # Some drivers change it only while the interface is down; the plan brings it up again.
        kernel.link("set", index=index, state="down")
        kernel.link("set", index=index, address=mac)
        kernel.link("set", index=index, state="up")

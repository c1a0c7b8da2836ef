"""Addresses: ours carry our protocol number, others are only looked at."""

from ipaddress import ip_interface

from openbond.node.plan.numbers import PROTOCOL
from openbond.node.plan.values import Address, IpInterface

from .links import index_of
from .netlink import Kernel, explained

IPV4, IPV6 = 2, 10
IFA_F_NOPREFIXROUTE = 0x200  # linux/if_addr.h


def observe_addresses(
    kernel: Kernel, names: dict[int, str]
) -> tuple[frozenset[Address], frozenset[tuple[str, IpInterface]]]:
    """Return our addresses, and those of others. `names`: interfaces by number."""
    ours, foreign = set(), set()
    for message in kernel.get_addr():
        name = names.get(message["index"])
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if name is None or text is None:
            continue
        ip = ip_interface(f"{text}/{message['prefixlen']}")
        if message.get_attr("IFA_PROTO") == PROTOCOL:
            flags = message.get_attr("IFA_FLAGS") or 0
            ours.add(Address(name, ip, has_network=not flags & IFA_F_NOPREFIXROUTE))
        else:
            foreign.add((name, ip))
    return frozenset(ours), frozenset(foreign)


def add_address(kernel: Kernel, address: Address) -> None:
    """Raises Refused, NotPrivileged."""
    flags = 0 if address.has_network else IFA_F_NOPREFIXROUTE
    with explained():
        kernel.addr(
            "add",
            index=index_of(address.interface),
            address=str(address.ip.ip),
            prefixlen=address.ip.network.prefixlen,
            family=IPV4 if address.ip.version == 4 else IPV6,
            flags=flags,
            proto=PROTOCOL,
        )


def delete_address(kernel: Kernel, address: Address) -> None:
    with explained(gone_is_fine=True):
        for index in kernel.link_lookup(ifname=address.interface):
            kernel.addr(
                "delete",
                index=index,
                address=str(address.ip.ip),
                prefixlen=address.ip.network.prefixlen,
                family=IPV4 if address.ip.version == 4 else IPV6,
            )

"""The bonder's own DHCP server with DNS for its customers: one dnsmasq (behaviour 5.9). Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Interface, ip_interface

from openbond.wire.config import BondConfig, ConnectedIpConfig

from .facts import Facts
from .values import ClientFile, RunningProgram
from .wishes import Wishes

DIRECTORY = "dhcp-server"
MISSING = "dhcp server waits: the program dnsmasq is missing, apt install dnsmasq-base"


def wish_dhcp_server(wishes: Wishes, bond: BondConfig, facts: Facts) -> None:
    """Wish for one dnsmasq that serves all connected IPs which are to be served."""
    served = [one for one in bond.connected_ips if one.dhcp_lease_s and ":" not in one.ip]
    if not served:
        return
    about = f"connected IP {served[0].id}"
    if not facts.machine.dnsmasq:
        wishes.warn(about, MISSING)
        return
    text = "\n".join([*_common(served, facts), *_ranges(served)]) + "\n"
    file = ClientFile.named_by_content(DIRECTORY, text)
    wishes.client_file(file, about)
    conf = f"--conf-file={facts.machine.client_files}/{file.name}"
    argv = (facts.machine.dnsmasq, "--keep-in-foreground", conf)
    wishes.program(RunningProgram("dhcp-server", argv), about)


def _common(served: list[ConnectedIpConfig], facts: Facts) -> list[str]:
    interfaces = dict.fromkeys(one.interface for one in served)
    return [
        "# Written by the openbond agent from the node's config.",
        # Only there, also for DNS; interfaces and addresses may come and go.
        *(f"interface={name}" for name in interfaces),
        "except-interface=lo",
        "bind-dynamic",
        "user=nobody",
        "group=nogroup",
        "pid-file=",
        f"dhcp-leasefile={facts.machine.client_leases}",
        "dhcp-authoritative",
        # Names without a domain, and addresses of private networks, are not asked of the internet.
        "domain-needed",
        "bogus-priv",
    ]


def _ranges(served: list[ConnectedIpConfig]) -> Iterator[str]:
    for one in served:
        own, tag = IPv4Interface(ip_interface(f"{one.ip}/{one.prefix}")), f"ip{one.id}"
        for first, last in _free_of(own):
            yield f"dhcp-range=set:{tag},{first},{last},{own.netmask},{one.dhcp_lease_s}s"
        yield f"dhcp-option=tag:{tag},option:router,{own.ip}"
        yield f"dhcp-option=tag:{tag},option:dns-server,{own.ip}"


def _free_of(own: IPv4Interface) -> Iterator[tuple[str, str]]:
    """Return the network's host addresses without our own, as one or two ranges."""
    first, last = own.network[1], own.network[-2]
    if own.ip > first:
        yield str(first), str(own.ip - 1)
    if own.ip < last:
        yield str(own.ip + 1), str(last)

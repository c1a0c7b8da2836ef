"""The DHCP server with DNS of a bonder: dnsmasq's file, and when there is none."""

from textwrap import dedent

from openbond.node.plan.desired import desired_for
from openbond.node.plan.facts import Facts, Machine
from openbond.node.plan.values import Desired
from openbond.wire.config import ConnectedIpConfig
from tests.node.samples import bond, bonder, connected_ip, static_leg


def facts(dnsmasq: str = "/usr/sbin/dnsmasq") -> Facts:
    machine = Machine(
        "/key", "/hook", "/leases", ("tunnel", "--bond"), dnsmasq=dnsmasq,
        client_files="/run/bonding", client_leases="/var/lib/bonding/dhcp-server.leases",
    )  # fmt: skip
    return Facts(machine)


def wanted(*connected: ConnectedIpConfig, dnsmasq: str = "/usr/sbin/dnsmasq") -> Desired:
    site = bond(legs=[static_leg()], connected_ips=list(connected))
    return desired_for(bonder(site), facts(dnsmasq))


def servers(desired: Desired) -> list[tuple[str, ...]]:
    return [program.argv for program in desired.programs if program.name == "dhcp-server"]


def test_one_dnsmasq_serves_what_is_to_be_served_and_nothing_else() -> None:
    desired = wanted(
        connected_ip(5, "lan0", "10.1.0.1", 24, lease=43_200),
        connected_ip(6, "lan0", "203.0.113.6", 29, lease=3600),
        connected_ip(7, "lan1", "10.2.0.1", 24),
    )

    (file,) = desired.client_files
    assert file.text.decode() == dedent(
        """\
        # Written by the openbond agent from the node's config.
        interface=lan0
        except-interface=lo
        bind-dynamic
        user=nobody
        group=nogroup
        pid-file=
        dhcp-leasefile=/var/lib/bonding/dhcp-server.leases
        dhcp-authoritative
        domain-needed
        bogus-priv
        dhcp-range=set:ip5,10.1.0.2,10.1.0.254,255.255.255.0,43200s
        dhcp-option=tag:ip5,option:router,10.1.0.1
        dhcp-option=tag:ip5,option:dns-server,10.1.0.1
        dhcp-range=set:ip6,203.0.113.1,203.0.113.5,255.255.255.248,3600s
        dhcp-option=tag:ip6,option:router,203.0.113.6
        dhcp-option=tag:ip6,option:dns-server,203.0.113.6
        """
    )
    assert servers(desired) == [
        ("/usr/sbin/dnsmasq", "--keep-in-foreground", f"--conf-file=/run/bonding/{file.name}")
    ]


def test_an_address_in_the_middle_leaves_two_ranges() -> None:
    (file,) = wanted(connected_ip(5, "lan0", "10.1.0.9", 28, lease=600)).client_files

    ranges = [line for line in file.text.decode().splitlines() if line.startswith("dhcp-range")]
    assert ranges == [
        "dhcp-range=set:ip5,10.1.0.1,10.1.0.8,255.255.255.240,600s",
        "dhcp-range=set:ip5,10.1.0.10,10.1.0.14,255.255.255.240,600s",
    ]


def test_a_changed_config_is_another_dnsmasq() -> None:
    one, other = (wanted(connected_ip(lease=lease)) for lease in (600, 700))

    assert servers(one) != servers(other)


def test_without_a_connected_ip_to_serve_there_is_no_dnsmasq() -> None:
    desired = wanted(connected_ip())

    assert (servers(desired), desired.client_files) == ([], {})


def test_a_machine_without_dnsmasq_says_what_to_install() -> None:
    desired = wanted(connected_ip(lease=600), dnsmasq="")

    assert servers(desired) == []
    assert (
        "connected IP 5",
        "dhcp server waits: the program dnsmasq is missing, apt install dnsmasq-base",
    ) in desired.warnings

import pytest

from openbond.server.bonds.rules.routing import (
    connected,
    fault_of_connected_ip,
    faults_of_cpe_nat_ip,
    faults_of_route,
    overlaps_other_interface,
    serving_network,
)

LAN = connected(interface="eth0", ip="192.168.10.1", prefix=24)
INNER = connected(interface="eth4", ip="192.168.10.129", prefix=25)
SIX = connected(interface="eth0", ip="2001:db8::1", prefix=64)


@pytest.mark.parametrize(
    ("ip", "prefix"),
    [("192.168.1.1", 24), ("203.0.113.0", 31), ("203.0.113.5", 32), ("2001:db8::", 64)],
)
def test_a_host_address_can_be_a_connected_ip(ip: str, prefix: int) -> None:
    assert fault_of_connected_ip(ip=ip, prefix=prefix) == ""


@pytest.mark.parametrize(
    ("ip", "prefix"),
    [("192.168.1.0", 24), ("192.168.1.255", 24), ("127.0.0.1", 8), ("239.1.1.1", 24), ("::1", 128)],
)
def test_other_addresses_cannot(ip: str, prefix: int) -> None:
    assert fault_of_connected_ip(ip=ip, prefix=prefix)


@pytest.mark.parametrize(
    ("ip", "dest", "fields"),
    [
        ("203.0.113.9", "192.168.10.2", set()),
        ("192.168.99.1", "192.168.10.2", {"ip"}),
        ("224.1.1.1", "192.168.10.2", {"ip"}),
        ("203.0.113.9", "192.168.11.2", {"dest_nat_ip"}),
        ("203.0.113.9", "192.168.10.1", {"dest_nat_ip"}),
        ("203.0.113.9", "192.168.10.255", {"dest_nat_ip"}),
        ("203.0.113.9", "203.0.113.10", {"dest_nat_ip"}),
        ("10.0.0.1", "10.0.0.2", {"ip", "dest_nat_ip"}),
    ],
)
def test_a_cpe_nat_ip_is_public_and_its_destination_a_private_host_of_the_site(
    ip: str, dest: str, fields: set[str]
) -> None:
    assert set(faults_of_cpe_nat_ip(ip=ip, dest_nat_ip=dest, connected_ips=[LAN])) == fields


@pytest.mark.parametrize(
    ("network", "gateway", "interface", "fields"),
    [
        ("192.168.20.0/24", "192.168.10.254", "auto", set()),
        ("192.168.20.0/24", "192.168.10.254", "eth0", set()),
        ("192.168.20.0/24", "192.168.10.254", "eth9", {"interface"}),
        ("192.168.20.0/24", "192.168.10.1", "auto", {"gateway"}),
        ("192.168.20.0/24", "192.168.77.1", "auto", {"gateway"}),
        ("192.168.20.0/24", "2001:db8::2", "auto", {"gateway"}),
        ("2001:db8:1::/48", "2001:db8::2", "eth0", set()),
        ("0.0.0.0/0", "192.168.10.254", "auto", {"network"}),
        ("224.0.0.0/4", "192.168.10.254", "auto", {"network"}),
        ("0.0.0.0/1", "192.168.77.1", "auto", {"network", "gateway"}),
    ],
)
def test_a_route_leads_by_a_router_of_the_site(
    network: str, gateway: str, interface: str, fields: set[str]
) -> None:
    faults = faults_of_route(
        network=network, gateway=gateway, interface=interface, connected_ips=[LAN, SIX]
    )

    assert set(faults) == fields


def test_of_several_connected_networks_the_longest_serves() -> None:
    assert serving_network("192.168.10.200", [LAN, INNER]) == INNER.network
    assert serving_network("192.168.10.20", [LAN, INNER]) == LAN.network
    assert serving_network("192.168.99.1", [LAN, INNER]) is None


def test_networks_overlap_only_across_interfaces() -> None:
    assert overlaps_other_interface(INNER, [LAN])
    assert not overlaps_other_interface(LAN, [LAN])
    assert not overlaps_other_interface(INNER, [SIX])

import pytest

from openbond.server.bonds.rules.legs import (
    default_port,
    faults_of_static,
    is_interface,
    lowest_free_port,
)


@pytest.mark.parametrize("name", ["eth1", "eth3.20", "wan-a_1", "e", "enp0s31f6.4094", "a" * 15])
def test_a_name_that_linux_takes_is_an_interface(name: str) -> None:
    assert is_interface(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lo",
        "tun0",
        "mtun3",
        "1eth",
        "eth1.0",
        "eth1.4095",
        "eth1.1.2",
        "eth 1",
        "a" * 16,
        "eth1.",
        "éth1",
        "eth1\n",
    ],
)
def test_other_names_are_not(name: str) -> None:
    assert not is_interface(name)


def test_good_static_addresses_have_no_faults() -> None:
    assert faults_of_static(ip="198.51.100.86", prefix=30, gateway="198.51.100.85") == {}
    assert faults_of_static(ip="198.51.100.0", prefix=31, gateway="198.51.100.1") == {}


@pytest.mark.parametrize(
    ("ip", "prefix", "gateway", "fields"),
    [
        ("198.51.100.84", 30, "198.51.100.85", {"ip"}),
        ("198.51.100.87", 30, "198.51.100.85", {"ip"}),
        ("224.0.0.1", 24, "224.0.0.2", {"ip"}),
        ("198.51.100.86", 30, "198.51.100.86", {"gateway"}),
        ("198.51.100.86", 30, "198.51.100.87", {"gateway"}),
        ("198.51.100.86", 30, "198.51.101.1", {"gateway"}),
        ("198.51.100.84", 30, "203.0.113.1", {"ip", "gateway"}),
    ],
)
def test_bad_static_addresses_are_named(
    ip: str, prefix: int, gateway: str, fields: set[str]
) -> None:
    assert set(faults_of_static(ip=ip, prefix=prefix, gateway=gateway)) == fields


def test_the_port_of_a_leg_is_2000_and_its_id_while_that_is_a_port() -> None:
    assert default_port(21) == 2021
    assert default_port(63535) == 65535
    assert default_port(63536) is None
    assert lowest_free_port({2000, 2001, 2003}) == 2002

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.server.system.addresses import (
    KEY_BYTES,
    address_key,
    address_of,
    contains,
    enclosing_keys,
    free_parts,
    is_private,
    is_refused,
    network_edges,
    overlap,
)

addresses = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)
)
parts_of_a_24 = st.builds(
    lambda prefix, number: ip_network((int(IPv4Address("203.0.113.0")) | number, prefix), False),
    st.integers(24, 32),
    st.integers(0, 255),
)


@given(addresses, addresses)
def test_keys_sort_as_addresses_do_and_ipv4_comes_first(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address
) -> None:
    in_order = (one.version, int(one)) < (other.version, int(other))

    assert (address_key(one) < address_key(other)) == in_order


@given(addresses)
def test_a_key_says_its_address(address: IPv4Address | IPv6Address) -> None:
    key = address_key(address)

    assert len(key) == KEY_BYTES
    assert address_of(key) == address


@given(parts_of_a_24, parts_of_a_24)
def test_overlap_is_a_comparison_of_edges(one: IPv4Network, other: IPv4Network) -> None:
    (first, last), (other_first, other_last) = network_edges(one), network_edges(other)

    assert overlap(one, other) == (first <= other_last and last >= other_first)
    assert contains(one, other) == (first <= other_first and last >= other_last)


@given(parts_of_a_24, parts_of_a_24)
def test_what_contains_a_network_starts_at_an_enclosing_key(
    one: IPv4Network, other: IPv4Network
) -> None:
    first, last = network_edges(one)

    found = first in enclosing_keys(other) and last >= network_edges(other)[1]

    assert found == contains(one, other)


@given(st.lists(parts_of_a_24, max_size=6))
def test_free_parts_and_taken_parts_make_the_whole(taken: list[IPv4Network]) -> None:
    whole = IPv4Network("203.0.113.0/24")

    free = free_parts(whole, [*taken])

    free_hosts = {address for part in free for address in part}
    taken_hosts = {address for part in taken for address in part}
    assert free_hosts | taken_hosts == set(whole)
    assert not free_hosts & taken_hosts
    assert free == sorted(free, key=lambda part: int(part[0]))


@pytest.mark.parametrize(
    ("network", "private"),
    [
        ("10.0.0.0/8", True),
        ("100.64.1.0/24", True),
        ("169.254.0.0/16", True),
        ("203.0.113.0/24", False),
        ("172.0.0.0/11", False),
        ("fd00::/64", True),
        ("2001:db8::/32", False),
    ],
)
def test_a_network_with_public_parts_counts_as_public(network: str, private: bool) -> None:
    assert is_private(ip_network(network)) is private


@pytest.mark.parametrize(
    "network", ["0.0.0.0/32", "127.0.0.1/32", "224.0.0.0/4", "240.0.0.0/8", "128.0.0.0/1", "::1"]
)
def test_what_no_customer_can_have_is_refused_as_part_of_a_network_too(network: str) -> None:
    assert is_refused(ip_network(network))


def test_families_never_contain_one_another() -> None:
    assert not contains(ip_network("::/0"), ip_network("10.0.0.0/8"))
    assert not overlap(ip_network("::/0"), ip_network("0.0.0.0/0"))
    assert ip_address("10.0.0.1") != ip_address("::a00:1")

"""Addresses and networks as bytes that sort and compare alike on every database.

A key is one byte for the family (4 or 6) and sixteen for the number, big-endian; so IPv4 sorts
before IPv6, and containment and overlap are comparisons of first and last keys.
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

KEY_BYTES = 17

PRIVATE = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
]
REFUSED = [
    ip_network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/128", "::1/128", "ff00::/8")
]


def address_key(address: str | Address) -> bytes:
    """Return the key of an address: family, then the number in sixteen bytes."""
    parsed = ip_address(address)
    return bytes([parsed.version]) + int(parsed).to_bytes(16, "big")


def address_of(key: bytes) -> Address:
    """Return the address whose key this is."""
    number = int.from_bytes(key[1:], "big")
    return IPv4Address(number) if key[0] == 4 else IPv6Address(number)


def network_edges(network: str | Network) -> tuple[bytes, bytes]:
    """Return the keys of the first and the last address of a network."""
    parsed = ip_network(network)
    return address_key(parsed[0]), address_key(parsed[-1])


def enclosing_keys(network: Network) -> list[bytes]:
    """Return the first keys of the network and of every wider one that contains it.

    Networks nest or are apart, so a row that contains this one starts at one of these keys: at
    most 33 (IPv6: 129) look-ups of an index, where a comparison of ranges would read half of it.
    """
    wider = [network.supernet(new_prefix=prefix) for prefix in range(network.prefixlen)]
    return list(dict.fromkeys(address_key(one[0]) for one in [network, *wider]))


def network_of(address: str, prefix: int) -> Network:
    """Return the network that an address with this prefix length lies in."""
    return ip_network(f"{address}/{prefix}", strict=False)


def is_private(network: Network) -> bool:
    """Report whether every address is private; a network with public parts counts as public."""
    return any(_inside(network, private) for private in PRIVATE)


def is_refused(network: Network) -> bool:
    """Report whether any address is one that is refused everywhere (api-v3 04-routing 1)."""
    return any(_overlap(network, refused) for refused in REFUSED)


def contains(outer: Network, inner: Network) -> bool:
    """Report whether `inner` lies wholly inside `outer`; families never contain one another."""
    return _inside(inner, outer)


def overlap(one: Network, other: Network) -> bool:
    """Report whether two networks share an address."""
    return _overlap(one, other)


def free_parts(network: Network, taken: list[Network]) -> list[Network]:
    """Return the smallest list of networks that covers `network` without `taken`, ascending."""
    parts: list[Network] = [network]
    for hole in taken:
        parts = [piece for part in parts for piece in _without(part, hole)]
    if isinstance(network, IPv4Network):
        return list(collapse_addresses(part for part in parts if isinstance(part, IPv4Network)))
    return list(collapse_addresses(part for part in parts if isinstance(part, IPv6Network)))


def _without(part: Network, hole: Network) -> list[Network]:
    if not _overlap(part, hole):
        return [part]
    if _inside(part, hole):
        return []
    if isinstance(part, IPv4Network) and isinstance(hole, IPv4Network):
        return list(part.address_exclude(hole))
    if isinstance(part, IPv6Network) and isinstance(hole, IPv6Network):
        return list(part.address_exclude(hole))
    return [part]


def _inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def _overlap(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    if isinstance(one, IPv6Network) and isinstance(other, IPv6Network):
        return one.overlaps(other)
    return False

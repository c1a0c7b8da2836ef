"""Fields for addresses, networks, masks and interfaces (00-general.md 4.7, 03-legs.md 1)."""

import re
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import ClassVar

from rest_framework.exceptions import ValidationError

from openbond.server.bonds.rules.legs import NOT_AN_INTERFACE, is_interface
from openbond.server.system.addresses import Address, is_refused, network_of

from .fields import JsonValue, Text

MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}")

NOT_IPV4 = "Enter a valid IPv4 address."
NOT_IPV6 = "Enter a valid IPv6 address."
NOT_UNICAST = "This address cannot be used for one host; enter a unicast address."
NOT_NETMASK = "Enter a netmask, dotted or as a prefix length of {low} to {high}."
NOT_ADDRESS = "Enter an IPv4 or IPv6 address, or address/prefix."
NOT_IPV4_NETWORK = "Enter an IPv4 network as address/prefix."
WHOLE_INTERNET = "The prefix length must be at least 1."
HOST_BITS = "{network} has host bits set; did you mean {meant}?"
NOT_AGREEING = "Must agree with the prefix length /{prefix} that was given with the address."
NOT_MAC = "Enter a MAC address of one interface, like 02:00:5e:10:00:01."


class Ipv4(Text):
    """An IPv4 address; of one host unless `unicast=False`."""

    version: ClassVar[int] = 4

    def __init__(self, *, unicast: bool = True, **options: object):
        options.setdefault("blank", False)
        super().__init__(**options)  # type: ignore[arg-type]
        self.unicast = unicast

    def to_internal_value(self, data: JsonValue) -> str:
        address = parsed_address(super().to_internal_value(data))
        if address is None or address.version != self.version:
            raise ValidationError(NOT_IPV4 if self.version == 4 else NOT_IPV6)
        if self.unicast and is_refused(network_of(str(address), address.max_prefixlen)):
            raise ValidationError(NOT_UNICAST)
        return str(address)


class Ipv6(Ipv4):
    """An IPv6 address, in compressed form."""

    version = 6


class Mac(Text):
    """The hardware address of one interface; lower-case with colons."""

    def __init__(self, **options: object):
        super().__init__(blank=False, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> str:
        text = super().to_internal_value(data).lower()
        if not MAC.fullmatch(text) or int(text[:2], 16) & 1 or set(text) <= set("0:-"):
            raise ValidationError(NOT_MAC)
        return text.replace("-", ":")


class Interface(Text):
    """A network interface by name, perhaps with a VLAN."""

    def __init__(self, **options: object):
        super().__init__(blank=False, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> str:
        text = super().to_internal_value(data)
        if not is_interface(text):
            raise ValidationError(NOT_AN_INTERFACE)
        return text


class PrefixedAddress(Text):
    """An IPv4 or IPv6 address, with or without a prefix length; both are returned."""

    def __init__(self, **options: object):
        super().__init__(blank=False, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> tuple[Address, int | None]:  # type: ignore[override]
        parts = split_prefix(super().to_internal_value(data))
        if parts is None:
            raise ValidationError(NOT_ADDRESS)
        return parts


class Ipv4Cidr(Text):
    """An IPv4 network without host bits; without a prefix length it is one address."""

    def __init__(self, **options: object):
        super().__init__(blank=False, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> IPv4Network:  # type: ignore[override]
        text = super().to_internal_value(data)
        parts = split_prefix(text)
        if parts is None or not isinstance(parts[0], IPv4Address):
            raise ValidationError(NOT_IPV4_NETWORK)
        prefix = 32 if parts[1] is None else parts[1]
        if prefix < 1:
            raise ValidationError(WHOLE_INTERNET)
        network = IPv4Network(f"{parts[0]}/{prefix}", strict=False)
        if network[0] != parts[0]:
            raise ValidationError(HOST_BITS.format(network=text, meant=network))
        return network


class Prefix(Text):
    """An IPv4 netmask, dotted or as a prefix length; read as the length."""

    def __init__(self, low: int = 1, high: int = 32, **options: object):
        super().__init__(blank=False, **options)  # type: ignore[arg-type]
        self.low = low
        self.high = high

    def to_internal_value(self, data: JsonValue) -> int:  # type: ignore[override]
        prefix = prefix_of(super().to_internal_value(data), longest=32)
        if prefix is None or not self.low <= prefix <= self.high:
            raise ValidationError(NOT_NETMASK.format(low=self.low, high=self.high))
        return prefix


def parsed_address(text: str) -> Address | None:
    """Return the address, or None. A zone (`%eth0`) belongs to one machine, so it is refused."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def prefix_of(text: str, *, longest: int) -> int | None:
    """Return the prefix length that a netmask stands for, dotted (IPv4) or as a number."""
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return int(text) if int(text) <= longest else None
    if longest != 32 or text.count(".") != 3:
        return None
    try:
        network = IPv4Network(f"0.0.0.0/{text}")
    except ValueError:
        return None
    # IPv4Network also takes a wildcard mask (0.0.0.255); that is not what was meant.
    return network.prefixlen if network.netmask == IPv4Address(text) else None


def split_prefix(text: str) -> tuple[Address, int | None] | None:
    """Return the address and the prefix length, if one was given; None if it is no address."""
    bare, slash, mask = text.partition("/")
    address = parsed_address(bare.strip())
    if address is None:
        return None
    prefix = prefix_of(mask.strip(), longest=address.max_prefixlen) if slash else None
    return None if slash and prefix is None else (address, prefix)


def agreed_prefix(address: Address, prefix: int | None, mask: str | None) -> int | None:
    """Return the prefix length that is given with an address, in a netmask, or in both.

    Returns None where neither is given. Raises ValidationError on `netmask`.
    """
    if mask is None:
        return prefix
    masked = prefix_of(mask, longest=address.max_prefixlen)
    if masked is None or masked < 1:
        limits = NOT_NETMASK.format(low=1, high=address.max_prefixlen)
        raise ValidationError({"netmask": [limits]})
    if prefix is not None and prefix != masked:
        raise ValidationError({"netmask": [NOT_AGREEING.format(prefix=prefix)]})
    return masked

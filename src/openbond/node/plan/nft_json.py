"""Words of nftables JSON (libnftables-json(5)) for rules of our table."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from .numbers import FILTER_TABLE
from .values import IpNetwork

Json: TypeAlias = Mapping[str, object]

HERE = {"family": "inet", "table": FILTER_TABLE}


# IP and TCP headers without options (behaviour 2.12).
HEADERS = {"ipv4": 40, "ipv6": 60}
ACCEPT: Json = {"accept": None}
REJECT: Json = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}


def add_chain(name: str, hook: str, priority: int, *, kind: str = "filter") -> Json:
    where = {"type": kind, "hook": hook, "prio": priority, "policy": "accept"}
    return {"add": {"chain": {**HERE, "name": name, **where}}}


def add_rule(chain: str, *expressions: Json) -> Json:
    return {"add": {"rule": {**HERE, "chain": chain, "expr": list(expressions)}}}


def meta(key: str) -> Json:
    return {"meta": {"key": key}}


def field_of(protocol: str, field: str) -> Json:
    return {"payload": {"protocol": protocol, "field": field}}


def tcp_flags(*names: str) -> Json:
    return {"&": [field_of("tcp", "flags"), list(names)]}


def is_equal(left: Json, right: object) -> Json:
    return {"match": {"op": "==", "left": left, "right": right}}


def is_not(left: Json, right: object) -> Json:
    return {"match": {"op": "!=", "left": left, "right": right}}


def one_of(values: Iterable[object]) -> Json:
    return {"set": list(values)}


def in_networks(family: str, networks: Iterable[IpNetwork], *, field: str = "saddr") -> Json:
    ordered = sorted(set(networks), key=lambda network: (int(network[0]), network.prefixlen))
    prefixes = [
        {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        for network in ordered
    ]
    return is_equal(field_of(family, field), one_of(prefixes))


def nat_to(kind: str, address: str) -> Json:
    return {kind: {"family": "ip", "addr": address}}


def clamp_to(mtu: int, chain: str, where: Json, family: str) -> Json:
    """Return the rule that lowers the MSS of new connections to what fits into `mtu` bytes."""
    return add_rule(
        chain,
        where,
        is_equal(meta("nfproto"), family),
        is_equal(tcp_flags("syn", "rst"), "syn"),
        # The kernel only ever lowers the option.
        {"mangle": {"key": _MSS, "value": mtu - HEADERS[family]}},
    )


_MSS: Json = {"tcp option": {"name": "maxseg", "field": "size"}}

"""Our packet filter table as nftables JSON: MSS clamp, source check, no leaks, NAT (§2.12, §5.4).

The whole table is replaced in one transaction; tables of others are never touched.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, ip_network
from typing import TypeAlias

import msgspec

from openbond.wire.config import BondConfig, NodeContent
from openbond.wire.states import LinkMode, NodeKind

from .facts import Facts
from .lines import leg_interfaces
from .numbers import FILTER_TABLE, device_of
from .values import IpNetwork, Ruleset

Json: TypeAlias = Mapping[str, object]

# IP and TCP headers without options (behaviour 2.12).
HEADERS = {"ipv4": 40, "ipv6": 60}
_HERE = {"family": "inet", "table": FILTER_TABLE}
_encoder = msgspec.json.Encoder(order="deterministic")


def ruleset_of(content: NodeContent, mtus: Mapping[int, int], facts: Facts) -> Ruleset:
    """Return the table for a config; `mtus` are the inner MTUs in bytes by bond id."""
    if not content.bonds:
        return Ruleset("")
    objects: list[Json] = []
    for bond in content.bonds:
        if bond.clamp_tcp:
            objects += _clamp(bond, mtus[bond.id])
        if content.kind is NodeKind.AGGREGATOR:
            objects += _source_check(bond)
        else:
            objects += [*_leg_guard(bond, facts), *_translation(bond)]
    return Ruleset(_encoder.encode([*_chains(content), *objects]).decode())


def _chains(content: NodeContent) -> list[Json]:
    wanted = [("clamp_in", "prerouting", -150), ("clamp_out", "postrouting", -150)]
    if content.kind is NodeKind.AGGREGATOR:
        wanted.append(("sources", "prerouting", -140))
    else:
        wanted += [("untracked_in", "prerouting", -300), ("untracked_out", "output", -300)]
        wanted += [("leg_input", "input", 0), ("leg_forward", "forward", 0)]
    chains = [_chain(name, hook, priority) for name, hook, priority in wanted]
    if any(bond.cpe_nat_ips for bond in content.bonds):
        chains += [_chain("translate_in", "prerouting", -100, kind="nat")]
        chains += [_chain("translate_out", "postrouting", 100, kind="nat")]
    return chains


# ---------------------------------------------------------------------------------- both ends


def _clamp(bond: BondConfig, mtu: int) -> list[Json]:
    found = []
    for chain, direction in (("clamp_in", "iifname"), ("clamp_out", "oifname")):
        for family, headers in HEADERS.items():
            found.append(
                _rule(
                    chain,
                    _is(_meta(direction), device_of(bond.id)),
                    _is(_meta("nfproto"), family),
                    _is(_flags("syn", "rst"), "syn"),
                    # The kernel only ever lowers the option.
                    {"mangle": {"key": _MSS, "value": mtu - headers}},
                )
            )
    return found


_MSS: Json = {"tcp option": {"name": "maxseg", "field": "size"}}


# ------------------------------------------------------------------------------- the aggregator


def _source_check(bond: BondConfig) -> list[Json]:
    """Drop and count what comes out of the tunnel with a source that is not the bond's."""
    chain, counter = f"sources_{bond.id}", f"source_not_allowed_{bond.id}"
    networks = [ip_network(text) for text in bond.sources]
    tunnel = ip_network(bond.tunnel_subnet)
    to_us: Json = {"fib": {"result": "type", "flags": ["daddr"]}}
    return [
        {"add": {"counter": {**_HERE, "name": counter}}},
        {"add": {"chain": {**_HERE, "name": chain}}},
        *[_rule(chain, _from(family, found), _ACCEPT) for family, found in _by_family(networks)],
        # The bonder itself may speak to us, but not through us: its address leads nowhere.
        _rule(chain, _from("ip", [tunnel]), _is(to_us, "local"), _ACCEPT),
        _rule(chain, {"counter": counter}, {"drop": None}),
        _rule("sources", _is(_meta("iifname"), device_of(bond.id)), {"jump": {"target": chain}}),
    ]


def _by_family(networks: Iterable[IpNetwork]) -> list[tuple[str, list[IpNetwork]]]:
    every = list(networks)
    ipv4: list[IpNetwork] = [network for network in every if isinstance(network, IPv4Network)]
    ipv6 = [network for network in every if network not in ipv4]
    return [(family, found) for family, found in (("ip", ipv4), ("ip6", ipv6)) if found]


# ----------------------------------------------------------------------------------- the bonder


def _leg_guard(bond: BondConfig, facts: Facts) -> list[Json]:
    """Legs are the tunnel's: nothing is forwarded by them, and little is accepted from them."""
    legs = [leg for leg in bond.legs if leg.link_mode is not LinkMode.OFFLINE]
    if not legs:
        return []
    names = {name for leg in legs for name in leg_interfaces(leg, facts)}
    if not names:
        return []
    interfaces = _set(sorted(names))
    ports = _set(sorted({leg.tunnel_port for leg in legs}))
    arriving, leaving = _is(_meta("iifname"), interfaces), _is(_meta("oifname"), interfaces)
    from_peer = [_is(_field("ip", "saddr"), bond.aggregator_ip), _is(_field("udp", "sport"), ports)]
    to_peer = [_is(_field("ip", "daddr"), bond.aggregator_ip), _is(_field("udp", "dport"), ports)]
    related = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": _KNOWN}}
    return [
        # Tracking the tunnel's own datagrams would cost time and tell nothing.
        _rule("untracked_in", arriving, *from_peer, {"notrack": None}),
        _rule("untracked_out", leaving, *to_peer, {"notrack": None}),
        _rule("leg_input", arriving, *from_peer, _ACCEPT),
        # Only a SYN opens something. Connections older than this table, such as the management
        # channel's at the first config, are unknown to connection tracking and must go on.
        _rule("leg_input", arriving, _is(_flags("syn", "ack"), "syn"), _REJECT),
        _rule("leg_input", arriving, _is(_meta("l4proto"), "tcp"), _ACCEPT),
        _rule("leg_input", arriving, related, _ACCEPT),
        _rule("leg_input", arriving, _is(_meta("l4proto"), _set(["icmp", "ipv6-icmp"])), _ACCEPT),
        _rule("leg_input", arriving, _is(_field("udp", "dport"), 68), _ACCEPT),
        _rule("leg_input", arriving, _REJECT),
        _rule("leg_forward", arriving, {"drop": None}),
        _rule("leg_forward", leaving, {"reject": {"type": "icmpx", "expr": "no-route"}}),
    ]


_KNOWN = ["established", "related"]


def _translation(bond: BondConfig) -> list[Json]:
    """CPE NAT IPs: each destination uses its own; others of its network the lowest id (§5.2)."""
    device = device_of(bond.id)
    arriving, leaving = _is(_meta("iifname"), device), _is(_meta("oifname"), device)
    entries = sorted(bond.cpe_nat_ips, key=lambda entry: entry.id)
    found = [
        _rule(
            "translate_in", arriving, _is(_field("ip", "daddr"), e.ip), _nat("dnat", e.dest_nat_ip)
        )
        for e in entries
    ]
    for entry in entries:
        own = _is(_field("ip", "saddr"), entry.dest_nat_ip)
        found.append(_rule("translate_out", leaving, own, _nat("snat", entry.ip)))
    for entry in entries:
        whole = _from("ip", [ip_network(entry.dest_nat_network)])
        found.append(_rule("translate_out", leaving, whole, _nat("snat", entry.ip)))
    return found


# ------------------------------------------------------------------------------ nftables JSON


_ACCEPT: Json = {"accept": None}
_REJECT: Json = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}


def _chain(name: str, hook: str, priority: int, *, kind: str = "filter") -> Json:
    where = {"type": kind, "hook": hook, "prio": priority, "policy": "accept"}
    return {"add": {"chain": {**_HERE, "name": name, **where}}}


def _rule(chain: str, *expressions: Json) -> Json:
    return {"add": {"rule": {**_HERE, "chain": chain, "expr": list(expressions)}}}


def _meta(key: str) -> Json:
    return {"meta": {"key": key}}


def _field(protocol: str, field: str) -> Json:
    return {"payload": {"protocol": protocol, "field": field}}


def _flags(*names: str) -> Json:
    return {"&": [_field("tcp", "flags"), list(names)]}


def _is(left: Json, right: object) -> Json:
    return {"match": {"op": "==", "left": left, "right": right}}


def _set(values: Iterable[object]) -> Json:
    return {"set": list(values)}


def _from(family: str, networks: Iterable[IpNetwork]) -> Json:
    ordered = sorted(set(networks), key=lambda network: (int(network[0]), network.prefixlen))
    prefixes = [
        {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}
        for network in ordered
    ]
    return _is(_field(family, "saddr"), _set(prefixes))


def _nat(kind: str, address: str) -> Json:
    return {kind: {"family": "ip", "addr": address}}

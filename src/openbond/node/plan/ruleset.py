"""Our packet filter table as nftables JSON: MSS clamp, source check, no leaks, NAT (§2.12, §5.4).

The whole table is replaced in one transaction; tables of others are never touched.
"""

from ipaddress import ip_network

import msgspec

from openbond.wire.config import BondConfig, NodeContent
from openbond.wire.states import LinkMode, NodeKind

from .facts import Facts
from .lines import leg_interfaces
from .nft_json import (
    ACCEPT,
    HEADERS,
    HERE,
    REJECT,
    Json,
    add_chain,
    add_rule,
    clamp_to,
    field_of,
    in_networks,
    is_equal,
    meta,
    nat_to,
    one_of,
    tcp_flags,
)
from .numbers import device_of
from .private_wan_rules import accepted_sources, private_wan_rules
from .tunnels import inner_mtu
from .values import Ruleset

# Those that need no allocation and lead to no core (behaviour 5, head).
PRIVATE_NETWORKS = [
    ip_network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]
_encoder = msgspec.json.Encoder(order="deterministic")


def ruleset_of(content: NodeContent, facts: Facts) -> Ruleset:
    """Return the table for a config."""
    if not content.bonds:
        return Ruleset("")
    objects: list[Json] = []
    for bond in content.bonds:
        if bond.clamp_tcp:
            objects += _clamp(bond, inner_mtu(bond, facts))
        if content.kind is NodeKind.AGGREGATOR:
            objects += _source_check(bond)
        else:
            objects += [*_leg_guard(bond, facts), *_translation(bond)]
    objects += private_wan_rules(content, facts)
    return Ruleset(_encoder.encode([*_chains(content), *objects]).decode())


def _chains(content: NodeContent) -> list[Json]:
    wanted = [("clamp_in", "prerouting", -150), ("clamp_out", "postrouting", -150)]
    if content.kind is NodeKind.AGGREGATOR:
        wanted.append(("sources", "prerouting", -140))
    else:
        wanted += [("untracked_in", "prerouting", -300), ("untracked_out", "output", -300)]
        wanted += [("leg_input", "input", 0), ("leg_forward", "forward", 0)]
    chains = [add_chain(name, hook, priority) for name, hook, priority in wanted]
    if any(bond.cpe_nat_ips for bond in content.bonds):
        chains += [add_chain("translate_in", "prerouting", -100, kind="nat")]
        chains += [add_chain("translate_out", "postrouting", 100, kind="nat")]
    return chains


# ---------------------------------------------------------------------------------- both ends


def _clamp(bond: BondConfig, mtu: int) -> list[Json]:
    return [
        clamp_to(mtu, chain, is_equal(meta(direction), device_of(bond.id)), family)
        for chain, direction in (("clamp_in", "iifname"), ("clamp_out", "oifname"))
        for family in HEADERS
    ]


# ------------------------------------------------------------------------------- the aggregator


def _source_check(bond: BondConfig) -> list[Json]:
    """Drop and count what comes out of the tunnel with a source that is not the bond's."""
    chain, counter = f"sources_{bond.id}", f"source_not_allowed_{bond.id}"
    tunnel = ip_network(bond.tunnel_subnet)
    to_us: Json = {"fib": {"result": "type", "flags": ["daddr"]}}
    return [
        {"add": {"counter": {**HERE, "name": counter}}},
        {"add": {"chain": {**HERE, "name": chain}}},
        *accepted_sources(bond, chain),
        # The bonder itself may speak to us, but not through us: its address leads nowhere.
        add_rule(chain, in_networks("ip", [tunnel]), is_equal(to_us, "local"), ACCEPT),
        add_rule(chain, {"counter": counter}, {"drop": None}),
        add_rule(
            "sources", is_equal(meta("iifname"), device_of(bond.id)), {"jump": {"target": chain}}
        ),
    ]


# ----------------------------------------------------------------------------------- the bonder


def _leg_guard(bond: BondConfig, facts: Facts) -> list[Json]:
    """Legs are the tunnel's: nothing is forwarded by them, and little is accepted from them."""
    legs = [leg for leg in bond.legs if leg.link_mode is not LinkMode.OFFLINE]
    if not legs:
        return []
    names = {name for leg in legs for name in leg_interfaces(leg, facts)}
    if not names:
        return []
    interfaces = one_of(sorted(names))
    ports = one_of(sorted({leg.tunnel_port for leg in legs}))
    arriving, leaving = is_equal(meta("iifname"), interfaces), is_equal(meta("oifname"), interfaces)
    from_peer = [
        is_equal(field_of("ip", "saddr"), bond.aggregator_ip),
        is_equal(field_of("udp", "sport"), ports),
    ]
    to_peer = [
        is_equal(field_of("ip", "daddr"), bond.aggregator_ip),
        is_equal(field_of("udp", "dport"), ports),
    ]
    related = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": _KNOWN}}
    return [
        # Tracking the tunnel's own datagrams would cost time and tell nothing.
        add_rule("untracked_in", arriving, *from_peer, {"notrack": None}),
        add_rule("untracked_out", leaving, *to_peer, {"notrack": None}),
        add_rule("leg_input", arriving, *from_peer, ACCEPT),
        # Only a SYN opens something. Connections older than this table, such as the management
        # channel's at the first config, are unknown to connection tracking and must go on.
        add_rule("leg_input", arriving, is_equal(tcp_flags("syn", "ack"), "syn"), REJECT),
        add_rule("leg_input", arriving, is_equal(meta("l4proto"), "tcp"), ACCEPT),
        add_rule("leg_input", arriving, related, ACCEPT),
        add_rule(
            "leg_input", arriving, is_equal(meta("l4proto"), one_of(["icmp", "ipv6-icmp"])), ACCEPT
        ),
        add_rule("leg_input", arriving, is_equal(field_of("udp", "dport"), 68), ACCEPT),
        add_rule("leg_input", arriving, REJECT),
        add_rule("leg_forward", arriving, {"drop": None}),
        add_rule("leg_forward", leaving, {"reject": {"type": "icmpx", "expr": "no-route"}}),
    ]


_KNOWN = ["established", "related"]


def _translation(bond: BondConfig) -> list[Json]:
    """CPE NAT IPs: each destination uses its own; others of its network the lowest id (§5.2)."""
    device = device_of(bond.id)
    arriving, leaving = is_equal(meta("iifname"), device), is_equal(meta("oifname"), device)
    entries = sorted(bond.cpe_nat_ips, key=lambda entry: entry.id)
    if not entries:
        return []
    found = [
        add_rule(
            "translate_in",
            arriving,
            is_equal(field_of("ip", "daddr"), e.ip),
            nat_to("dnat", e.dest_nat_ip),
        )
        for e in entries
    ]
    if bond.private_wan is not None:
        # Other sites of the space see the hosts themselves; to the core no private network leads.
        inside = in_networks("ip", PRIVATE_NETWORKS, field="daddr")
        found.append(add_rule("translate_out", leaving, inside, ACCEPT))
    for entry in entries:
        own = is_equal(field_of("ip", "saddr"), entry.dest_nat_ip)
        found.append(add_rule("translate_out", leaving, own, nat_to("snat", entry.ip)))
    for entry in entries:
        whole = in_networks("ip", [ip_network(entry.dest_nat_network)])
        found.append(add_rule("translate_out", leaving, whole, nat_to("snat", entry.ip)))
    return found

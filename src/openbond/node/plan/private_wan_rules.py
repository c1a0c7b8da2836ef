"""Of our packet filter table, what private WANs need: marks, and no VXLAN in the clear (§5.8)."""

from collections.abc import Iterable
from ipaddress import ip_network
from itertools import groupby

from openbond.wire.config import BondConfig, NodeContent, TrunkConfig

from .facts import Facts
from .nft_json import (
    ACCEPT,
    HEADERS,
    Json,
    add_chain,
    add_rule,
    clamp_to,
    field_of,
    in_networks,
    is_equal,
    is_not,
    meta,
    one_of,
)
from .numbers import VXLAN_PORT, space_device_of, space_mark
from .private_wans import far_trunks, space_mtu
from .trunks import trunk_device

DROP: Json = {"drop": None}
_VXLAN = is_equal(field_of("udp", "dport"), VXLAN_PORT)


def accepted_sources(bond: BondConfig, chain: str) -> list[Json]:
    """Accept what comes from the bond's networks; what takes part in a private WAN gets its mark.

    The longest network that holds a source decides.
    """
    private = {ip_network(text) for text in bond.private_sources}
    networks = [ip_network(text) for text in bond.sources]
    kinds = {network: (network.version, network in private) for network in networks}
    longest_first = sorted(kinds, key=lambda one: (one.version, -one.prefixlen * bool(private)))
    found = []
    for (version, is_private), some in groupby(longest_first, kinds.__getitem__):
        expressions: list[Json] = [in_networks("ip" if version == 4 else "ip6", some)]
        if is_private and bond.private_wan is not None:
            expressions.append(_marked(bond.private_wan))
        found.append(add_rule(chain, *expressions, ACCEPT))
    return found


def private_wan_rules(content: NodeContent, facts: Facts) -> list[Json]:
    """Return chains and rules for the trunks of an aggregator, and the VXLANs in them."""
    if not content.trunks:
        return []
    here = {bond.id for bond in content.bonds}
    found = _guard(content.trunks)
    for wan in content.private_wans:
        far = far_trunks(wan, content.trunks, here)
        if far:
            name = space_device_of(wan.space_id)
            found += _clamps(name, space_mtu(far, facts))
            found += [_mark(name, wan.space_id), _unmark(name), _no_return(name)]
    return found


def _guard(trunks: Iterable[TrunkConfig]) -> list[Json]:
    """By trunks comes and goes nothing but VXLAN, and VXLAN of ours nowhere else."""
    devices = one_of(sorted(trunk_device(trunk) for trunk in trunks))
    arriving, leaving = meta("iifname"), meta("oifname")
    return [
        add_chain("trunk_input", "input", 0),
        add_chain("trunk_output", "output", 0),
        add_chain("trunk_forward", "forward", 0),
        add_chain("trunk_unmark", "postrouting", -140),
        add_rule("trunk_input", is_not(arriving, devices), _VXLAN, DROP),
        add_rule("trunk_input", is_equal(arriving, devices), _VXLAN, ACCEPT),
        add_rule("trunk_input", is_equal(arriving, devices), DROP),
        add_rule("trunk_output", is_not(leaving, devices), _VXLAN, DROP),
        add_rule("trunk_forward", is_equal(arriving, devices), DROP),
        add_rule("trunk_forward", is_equal(leaving, devices), DROP),
    ]


def _clamps(name: str, mtu: int) -> list[Json]:
    return [
        clamp_to(mtu, chain, is_equal(meta(direction), name), family)
        for chain, direction in (("clamp_in", "iifname"), ("clamp_out", "oifname"))
        for family in HEADERS
    ]


def _mark(name: str, space_id: int) -> Json:
    """What came by the VXLAN belongs to the space, and so does what is answered to it."""
    return add_rule("sources", is_equal(meta("iifname"), name), _marked(space_id), ACCEPT)


def _unmark(name: str) -> Json:
    """With its mark, the kernel would look for the trunk in the space's table, too."""
    nothing: Json = {"mangle": {"key": meta("mark"), "value": 0}}
    return add_rule("trunk_unmark", is_equal(meta("oifname"), name), nothing)


def _marked(space_id: int) -> Json:
    return {"mangle": {"key": meta("mark"), "value": space_mark(space_id)}}


def _no_return(name: str) -> Json:
    """What came from another aggregator goes to none: two that disagree must not play ball."""
    back = [is_equal(meta("iifname"), name), is_equal(meta("oifname"), name)]
    return add_rule("trunk_forward", *back, {"reject": {"type": "icmpx", "expr": "no-route"}})

"""Policy rules of our own protocol number."""

from ipaddress import ip_network

from openbond.node.plan.numbers import PROTOCOL
from openbond.node.plan.values import Rule

from .netlink import Kernel, Message, explained

FAMILIES = {2: 4, 10: 6}
NOT_SUPPRESSED = 0xFFFFFFFF
LOOKUP = 1  # FR_ACT_TO_TBL


def observe_rules(kernel: Kernel) -> frozenset[Rule]:
    found = set()
    for family, version in FAMILIES.items():
        for message in kernel.get_rules(family=family):
            if message.get_attr("FRA_PROTOCOL") == PROTOCOL:
                found.add(_rule(message, version))
    return frozenset(found)


def _rule(message: Message, version: int) -> Rule:
    source = message.get_attr("FRA_SRC")
    suppressed = message.get_attr("FRA_SUPPRESS_PREFIXLEN")
    return Rule(
        priority=message.get_attr("FRA_PRIORITY") or 0,
        table=message.get_attr("FRA_TABLE") if message["action"] == LOOKUP else None,
        family=version,
        source=ip_network(f"{source}/{message['src_len']}") if source else None,
        arriving=message.get_attr("FRA_IIFNAME"),
        leaving=message.get_attr("FRA_OIFNAME"),
        mark=message.get_attr("FRA_FWMARK"),
        is_only_networks=suppressed not in (None, NOT_SUPPRESSED),
    )


def add_rule(kernel: Kernel, rule: Rule) -> None:
    """Raises Refused, NotPrivileged."""
    with explained():
        kernel.rule("add", **_arguments(rule))


def delete_rule(kernel: Kernel, rule: Rule) -> None:
    with explained(gone_is_fine=True):
        kernel.rule("del", **_arguments(rule))


def _arguments(rule: Rule) -> dict[str, object]:
    found: dict[str, object] = {
        "family": 2 if rule.family == 4 else 10,
        "priority": rule.priority,
        "protocol": PROTOCOL,
    }
    if rule.table is None:
        found["action"] = "unreachable"
    else:
        found["table"] = rule.table
    if rule.source is not None:
        found["src"] = str(rule.source)
    if rule.arriving is not None:
        found["iifname"] = rule.arriving
    if rule.leaving is not None:
        found["oifname"] = rule.leaving
    if rule.mark is not None:
        found["fwmark"] = rule.mark
    if rule.is_only_networks:
        found["FRA_SUPPRESS_PREFIXLEN"] = 0
    return found

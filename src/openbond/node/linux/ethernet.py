"""Speed and duplex of Ethernet interfaces by ethtool's netlink (linux/ethtool_netlink.h)."""

import errno
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic.ethtool import NlEthtool, ethtool_linkmode_msg

from openbond.node.plan.values import EthernetMode

from .netlink import NotNow, Refused, explained

FAMILY = "ethtool"
SET_LINK_MODES = 5  # ETHTOOL_MSG_LINKMODES_SET
HALF, FULL = 0, 1
# Above this a pair of wires must negotiate (IEEE 802.3, clause 40): one speed is offered alone.
FIXED_MOST_MBPS = 100
# pyroute2 carries no types of its own.
_open: Callable[[], Any] = NlEthtool
_request: Callable[[], Any] = ethtool_linkmode_msg
_MODE = re.compile(r"(\d+)(half|full)")
_BIT = re.compile(r"(\d+)base.*/(Half|Full)")


def observe_ethernet(wanted: Iterable[EthernetMode]) -> dict[str, str]:
    """Return the mode of each wanted interface; one that cannot be asked is left out."""
    found = {}
    for item in wanted:
        link_modes = _ask(item.interface)
        if link_modes is not None:
            found[item.interface] = _mode(link_modes)
    return found


def set_ethernet(item: EthernetMode) -> None:
    """Make an interface negotiate, or hold to one mode.

    Raises NotNow when its driver cannot, Refused, NotPrivileged.
    """
    request = _request()
    request["cmd"], request["version"] = SET_LINK_MODES, 1
    header = {"attrs": [("ETHTOOL_A_HEADER_DEV_NAME", item.interface)]}
    request["attrs"] = [("ETHTOOL_A_LINKMODES_HEADER", header), *_attributes(item)]
    try:
        with explained(), closing(_open()) as ethtool:
            ethtool.bind(FAMILY, ethtool_linkmode_msg)
            flags = NLM_F_REQUEST | NLM_F_ACK
            list(ethtool.nlm_request(request, msg_type=ethtool.prid, msg_flags=flags))
    except Refused as refused:
        cause = refused.__cause__
        if isinstance(cause, NetlinkError) and cause.code in (errno.EOPNOTSUPP, errno.EINVAL):
            raise NotNow(
                f"the hardware of {item.interface} cannot be set to {item.mode}: set "
                "interface_mode to auto, or use another port"
            ) from refused
        raise


def _attributes(item: EthernetMode) -> Iterator[tuple[str, object]]:
    found = _MODE.fullmatch(item.mode)
    if found is None:
        yield "ETHTOOL_A_LINKMODES_AUTONEG", 1
        link_modes = _ask(item.interface)
        if link_modes is not None:
            yield "ETHTOOL_A_LINKMODES_OURS", _all_of(link_modes)
        return
    speed = int(found[1])
    yield "ETHTOOL_A_LINKMODES_AUTONEG", int(speed > FIXED_MOST_MBPS)
    yield "ETHTOOL_A_LINKMODES_SPEED", speed
    yield "ETHTOOL_A_LINKMODES_DUPLEX", FULL if found[2] == "full" else HALF


def _ask(interface: str) -> Any:
    """Return the kernel's answer about an interface, None when there is none."""
    try:
        with closing(_open()) as ethtool:
            return ethtool.get_linkmode(interface)[0]
    except (NetlinkError, IndexError, OSError):
        return None


def _bits(link_modes: Any) -> list[tuple[int, str, bool]]:
    """Return index, name and "is offered" of each mode that the hardware has."""
    ours = link_modes.get_attr("ETHTOOL_A_LINKMODES_OURS")
    listed = ours.get_attr("ETHTOOL_A_BITSET_BITS") if ours else None
    return [
        (
            bit.get_attr("ETHTOOL_A_BITSET_BIT_INDEX"),
            bit.get_attr("ETHTOOL_A_BITSET_BIT_NAME"),
            bool(bit.get_attr("ETHTOOL_A_BITSET_BIT_VALUE")),
        )
        for _, bit in (listed["attrs"] if listed else [])
    ]


def _all_of(link_modes: Any) -> dict[str, object]:
    bits: list[tuple[str, object]] = [
        (
            "ETHTOOL_A_BITSET_BITS_BIT",
            {
                "attrs": [
                    ("ETHTOOL_A_BITSET_BIT_INDEX", index),
                    ("ETHTOOL_A_BITSET_BIT_VALUE", True),
                ]
            },
        )
        for index, _, _ in _bits(link_modes)
    ]
    return {"attrs": [("ETHTOOL_A_BITSET_BITS", {"attrs": bits})]}


def _mode(link_modes: Any) -> str:
    bits = _bits(link_modes)
    speeds = [(f"{m[1]}{m[2].lower()}", on) for _, name, on in bits if (m := _BIT.match(name))]
    return mode_of(
        speeds,
        negotiates=bool(link_modes.get_attr("ETHTOOL_A_LINKMODES_AUTONEG")),
        speed=link_modes.get_attr("ETHTOOL_A_LINKMODES_SPEED") or 0,
        is_full=link_modes.get_attr("ETHTOOL_A_LINKMODES_DUPLEX") == FULL,
    )


def mode_of(
    speeds: Iterable[tuple[str, bool]], *, negotiates: bool, speed: int, is_full: bool
) -> str:
    """Return the mode in the API's words. `speeds`: those of the hardware, and which are offered.

    Hardware without a choice, such as a virtual interface, negotiates as far as anybody can say.
    """
    known = list(speeds)
    offered = {name for name, is_offered in known if is_offered}
    if not known:
        return "auto"
    if not negotiates:
        return f"{speed}{'full' if is_full else 'half'}"
    return offered.pop() if len(offered) == 1 and len({n for n, _ in known}) > 1 else "auto"

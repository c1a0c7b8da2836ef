"""The VXLAN of a private WAN, and the aggregators at its far ends (RFC 7348)."""

from collections.abc import Iterable
from ipaddress import ip_address

from openbond.node.plan.numbers import VXLAN_PORT
from openbond.node.plan.values import FarEnd, OwnDevice, Vxlan

from .links import add_own_link, index_of
from .netlink import Kernel, explained

# Where frames go whose station is not known yet.
ANY_STATION = "00:00:00:00:00:00"


def observe_far_ends(kernel: Kernel, devices: Iterable[OwnDevice]) -> frozenset[FarEnd]:
    """Return the far ends of our VXLANs."""
    found = set()
    for device in devices:
        if isinstance(device, Vxlan):
            for entry in kernel.fdb("dump", ifindex=index_of(device.name)):
                if entry.get_attr("NDA_LLADDR") == ANY_STATION:
                    found.add(FarEnd(device.name, ip_address(entry.get_attr("NDA_DST"))))
    return frozenset(found)


def add_vxlan(kernel: Kernel, vxlan: Vxlan) -> None:
    """Make a VXLAN and mark it as ours.

    Raises NotNow when this kernel has none, Refused, NotPrivileged.
    """
    missing = (
        "this kernel has no VXLAN: load the module with `modprobe vxlan`; until then the "
        "private WAN joins only bonds on the same aggregator"
    )
    vni, port = vxlan.vni, VXLAN_PORT
    add_own_link(kernel, vxlan.name, missing=missing, kind="vxlan", vxlan_id=vni, vxlan_port=port)


def add_far_end(kernel: Kernel, far_end: FarEnd) -> None:
    """Raises Refused, NotPrivileged."""
    with explained():
        kernel.fdb("append", **_arguments(far_end))


def delete_far_end(kernel: Kernel, far_end: FarEnd) -> None:
    with explained(gone_is_fine=True):
        kernel.fdb("del", **_arguments(far_end))


def _arguments(far_end: FarEnd) -> dict[str, object]:
    return {
        "ifindex": index_of(far_end.interface),
        "lladdr": ANY_STATION,
        "dst": str(far_end.ip),
    }

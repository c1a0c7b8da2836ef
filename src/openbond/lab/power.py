"""Cut a node's power and boot it again: what was in memory and kernel is gone, the disk stays."""

import shutil
import signal

from msgspec import Struct
from msgspec.json import decode

from .errors import LabError
from .layout import AGGREGATORS, NODES
from .life import Lab
from .netns import Namespace, kill_programs

KEPT_RULES = (("32766", "main"), ("32767", "default"))


class _Link(Struct, frozen=True):
    ifname: str
    link_type: str = ""


def cut_power(lab: Lab, name: str) -> None:
    """End a node as a power cut does. Raises LabError when it is no node."""
    if name not in NODES:
        raise LabError(f"{name!r} is no node; nodes: {', '.join(NODES)}")
    host = lab.host(name)
    kill_programs(host.pids(), signal.SIGKILL)
    _forget(host)
    shutil.rmtree(lab.directory.node_root(name) / "run", ignore_errors=True)


def boot(lab: Lab, name: str) -> None:
    """Boot a node whose power was cut."""
    for one in AGGREGATORS:
        if one.host == name:
            lab.topology.set_own_address(name, one.ip)
    lab.start_node(name)


def _forget(host: Namespace) -> None:
    """Bring the kernel of a namespace back to how it was at first: cables without addresses."""
    for link in decode(host.ip("-j", "link", "show"), type=list[_Link]):
        if link.ifname == "lo":
            continue
        if link.ifname.startswith("eth"):
            host.ip("address", "flush", "dev", link.ifname)
            host.ip("link", "set", link.ifname, "down")
        else:
            host.ip("link", "delete", link.ifname)
    for family in ("-4", "-6"):
        host.ip(family, "route", "flush", "table", "all", "type", "unicast")
        host.ip(family, "rule", "flush")
        for preference, table in KEPT_RULES:
            host.ip(family, "rule", "add", "pref", preference, "lookup", table)
    host.run(["nft", "flush", "ruleset"])
    host.set_sysctl("net/ipv4/ip_forward", "0")

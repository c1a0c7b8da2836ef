"""BIRD 2 at an aggregator: tells the core of the networks that bonds have here (§5.7). Pure.

It takes from the kernel's table what carries our protocol number, and nothing else; so it needs no
change when a bond comes or goes, and gives the kernel no route.
"""

from collections.abc import Iterator

from openbond.node.routing_settings import RoutingKind, RoutingSettings
from openbond.wire.config import NodeContent
from openbond.wire.states import NodeKind

from .facts import Facts
from .values import ClientFile, RunningProgram
from .wishes import Wishes

DIRECTORY = "bird"
MISSING = "routing waits: the program bird is missing, apt install bird2"
# Tunnel networks, and what must never be announced (behaviour 5.7).
NEVER = "[ 0.0.0.0/0, 224.0.0.0/3+ ]"


def wish_routing_daemon(wishes: Wishes, content: NodeContent, facts: Facts) -> None:
    """Wish for BIRD where bonding.conf says how it shall speak to the core."""
    routing, machine = facts.machine.routing, facts.machine
    is_wanted = content.kind is NodeKind.AGGREGATOR and not content.decommission
    if not is_wanted or routing.kind is RoutingKind.STATIC:
        return
    if not machine.bird:
        wishes.warn("node", MISSING)
        return
    text = bird_config(routing, table=machine.route_table, protocol=machine.protocol)
    file = ClientFile.named_by_content(DIRECTORY, text)
    wishes.client_file(file, "node")
    files = machine.client_files
    argv = (machine.bird, "-f", "-c", f"{files}/{file.name}", "-s", f"{files}/{DIRECTORY}.ctl")
    wishes.program(RunningProgram("bird", argv), "node")


def bird_config(routing: RoutingSettings, *, table: int, protocol: int) -> str:
    """Return BIRD's configuration file."""
    lines = [
        "# Written by the openbond agent from bonding.conf.",
        "log stderr all;",
        "protocol device { scan time 10; }",
        "protocol kernel bonds {",
        f"  kernel table {table};",
        "  learn; scan time 5;",
        "  ipv4 {",
        "    import filter {",
        f"      if krt_source = {protocol} && !(net ~ {NEVER}) then accept;",
        "      reject;",
        "    };",
        "    export none;",
        "  };",
        "}",
        *(_bgp(routing) if routing.kind is RoutingKind.BGP else _ospf(routing)),
    ]
    return "\n".join(lines) + "\n"


_CHANNEL = 'ipv4 { import none; export where proto = "bonds"; }'


def _bgp(routing: RoutingSettings) -> Iterator[str]:
    # Of a dead aggregator BFD tells at once, where the neighbor speaks it, else the hold time.
    yield 'protocol bfd { interface "*" { interval 300 ms; multiplier 3; }; }'
    for number, neighbor in enumerate(routing.neighbors, 1):
        yield f"protocol bgp core{number} {{"
        yield f"  local as {routing.number};"
        yield f"  neighbor {neighbor.ip} as {neighbor.number};"
        yield "  hold time 9; keepalive time 3; connect delay time 1; bfd on;"
        yield f"  {_CHANNEL[:-2]} next hop self; }};"
        yield "}"


def _ospf(routing: RoutingSettings) -> Iterator[str]:
    yield "protocol ospf v2 core {"
    yield f"  {_CHANNEL};"
    yield f"  area {routing.area} {{"
    for interface in routing.interfaces:
        yield f'    interface "{interface}" {{ hello 1; dead 4; }};'
    yield "  };"
    yield "}"

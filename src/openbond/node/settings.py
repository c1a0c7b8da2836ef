"""`/etc/bonding/bonding.conf`: where the server is and which node this is (behaviour 1.3).

One `name = value` a line; `#` begins a comment. Written by `openbond node enroll` or by hand.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

from . import store
from .channel.budget import MOST_MB
from .errors import NodeError, NotEnrolled
from .routing_settings import NAMES as ROUTING_NAMES
from .routing_settings import NOBODY_IS_TOLD, BadRouting, RoutingSettings, read_routing

DEFAULT_PORT = 443
# The kernel's main table: a routing daemon beside us finds the bonds' networks there (§5.7).
MAIN_TABLE = 254
NAMES = ("server", "node_key", "route_table", "mobile_budget_mb", *ROUTING_NAMES)
# Of the management channel, in a month; 1 TB is no limit.
MOST_MOBILE_BUDGET_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server listens: a name or an address, and a TCP port."""

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    server: ServerAddress
    node_key: str
    route_table: int = MAIN_TABLE
    routing: RoutingSettings = NOBODY_IS_TOLD
    mobile_budget_mb: int = MOST_MB

    def text(self) -> bytes:
        lines = [f"server = {self.server}", f"node_key = {self.node_key}"]
        if self.route_table != MAIN_TABLE:
            lines.append(f"route_table = {self.route_table}")
        if self.mobile_budget_mb != MOST_MB:
            lines.append(f"mobile_budget_mb = {self.mobile_budget_mb}")
        return ("\n".join(lines) + "\n").encode()


class BadSettings(NodeError):
    """bonding.conf or an argument is not what it should be."""


def read_address(text: str) -> ServerAddress:
    """Read HOST, HOST:PORT or [IPV6]:PORT.

    Raises BadSettings.
    """
    host, bracket, port = text.strip().rpartition("]:") if "]:" in text else ("", "", "")
    if not bracket:
        host, _, port = text.strip().partition(":") if text.count(":") == 1 else (text, "", "")
    host = host.strip("[] ")
    if not _is_host(host) or (port and not _is_port(port)):
        raise BadSettings(
            f"{text!r} is no server address: write HOST:PORT, for example 192.0.2.1:8443."
        )
    return ServerAddress(host, int(port or DEFAULT_PORT))


def _is_host(text: str) -> bool:
    if ":" not in text:
        return bool(text) and not any(letter.isspace() or letter in "/@" for letter in text)
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536


def read_settings(path: Path) -> NodeSettings:
    """Raises NotEnrolled when the file or a line is missing, BadSettings when one is wrong."""
    content = store.read(path)
    if content is None:
        raise NotEnrolled(
            f"{path} does not exist: run `openbond node enroll --server HOST:PORT --key KEY`."
        )
    values = _lines(path, content.decode(errors="replace"))
    for name in ("server", "node_key"):
        if not values.get(name):
            raise NotEnrolled(f"{path} has no line `{name} = …`: add it, or enrol this node again.")
    table = values.get("route_table", str(MAIN_TABLE))
    if not table.isdecimal() or not 0 < int(table) < 2**32:
        raise BadSettings(f"{path}: route_table = {table!r} is no table number (1 to 4294967295).")
    budget = values.get("mobile_budget_mb", str(MOST_MB))
    if not budget.isdecimal() or int(budget) > MOST_MOBILE_BUDGET_MB:
        raise BadSettings(
            f"{path}: mobile_budget_mb = {budget!r} is no number of megabytes "
            f"(0 to {MOST_MOBILE_BUDGET_MB})."
        )
    try:
        routing = read_routing(values)
    except BadRouting as wrong:
        raise BadSettings(f"{path}: {wrong}") from wrong
    return NodeSettings(
        read_address(values["server"]), values["node_key"], int(table), routing, int(budget)
    )


def _lines(path: Path, text: str) -> dict[str, str]:
    values = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, equals, value = (part.strip() for part in line.partition("#")[0].partition("="))
        if not name and not equals:
            continue
        if not equals or name not in NAMES:
            known = ", ".join(NAMES)
            raise BadSettings(f"{path}, line {number}: {line.strip()!r} is none of: {known}.")
        values[name] = value
    return values

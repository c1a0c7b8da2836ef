"""Nodes: what aggregators and bonders have in common (01-fleet.md, 2)."""

from typing import Any

from django.db.models import QuerySet

from openbond.server.api import fields, lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Flag, Link, Text, Time, Whole
from openbond.server.api.resource import ReadOnlyResource, Shown
from openbond.server.api.shared_space import by_space, derived_space, filter_by_space
from openbond.server.api.view import Door
from openbond.server.fleet import selectors
from openbond.server.fleet.models import CpuGovernor, Node, TcpCongestionControl
from openbond.server.fleet.rules import hostname, node_status
from openbond.server.spaces.selectors import if_in_reach
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.secrets import unseal
from openbond.wire.states import NodeKind

KINDS = [kind.value for kind in NodeKind]
STATUSES = ["up", "down", "unknown"]
SECRETS = frozenset({"username", "password"})

PLAIN = [
    "serial_number",
    "asset_tag",
    "debug",
    "metric_collection_interval",
    "metric_reporting_interval",
    "cpu_governor",
    "tcp_congestion_control_algorithm",
    "version",
    "openvpn_ip",
    "openvpn_ipv6",
    "openvpn_server",
]
COLUMNS = [
    *PLAIN,
    "id",
    "name",
    "kind",
    "key",
    "space_id",
    "space__name",
    "sealed_username",
    "sealed_password",
    "last_connected",
    "created",
    "modified",
]

FILTERS = {
    "name": lists.text("name"),
    "status": lists.choice("status", STATUSES),
    "space": filter_by_space(),
    "version": lists.text("version"),
    "serial_number": lists.text("serial_number"),
    "asset_tag": lists.text("asset_tag"),
    "debug": lists.flag("debug"),
}
ORDERING = {
    "id": lists.by("id"),
    "name": lists.by_text("name"),
    "version": lists.by_text("version"),
    "status": lists.by("status"),
    "last_connected": lists.by("last_connected", nullable=True),
    "space": by_space(),
}


class NodeBody(Body):
    """The fields that every node has, in the order of the contract."""

    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, required=True, validators=[fields.has_letter_or_digit])
    key = Text(read_only=True)
    hostname = Text(read_only=True)
    serial_number = Text(255)
    asset_tag = Text(255)
    username = Text(64, blank=False, help_text="SSH account; a record only")
    password = Text(255, help_text="its password; a record only")
    debug = Flag()
    metric_collection_interval = Whole(1, 3600, help_text="seconds")
    metric_reporting_interval = Whole(10, 86400, help_text="seconds")
    cpu_governor = fields.Choice(CpuGovernor.values, allow_null=True)
    tcp_congestion_control_algorithm = fields.Choice(TcpCongestionControl.values, allow_null=True)
    version = Text(read_only=True)
    status = fields.Choice(STATUSES, read_only=True)
    last_connected = Time(allow_null=True)
    openvpn_ip = Text(read_only=True, allow_null=True)
    openvpn_ipv6 = Text(read_only=True, allow_null=True)
    openvpn_server = Text(read_only=True, allow_null=True)
    created = Time()
    modified = Time()

    secret = SECRETS


class NodeReadBody(NodeBody):
    """A node of either kind; everything is read-only here."""

    type = fields.Choice(KINDS, read_only=True)
    space = Link(allow_null=True)
    bonder = Link(allow_null=True)
    aggregator = Link(allow_null=True)


class Nodes(ReadOnlyResource[Node]):
    """Nodes of both kinds; they are made by making an aggregator or a bond."""

    body = NodeReadBody
    listing = lists.Listing(
        filters=FILTERS | {"type": lists.choice("kind", KINDS)},
        search=("name", "serial_number", "asset_tag", "version", "shown_key"),
        ordering=ORDERING | {"type": lists.by("kind")},
    )

    def may_call(self, handler: str) -> bool:
        # Either code opens the door; the selector leaves out the kind that lacks its own.
        return self.viewer.can("view_bonder") or self.viewer.can("view_aggregator")

    def rows(self) -> QuerySet[Node]:
        return selectors.nodes_visible_to(self.viewer)

    def derived(self) -> lists.Derived:
        # Whoever could search for the key of a shared node could guess it, letter by letter.
        return {**derived(self), "shown_key": if_in_reach(self.viewer, "key")}

    def hidden(self, row: Node) -> Shown:
        is_written = row.kind == NodeKind.AGGREGATOR
        return sealed(row) | ({"space": row.space_id} if is_written else {})

    def present(self, rows: QuerySet[Node]) -> list[Shown]:
        return [self._node(row) for row in rows.values(*COLUMNS)]

    def _node(self, row: dict[str, Any]) -> Shown:
        is_bonder = row["kind"] == NodeKind.BONDER
        shown = node(row, self, path="nodes")
        shown["type"] = row["kind"]
        shown["bonder"] = self.links.or_null("bonders", row["id"] if is_bonder else None)
        shown["aggregator"] = self.links.or_null("aggregators", None if is_bonder else row["id"])
        return shown


def derived(view: Door) -> lists.Derived:
    """Return the status and the space of nodes as expressions."""
    status = selectors.status_of_node(since=view.fresh_since)
    return {"status": status, **derived_space(view.viewer)}


def node(row: dict[str, Any], view: Door, *, path: str) -> Shown:
    """Return the fields of section 2.1 of one row of COLUMNS, as the viewer may see them."""
    links, viewer = view.links, view.viewer
    is_own = viewer.reaches(row["space_id"])
    shown: Shown = {
        "id": row["id"],
        "url": links.to(path, row["id"]),
        "name": row["name"],
        # Whose a shared object is, and its secrets, stay in the parent space (00-general.md, 11.3).
        "space": links.to("spaces", row["space_id"]) if is_own else None,
        "hostname": hostname(space_name=row["space__name"], node_name=row["name"]),
    }
    if is_own:
        shown |= _secrets(row, viewer)
    shown |= {name: row[name] for name in PLAIN}
    shown["status"] = node_status(
        last_connected=row["last_connected"], timeout_seconds=view.status_timeout, now=view.now
    )
    shown["last_connected"] = values.time_or_null(row["last_connected"])
    shown["created"] = values.time(row["created"])
    shown["modified"] = values.time(row["modified"])
    return shown


def _secrets(row: dict[str, Any], viewer: Viewer) -> Shown:
    shown: Shown = {"key": row["key"]}
    if viewer.can(f"view_{row['kind']}_credentials"):
        shown["username"] = unseal(row["sealed_username"])
        shown["password"] = unseal(row["sealed_password"])
    return shown


def sealed(row: Node) -> Shown:
    """Return what a node keeps secret, as it is stored, for its ETag."""
    return {"username": row.sealed_username, "password": row.sealed_password}

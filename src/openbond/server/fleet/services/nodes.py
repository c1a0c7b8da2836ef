"""What aggregators and bonders share when they are written."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, TypedDict

from openbond.server.errors import InvalidFields
from openbond.server.fleet.models import Node, Tombstone
from openbond.server.fleet.rules import KEY_BITS, node_key
from openbond.server.system.changes import Change, change_row
from openbond.server.system.constraints import UNIQUE_NAME, refusing
from openbond.server.system.rules import faults_of_metrics
from openbond.server.system.selectors import current_settings

NAME_UNIQUE = {"node_name_unique_in_space": UNIQUE_NAME}
DEFAULT_USERNAME = "root"
# Columns whose change the node itself must learn.
TOLD = frozenset(
    {
        "name",
        "space",
        "debug",
        "metric_collection_interval",
        "metric_reporting_interval",
        "cpu_governor",
        "tcp_congestion_control_algorithm",
    }
)


class NodeOptions(TypedDict, total=False):
    """Intervals in seconds. `username` and `password` are sealed; callers check the codes."""

    serial_number: str
    asset_tag: str
    username: str
    password: str
    debug: bool
    metric_collection_interval: int
    metric_reporting_interval: int
    cpu_governor: str | None
    tcp_congestion_control_algorithm: str | None


class NodeChanges(NodeOptions, total=False):
    name: str


def new_node_key() -> str:
    """Return a fresh node key of 80 random bits."""
    return node_key(secrets.randbits(KEY_BITS))


def node_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a new node: `values`, and what the settings say of the rest.

    Raises InvalidFields when the two intervals do not fit together.
    """
    wanted = current_settings()
    columns = {
        "metric_collection_interval": wanted.metric_collection_interval,
        "metric_reporting_interval": wanted.metric_reporting_interval,
        "username": DEFAULT_USERNAME,
        **values,
    }
    check_intervals(sent=values, columns=columns)
    return columns


def check_intervals(*, sent: Mapping[str, object], columns: Mapping[str, Any]) -> None:
    """Raises InvalidFields when metrics would be reported more often than collected."""
    faults = faults_of_metrics(
        sent=sent,
        collection=columns["metric_collection_interval"],
        reporting=columns["metric_reporting_interval"],
    )
    if faults:
        raise InvalidFields(faults)


def insert_node(node: Node, columns: Mapping[str, Any]) -> None:
    """Set `columns` on a new node and save it. Raises InvalidFields for a name that is taken."""
    for name, value in columns.items():
        setattr(node, name, value)
    node.key = new_node_key()
    with refusing(type(node), NAME_UNIQUE):
        node.save(force_insert=True)


def write_node(*, node: Node, changes: Mapping[str, object], now: datetime) -> Change:
    """Change the columns of a locked node. Raises InvalidFields."""
    columns = {
        name: changes.get(name, getattr(node, name))
        for name in ("metric_collection_interval", "metric_reporting_interval")
    }
    check_intervals(sent=changes, columns=columns)
    with refusing(type(node), NAME_UNIQUE):
        return change_row(node, changes, now=now)


def bury(*, node: Node, now: datetime) -> None:
    """Delete a node's row and leave its tombstone (behaviour 1.4, step 6)."""
    Tombstone.objects.create(
        node_id=node.pk,
        kind=node.kind,
        name=node.name,
        key_digest=sha256(node.key.encode()).hexdigest(),
        deleted=now,
    )
    node.delete()

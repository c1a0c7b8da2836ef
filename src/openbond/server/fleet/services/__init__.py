"""Writes to nodes, routing groups and config updates. `by` is who writes."""

from .aggregators import (
    AggregatorChanges,
    AggregatorOptions,
    create_aggregator,
    delete_aggregator,
    write_aggregator,
)
from .checks import (
    Checked,
    forget_held,
    hold_lease,
    holds_lease,
    note_held,
    note_hosts,
    record_check,
)
from .config_updates import Move, request_config_update, request_moves
from .nodes import NodeChanges, NodeOptions, bury, insert_node, node_defaults, write_node
from .routing_groups import create_routing_group, delete_routing_group, update_routing_group
from .trunks import join_aggregators

__all__ = [
    "AggregatorChanges",
    "AggregatorOptions",
    "Checked",
    "Move",
    "NodeChanges",
    "NodeOptions",
    "bury",
    "create_aggregator",
    "create_routing_group",
    "delete_aggregator",
    "delete_routing_group",
    "forget_held",
    "hold_lease",
    "holds_lease",
    "insert_node",
    "join_aggregators",
    "node_defaults",
    "note_held",
    "note_hosts",
    "record_check",
    "request_config_update",
    "request_moves",
    "update_routing_group",
    "write_aggregator",
    "write_node",
]
